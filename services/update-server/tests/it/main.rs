//! Tests of the server: real HTTP, real databases.
//!
//! Those that run on "both" use SQLite, and PostgreSQL where its programs are installed or `SLIPWAY_TEST_POSTGRES` names a
//! server; `SLIPWAY_REQUIRE_POSTGRES=1` makes its absence a failure.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod api;
mod bad_input;
mod binary;
mod dashboard;
mod exchanges;
mod faults;
mod limits;
mod operations;
mod peers;
mod postgres;
mod releases;
mod rollout;
mod store;
mod syncer;
mod tls;
mod world;
mod writers;
