//! A repository on disk, and those who would like to deceive its clients.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod attacks;
mod boot;
mod life;
mod token;
mod world;
