//! `Event`: what a run tells while it happens. The terminal, the plain log, the JSON stream and the stored record of a
//! build are consumers of it and live elsewhere.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::action::Kind;
use crate::node::NodeId;
use crate::reason::Reason;

/// What happens in a run. Times are seconds since its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Another run holds the store; this one goes on when that one ends.
    Waiting {
        /// Who holds it.
        holder: String,
    },
    /// The plan is made and the first actions are about to start.
    PlanReady {
        /// What the plan says.
        counts: Counts,
        /// How long it may take.
        estimate_seconds: f64,
    },
    /// An action started.
    Started {
        /// The action.
        id: NodeId,
        /// Its kind.
        kind: Kind,
        /// Why it runs.
        reason: Reason,
        /// When.
        at: f64,
        /// How long it may take.
        estimate_seconds: f64,
        /// Its log file.
        log: Utf8PathBuf,
    },
    /// A running action entered a phase.
    Phase {
        /// The action.
        id: NodeId,
        /// The phase, a short text such as `compile`.
        phase: String,
        /// When.
        at: f64,
    },
    /// An action is done.
    Finished {
        /// The action.
        id: NodeId,
        /// Its kind.
        kind: Kind,
        /// How it came to its outputs.
        how: How,
        /// When it started.
        start: f64,
        /// When it ended.
        end: f64,
        /// How long it ran.
        seconds: f64,
    },
    /// An action failed.
    Failed {
        /// The action.
        id: NodeId,
        /// Its kind.
        kind: Kind,
        /// When it started.
        start: f64,
        /// When it ended.
        end: f64,
        /// The error with all its causes, in one line.
        error: String,
        /// Its log file, if it came so far.
        log: Option<Utf8PathBuf>,
        /// The end of its log.
        last_lines: Vec<String>,
    },
    /// A running action was stopped by force.
    Stopped {
        /// The action.
        id: NodeId,
        /// When it started.
        start: f64,
        /// When it ended.
        end: f64,
    },
    /// An action will not run, since what it needs failed.
    Skipped {
        /// The action.
        id: NodeId,
        /// The action that failed.
        because: NodeId,
    },
    /// An action that is about to start, or even runs, has to give way: the bytes of one of its inputs turned out to be
    /// lost. It starts once they are rebuilt.
    Postponed {
        /// The action.
        id: NodeId,
        /// The action that is to be rebuilt.
        waits_for: NodeId,
    },
    /// The run was asked to end: what runs may finish, nothing new starts.
    Draining {
        /// The actions that still run.
        running: Vec<NodeId>,
    },
    /// The run was asked to end at once: what runs is being stopped.
    Forcing {
        /// The actions that still run.
        running: Vec<NodeId>,
    },
    /// How far the run is, out of what the plan did not find fresh.
    Progress {
        /// The number of actions done.
        done: usize,
        /// The number of actions in all.
        total: usize,
        /// How long the rest may take.
        remaining_seconds: f64,
    },
    /// The run ended. Nothing follows.
    RunFinished {
        /// How.
        end: RunEnd,
        /// The number of actions that ran.
        built: usize,
        /// The number of actions that the plan found fresh.
        cached: usize,
        /// The number of actions that turned out to be fresh after what they need was rebuilt.
        cut_off: usize,
        /// The number of actions that failed.
        failed: usize,
        /// The number of actions that could not run because others failed, or since the run ended early.
        skipped: usize,
        /// How long the run took.
        seconds: f64,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// All that was wanted is there.
    Succeeded,
    /// Some action failed.
    Failed,
    /// It was asked to end before all was done.
    Interrupted,
}

/// How an action came to its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The plan found it fresh.
    Cached,
    /// It ran.
    Built,
    /// What it needs was rebuilt, but came out such that it is fresh after all.
    CutOff,
}

/// How many actions of a plan are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Nothing to do.
    pub fresh: usize,
    /// Will run.
    pub stale: usize,
    /// Will run unless what they need comes out as before.
    pub unknown: usize,
}

/// When an action ran, for drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The action.
    pub id: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// When it started.
    pub start: f64,
    /// When it ended.
    pub end: f64,
}
