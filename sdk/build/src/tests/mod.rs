//! The tests of this crate: scripts of simulated actions in paused time, and what happened as text.

mod cancel;
mod cutoff;
mod events;
mod failure;
mod graph;
mod keys;
mod logs;
mod lost;
mod plans;
mod queue;
mod random;
mod schedule;
mod states;
mod support;
mod surveys;
