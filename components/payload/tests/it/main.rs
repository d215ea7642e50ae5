//! Payloads made and applied; what is damaged is refused.

mod damage;
mod round_trip;
mod support;
mod verity;
