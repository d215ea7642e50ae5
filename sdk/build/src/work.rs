//! What runs beside the owner: looking one action up, and carrying one out. Each gets what it needs and sends back what
//! it found; none touches the state of the run.

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use camino::Utf8PathBuf;
use futures::FutureExt as _;
use slipway_store::{Digest, Key, Store, StoreError};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::action::Action;
use crate::cache::{self, Time};
use crate::log::{LogError, LogWriter};
use crate::reason::Reason;
use crate::runner::{Outputs, PhaseSender, RunContext, RunError};
use crate::state::{NodeState, NodeStates, StateError};

/// How much of the end of a log goes with a failure.
const LAST_LINES: usize = 20;

/// The result of a task beside the owner.
pub(crate) enum Done {
    Probed(Result<Probe, ActionError>),
    Ran(Result<Outputs, Box<RunFailure>>),
}

/// What is there for an action whose inputs are all known.
pub(crate) enum Probe {
    /// It is fresh.
    Hit(Outputs),
    /// It has to run, and can.
    Miss { key: Key, reason: Reason },
    /// It has to run, but these inputs are missing from the store or damaged.
    InputsLost(Vec<String>),
}

/// Why an action did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    #[error(transparent)]
    Run(RunError),
    #[error("panicked")]
    Panicked,
    #[error("the runner gave an output `{output}` that the action does not declare")]
    Undeclared { output: String },
    #[error("the runner did not give the declared output `{output}`")]
    NotGiven { output: String },
    #[error("the runner gave an output `{output}` that is not in the store")]
    NotStored { output: String },
    #[error("input `{input}` is missing from the store or damaged, and no action makes it")]
    SourceLost { input: String },
    #[error("input `{input}` is missing from the store or damaged again after it was rebuilt")]
    LostAgain { input: String },
    #[error(
        "the rebuilt output differs from the lost one, which other actions have used; run the build again"
    )]
    RebuiltDiffers,
    #[error("cannot ask the store")]
    Store(#[source] StoreError),
    #[error(transparent)]
    Log(LogError),
    #[error(transparent)]
    State(StateError),
}

/// A failed run with the end of its log.
pub(crate) struct RunFailure {
    pub(crate) error: ActionError,
    pub(crate) last_lines: Vec<String>,
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What there is to know for looking an action up.
pub(crate) struct ProbeJob {
    pub(crate) action: Arc<Action>,
    pub(crate) inputs: BTreeMap<String, Digest>,
    /// Set if it runs whatever is recorded.
    pub(crate) must_run: Option<Reason>,
    /// Whether its outputs themselves are asked for, so that their bytes have to be there.
    pub(crate) wanted: bool,
    pub(crate) store: Arc<Store>,
    pub(crate) states: NodeStates,
}

impl ProbeJob {
    pub(crate) async fn probe(self) -> Done {
        Done::Probed(spawn_blocking(|| self.look()).await.unwrap_or(Err(ActionError::Panicked)))
    }

    fn look(self) -> Result<Probe, ActionError> {
        let key = self.action.key(&self.inputs);
        let mut reason = self.must_run.clone();
        if reason.is_none()
            && let Some(outputs) =
                cache::lookup(&self.store, &self.action, &key).map_err(ActionError::Store)?
        {
            let lost = if self.wanted { self.lost(&outputs)?.into_iter().next() } else { None };
            let Some(output) = lost else { return self.hit(key, outputs) };
            reason = Some(Reason::OutputLost { output });
        }
        let lost = self.lost(&self.inputs)?;
        if !lost.is_empty() {
            return Ok(Probe::InputsLost(lost));
        }
        let reason = match reason {
            Some(reason) => reason,
            None => {
                Reason::changes(self.last()?.as_ref(), &self.action, key, &self.inputs).remove(0)
            }
        };
        Ok(Probe::Miss { key, reason })
    }

