//! Actions, keys, early cutoff, the scheduler, its events and its logs.
//!
//! The words of this crate, in the order in which a build meets them:
//!
//! - An [`Action`] is one step that costs time. It says what runs (argument vector, environment), on what (named
//!   inputs) and what comes out (declared outputs). Its [`Key`](slipway_store::Key) is the SHA-256 of exactly that.
//! - A [`Graph`] is a checked set of actions: no duplicate, no dangling reference, no cycle.
//! - An [`Inventory`] is what earlier builds left behind, as far as it matters: [`survey`] looks it up.
//! - A [`Plan`] says for each action whether it is fresh, stale (with the [`Reason`]) or not yet known. [`plan`] makes
//!   it from the two above without any I/O.
//! - [`run`] carries a graph out: ready actions side by side, longest remaining path first, and tells what happens
//!   as [`Event`]s. A rebuilt action whose outputs did not change leaves everything after it as it was.
//!
//! What is absent: containers, Portage, the terminal. An action carries a [`Runner`], and the caller prints the events.

mod action;
mod cache;
mod event;
mod graph;
mod key;
mod log;
mod node;
mod owner;
mod plan;
mod queue;
mod reason;
mod run;
mod runner;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod work;

pub use action::{Action, Input, Kind};
pub use event::{Counts, Event, How, RunEnd, Span};
pub use graph::{Graph, GraphError};
pub use log::{LogError, LogWriter, last_lines};
pub use node::{NodeId, NodeIdError};
pub use plan::{Inventory, Plan, State, Step, plan};
pub use reason::Reason;
pub use run::{BuildError, Cancel, Failure, Outcome, Report, RunOptions, run};
pub use runner::{Outputs, PhaseSender, RunContext, RunError, Runner};
pub use state::{NodeState, NodeStates, StateError};
pub use survey::{SurveyError, survey};
