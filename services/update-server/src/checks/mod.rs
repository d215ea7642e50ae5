//! Machines that ask: what they say is kept, and what they may have is decided, many of them in one transaction.
//!
//! Concepts:
//! - [`Ask`]: one application of one request. [`Outcome`]: what is answered.
//! - [`Engine`]: the one task that writes. Whatever waits when it comes round is one batch, and one transaction; it answers
//!   when that is durable, so that no grant is lost that a machine was told of.
//! - [`sweep`]: ends grants whose time is over, and rollouts that are complete.
//!
//! Limits hold exactly: counters are read and grants written under the lock of the group's row (PostgreSQL) or of the database
//! (SQLite), however many servers there are.

mod batch;
mod engine;
mod explain;
mod state;
mod sweep;
mod write;

pub use engine::{Engine, EngineError, StopNotice};
pub use explain::{Explanation, explain};
pub use sweep::sweep;

use std::sync::Arc;

use crate::{
    ids::{AppId, GroupId, MachineId},
    policy::{Decision, Trigger},
    store::{Arch, Package},
};

/// What a machine says and asks, about one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which application.
    pub app: AppId,
    /// Which group; it was found in the catalog.
    pub group: GroupId,
    /// Which machine.
    pub machine: MachineId,
    /// What it says in `track`.
    pub track: String,
    /// The version that it runs.
    pub version: String,
    /// Its architecture.
    pub arch: Arch,
    /// Its platform.
    pub oem: String,
    /// The version of that.
    pub oem_version: String,
    /// The version that was installed first.
    pub aleph_version: String,
    /// The alias that it gave itself.
    pub alias: String,
    /// The address that it asks from.
    pub ip: String,
    /// The id of its boot.
    pub boot_id: String,
    /// Why it asks, as it says.
    pub install_source: String,
    /// Why it asks.
    pub trigger: Trigger,
    /// What happened to it.
    pub events: Vec<Happened>,
    /// What it wants.
    pub wants: Wants,
}

/// What a machine wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// An update.
    Update,
    /// To say that it lives.
    Ping,
    /// Nothing but to report.
    Nothing,
}

/// An event, as Omaha has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its type.
    pub kind: u32,
    /// Its result.
    pub result: u32,
    /// The error, without flag bits.
    pub error_code: Option<u32>,
    /// The version before, if the machine said so.
    pub previous_version: Option<String>,
}

/// What a machine gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was decided, if it asked for an update.
    pub decision: Option<Decision>,
    /// What it may fetch.
    pub package: Option<Arc<Package>>,
}
