//! Hosts that do not exist: they check, update, fail and vanish as real ones do, and what the server answers is counted.
//!
//! Concepts:
//! - [`Load`]: how many hosts, how long, how they behave. Nothing is unbounded.
//! - [`Host`]: one of them. Which requests it sends is a pure function of the answers and of its dice.
//! - [`Event`]: what hosts tell the one task that counts ([`Report`]).
//!
//! Only the server that is named is spoken to: payloads are not fetched.

mod event;
mod histogram;
mod host;
mod load;
mod report;
mod schedule;

pub use event::{Event, Outcome};
pub use histogram::Histogram;
pub use host::{Host, Message, Profile, Step};
pub use load::{Load, Pause, run};
pub use report::Report;
