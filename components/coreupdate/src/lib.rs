//! The management API of CoreUpdate on the wire: methods, JSON forms, Hawk signatures. No I/O, no clock, no randomness.
//!
//! Concepts:
//!
//! - A [`Method`] is one call of the API: its name, verb, path and schemas ([`METHODS`]). Server, client and the
//!   discovery document ([`discovery`]) read the same table, so that they cannot disagree.
//! - [`wire`] holds the JSON forms. An empty string and an absent one are the same thing here, as they are for the
//!   clients, which are written in Go and drop what is empty.
//! - [`hawk`] is the authentication that those clients use.
//!
//! Source of the protocol's facts: the discovery document and the client in coreos/updateservicectl, and the
//! specification of Hawk (mozilla/hawk, `API.md`).

pub mod discovery;
pub mod hawk;
mod method;
mod schema;
pub mod wire;

pub use method::{Access, BASE_PATH, METHODS, Method, Parameter, Required, Verb, find};
