//! `Runner`: what carries an action out, and what it is given.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use futures::future::BoxFuture;
use slipway_store::{Digest, Key, Store};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::action::Action;
use crate::log::LogWriter;
use crate::node::NodeId;

/// The digest of each output, by name.
pub type Outputs = BTreeMap<String, Digest>;

/// Carries an action out.
///
/// A runner takes its parameters from the action (argument vector, environment, inputs) and nothing from elsewhere that
/// could change the result. It puts its outputs into the store before it returns their digests.
pub trait Runner: Send + Sync {
    /// Runs the action. When `cx.cancel` fires, it should stop soon and return [`RunError::Cancelled`].
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>>;
}

/// What a runner is given.
#[derive(Clone)]
pub struct RunContext {
    /// The action to carry out.
    pub action: Arc<Action>,
    /// Its key, for names of scratch folders.
    pub key: Key,
    /// The digest of each of its inputs, by name.
    pub inputs: BTreeMap<String, Digest>,
    /// Where inputs are read from and outputs are put.
    pub store: Arc<Store>,
    /// The log file of this run of the action.
    pub log: LogWriter,
    /// Fires when the action is to be stopped by force.
    pub cancel: CancellationToken,
    /// How many jobs the action may run at the same time itself (as in `make --jobs`).
    pub jobs: usize,
    /// Tells which phase the action is in.
    pub progress: PhaseSender,
}

/// Why a runner did not deliver.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The process ended with an error of its own, which stands in the log.
    #[error("exited with status {status}")]
    Exit {
        /// The exit status.
        status: i32,
    },
    /// The bytes of an input are missing from the store or damaged. The scheduler rebuilds the action that makes them
    /// and runs this one again.
    #[error("input `{input}` is missing from the store or damaged")]
    InputLost {
        /// The name of the input.
        input: String,
    },
    /// Stopped because `cancel` fired.
    #[error("cancelled")]
    Cancelled,
    /// Something around the action failed.
    #[error("cannot {operation}")]
    Failed {
        /// What failed, as an infinitive: `start the container`.
        operation: String,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RunError {
    /// Wraps the failure of an operation, given as an infinitive: `start the container`.
    pub fn failed(
        operation: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { operation: operation.into(), source: source.into() }
    }
}

/// Tells which phase an action is in, as a short text such as `compile`. Cloneable; never blocks.
#[derive(Clone, Debug)]
pub struct PhaseSender {
    id: NodeId,
    sender: UnboundedSender<(NodeId, String)>,
}

impl PhaseSender {
    /// A sender on behalf of the action `id`.
    pub fn new(id: NodeId, sender: UnboundedSender<(NodeId, String)>) -> Self {
        Self { id, sender }
    }

    /// Tells that a phase began.
    pub fn phase(&self, text: impl Into<String>) {
        // The receiver lives as long as the run. When it is gone, nobody wants to know.
        self.sender.send((self.id.clone(), text.into())).ok();
    }
}