    /// The state of the node follows, so that the next reason tells the difference to now.
    fn hit(self, key: Key, outputs: Outputs) -> Result<Probe, ActionError> {
        if let Some(last) = self.last()?
            && last.key != key
        {
            let state =
                NodeState::new(&self.action, key, self.inputs, outputs.clone(), last.seconds);
            self.states.save(&self.action.id, &state).map_err(ActionError::State)?;
        }
        Ok(Probe::Hit(outputs))
    }

    fn last(&self) -> Result<Option<NodeState>, ActionError> {
        self.states.load(&self.action.id).map_err(ActionError::State)
    }

    fn lost(&self, digests: &BTreeMap<String, Digest>) -> Result<Vec<String>, ActionError> {
        cache::lost(&self.store, digests).map_err(ActionError::Store)
    }
}

/// What there is to know for carrying an action out.
pub(crate) struct RunJob {
    pub(crate) action: Arc<Action>,
    pub(crate) key: Key,
    pub(crate) inputs: BTreeMap<String, Digest>,
    pub(crate) store: Arc<Store>,
    pub(crate) states: NodeStates,
    pub(crate) logs: Utf8PathBuf,
    pub(crate) jobs: usize,
    /// When the run began, as seconds since 1970. Good enough to tell old records from new ones.
    pub(crate) unix_time: u64,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: PhaseSender,
}

impl RunJob {
    pub(crate) async fn run(self) -> Done {
        let log = match LogWriter::create(&self.logs, &self.action.id) {
            Ok(log) => log,
            Err(error) => {
                let error = ActionError::Log(error);
                return Done::Ran(Err(Box::new(RunFailure { error, last_lines: Vec::new() })));
            }
        };
        let result = self.carry_out(log.clone()).await;
        // A log that cannot be read must not hide the failure that it would explain.
        let failure = |error| RunFailure {
            error,
            last_lines: log.last_lines(LAST_LINES).unwrap_or_default(),
        };
        Done::Ran(result.map_err(|error| Box::new(failure(error))))
    }

    async fn carry_out(self, log: LogWriter) -> Result<Outputs, ActionError> {
        let begin = Instant::now();
        let context = RunContext {
            action: Arc::clone(&self.action),
            key: self.key,
            inputs: self.inputs.clone(),
            store: Arc::clone(&self.store),
            log,
            cancel: self.cancel.clone(),
            jobs: self.jobs,
            progress: self.progress.clone(),
        };
        let action = Arc::clone(&self.action);
        // A runner may panic before its future exists, too.
        let running =
            AssertUnwindSafe(async move { action.runner.run(context).await }).catch_unwind();
        let outputs =
            running.await.map_err(|_panic| ActionError::Panicked)?.map_err(ActionError::Run)?;
        let seconds = begin.elapsed().as_secs_f64();
        let recorded = spawn_blocking(move || self.record(outputs, seconds));
        recorded.await.unwrap_or(Err(ActionError::Panicked))
    }

    /// From here on the action is done, whatever becomes of the run.
    fn record(self, outputs: Outputs, seconds: f64) -> Result<Outputs, ActionError> {
        if let Some(output) = outputs.keys().find(|name| !self.action.outputs.contains(*name)) {
            return Err(ActionError::Undeclared { output: output.clone() });
        }
        if let Some(output) = self.action.outputs.iter().find(|name| !outputs.contains_key(*name)) {
            return Err(ActionError::NotGiven { output: output.clone() });
        }
        let lost = cache::lost(&self.store, &outputs).map_err(ActionError::Store)?;
        if let Some(output) = lost.into_iter().next() {
            return Err(ActionError::NotStored { output });
        }
        let time = Time { unix_time: self.unix_time, seconds };
        cache::record(&self.store, &self.key, &self.action, &self.inputs, &outputs, &time)
            .map_err(ActionError::Store)?;
        let state = NodeState::new(&self.action, self.key, self.inputs, outputs.clone(), seconds);
        self.states.save(&self.action.id, &state).map_err(ActionError::State)?;
        Ok(outputs)
    }
}
