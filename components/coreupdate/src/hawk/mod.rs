//! Hawk: a client proves with a MAC over the request that it knows a key, without sending it.
//!
//! Only SHA-256 is spoken, as by the clients of CoreUpdate. Nothing here reads a clock or makes a nonce: callers pass
//! both in.

mod header;
mod key;
mod mac;
mod replay;
mod verify;

pub use header::{Header, HeaderError, MAX_HEADER};
pub use key::HawkKey;
pub use mac::{Resource, payload_hash, sign, timestamp_mac};
pub use replay::{ReplayCache, Replayed};
pub use verify::{HawkError, Payload, Target, Verifier, challenge};
