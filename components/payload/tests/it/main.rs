//! Payloads made and applied; what is damaged is refused.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod damage;
mod round_trip;
mod support;
mod verity;
