//! The command line as a program: what it does with keys, and what happens when it is killed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod ci;
mod keys;
mod killed;
