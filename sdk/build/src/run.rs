//! `run`: carries a graph out. Here are its parameters and results; `owner` has the state, `work` what runs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use slipway_store::{Holder, LockAttempt, Store, StoreError, StoreLock};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, RunEnd, Span};
use crate::graph::{Graph, GraphError};
use crate::node::NodeId;
use crate::owner::Owner;
use crate::plan::{Plan, plan};
use crate::queue::Limits;
use crate::runner::Outputs;
use crate::state::NodeStates;
use crate::survey::{SurveyError, survey};

/// The lock that keeps two runs from working on the same store.
const LOCK: &str = "build";

/// How often a held lock is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(250);

/// How a graph is carried out.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many actions may use a core at the same time. Each of them may run as many jobs itself, since most spend much
    /// of their time with one.
    pub slots: usize,
    /// How many fetches may run at the same time, beside those.
    pub fetches: usize,
    /// How much memory the running actions may need together, by their estimates.
    pub memory_bytes: u64,
    /// Whether to go on with what does not depend on a failed action.
    pub keep_going: bool,
    /// Actions that run whatever is recorded.
    pub force: BTreeSet<NodeId>,
    /// The time as seconds since 1970, for the records of the store.
    pub unix_time: u64,
}

/// Asks a run to end: the first request lets what runs finish, the second one stops it.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    pub(crate) drain: CancellationToken,
    pub(crate) force: CancellationToken,
}

impl Cancel {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the end once more. A program calls this on every Ctrl-C.
    pub fn request(&self) {
        if self.drain.is_cancelled() {
            self.force.cancel();
        } else {
            self.drain.cancel();
        }
    }
}

/// A run that delivered all that was wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The outputs of each wanted action.
    pub outputs: BTreeMap<NodeId, Outputs>,
    /// What happened.
    pub report: Report,
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The actions that ran to their end, in the order of their ends.
    pub built: Vec<NodeId>,
    /// The actions that the plan found fresh.
    pub cached: Vec<NodeId>,
    /// The actions that turned out to be fresh after what they need was rebuilt.
    pub cut_off: Vec<NodeId>,
    /// The actions that failed.
    pub failures: Vec<Failure>,
    /// The actions that did not come to run or to their end.
    pub skipped: Vec<NodeId>,
    /// When each action ran, those that failed included.
    pub timeline: Vec<Span>,
    /// How long the run took.
    pub seconds: f64,
}

impl Report {
    pub(crate) fn empty() -> Self {
        Self {
            built: Vec::new(),
            cached: Vec::new(),
            cut_off: Vec::new(),
            failures: Vec::new(),
            skipped: Vec::new(),
            timeline: Vec::new(),
            seconds: 0.0,
        }
    }

    pub(crate) fn event(&self, end: RunEnd) -> Event {
        Event::RunFinished {
            end,
            built: self.built.len(),
            cached: self.cached.len(),
            cut_off: self.cut_off.len(),
            failed: self.failures.len(),
            skipped: self.skipped.len(),
            seconds: self.seconds,
        }
    }
}

/// An action that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The action.
    pub id: NodeId,
    /// The error with all its causes, in one line.
    pub error: String,
    /// Its log file, if it came so far.
    pub log: Option<Utf8PathBuf>,
    /// The end of its log.
    pub last_lines: Vec<String>,
}

/// Why a run did not deliver.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The request does not fit the graph.
    #[error("cannot plan the build")]
    Plan {
        /// The cause.
        #[source]
        source: GraphError,
    },
    /// What earlier builds left behind cannot be read.
    #[error("cannot look up earlier builds")]
    Survey {
        /// The cause.
        #[source]
        source: SurveyError,
    },
    /// The store cannot be locked.
    #[error("cannot lock the store")]
    Lock {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// Actions failed.
    #[error("{} failed", names(&report.failures))]
    Failed {
        /// What happened.
        report: Box<Report>,
    },
    /// The run was asked to end early.
    #[error("interrupted")]
    Interrupted {
        /// What happened, unless the run had not begun.
        report: Option<Box<Report>>,
    },
}

fn names(failures: &[Failure]) -> String {
    failures.iter().map(|failure| format!("`{}`", failure.id)).collect::<Vec<_>>().join(", ")
}

/// Brings the wanted actions up to date.
///
/// It waits for other runs on the same store, looks up what is there, plans, and runs what is stale. Every action that is
/// done is recorded at once, so that a killed run goes on where it was. The channel of events is unbounded: an event is
/// small and rare (no log goes through it), and a consumer that is slow must not hold the build up.
pub async fn run(
    graph: Arc<Graph>,
    wanted: &[NodeId],
    options: RunOptions,
    store: Arc<Store>,
    events: UnboundedSender<Event>,
    cancel: Cancel,
) -> Result<Outcome, BuildError> {
    let _lock = lock(&store, &events, &cancel).await?;
    let states = NodeStates::of(&store);
    let plan = make_plan(&graph, wanted, &options, &store, &states).await?;
    let limits = Limits {
        slots: options.slots,
        fetches: options.fetches,
        memory_bytes: options.memory_bytes,
    };
    let mut owner = Owner::new(&graph, &plan, &options, limits, store, states, events, cancel);
    owner.work().await;
    let (end, outputs, report) = owner.finish();
    match end {
        RunEnd::Succeeded => Ok(Outcome { outputs, report }),
        RunEnd::Failed => Err(BuildError::Failed { report: Box::new(report) }),
        RunEnd::Interrupted => Err(BuildError::Interrupted { report: Some(Box::new(report)) }),
    }
}

async fn make_plan(
    graph: &Arc<Graph>,
    wanted: &[NodeId],
    options: &RunOptions,
    store: &Arc<Store>,
    states: &NodeStates,
) -> Result<Plan, BuildError> {
    let (graph, wanted, force) = (Arc::clone(graph), wanted.to_vec(), options.force.clone());
    let (store, states) = (Arc::clone(store), states.clone());
    let planned = spawn_blocking(move || {
        let inventory = survey(&graph, &wanted, &force, &store, &states)
            .map_err(|source| BuildError::Survey { source })?;
        plan(&graph, &wanted, &inventory).map_err(|source| BuildError::Plan { source })
    });
    match planned.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(BuildError::Interrupted { report: None }),
        },
    }
}

async fn lock(
    store: &Store,
    events: &UnboundedSender<Event>,
    cancel: &Cancel,
) -> Result<StoreLock, BuildError> {
    let mut told = None;
    loop {
        match store.try_lock(LOCK).map_err(|source| BuildError::Lock { source })? {
            LockAttempt::Acquired(lock) => return Ok(lock),
            LockAttempt::Held(holder) => {
                let holder = name(holder);
                if told.as_ref() != Some(&holder) {
                    events.send(Event::Waiting { holder: holder.clone() }).ok();
                    told = Some(holder);
                }
            }
        }
        tokio::select! {
            () = cancel.drain.cancelled() => return Err(BuildError::Interrupted { report: None }),
            () = sleep(LOCK_RETRY) => {}
        }
    }
}

/// A lock that was taken this very moment has no name in it yet.
fn name(holder: Option<Holder>) -> String {
    holder.map_or_else(
        || "another process".to_owned(),
        |holder| format!("process {}: {}", holder.pid, holder.command),
    )
}
