//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail here")]

mod examples;
mod limits;
mod round_trip;
mod tolerance;
mod words;
