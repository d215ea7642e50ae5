//! The agent against a real server, a real repository and a real disk image in a file.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod attacks;
mod daemon;
mod journey;
mod machine;
mod power_cut;
mod repository;
mod server;
mod transfer;
