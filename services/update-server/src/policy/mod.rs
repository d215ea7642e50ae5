//! Who gets which version, and when: a pure function of values, without I/O, clock or randomness.
//!
//! Concepts:
//! - [`Policy`]: what an operator has set for a group.
//! - [`Window`]: when a group may update.
//! - [`Graph`]: the versions of a channel, its target and its floors.
//! - [`decide`]: machine, group, graph, counters and time in; [`Decision`] with its reason out.
//! - [`should_stop`]: whether a version has failed so often that nobody else may get it.

mod decide;
mod graph;
mod settings;
#[cfg(test)]
mod tests;
mod window;

pub use decide::{
    Answer, Counters, Decision, Granted, GroupState, Machine, Reason, Trigger, decide, destination,
    next_version, place, should_stop,
};
pub use graph::{Allowed, Graph};
pub use settings::{
    AutoStop, Frame, OnDemand, PerPeriod, Policy, PolicyError, Rollout, percent_at,
};
pub use window::{Days, Window, WindowError, open_at};
