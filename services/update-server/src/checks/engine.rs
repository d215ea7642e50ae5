//! The task that writes: takes what waits, does it in one transaction, answers when that is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{Ask, Outcome, batch};
use crate::{
    clock::Clock,
    ids::{AppId, GroupId},
    store::{Store, StoreError},
};

/// How many requests are one transaction at most.
const BATCH: usize = 256;

/// How many requests may wait. More are refused at once: a client that is told to come again later is better off than one
/// that waits for its own time-out.
const QUEUE: usize = 8192;

/// Takes requests of machines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    sender: mpsc::Sender<Job>,
    counts: Arc<Counts>,
}

/// What the engine did so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Transactions.
    pub batches: AtomicU64,
    /// Requests in them.
    pub requests: AtomicU64,
    /// Updates granted.
    pub grants: AtomicU64,
    /// Requests that the database failed.
    pub failures: AtomicU64,
    /// Requests refused because too many waited.
    pub refused: AtomicU64,
    /// Groups that stopped by themselves.
    pub stops: AtomicU64,
}

/// Why a machine gets no answer now. It asks again later.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Too many requests wait.
    #[error("too many requests wait; ask again later")]
    Busy,
    /// The server ends.
    #[error("the server is about to end; ask again later")]
    Ending,
    /// The database failed; nothing of the request was kept.
    #[error("the request could not be kept")]
    Store {
        /// What the store says. It is shared by all requests of the batch.
        source: Arc<StoreError>,
    },
}

/// A group stopped by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StopNotice {
    /// Which application.
    pub app: AppId,
    /// Which group.
    pub group: GroupId,
    /// Which version failed.
    pub version: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

pub(super) struct Job {
    pub(super) asks: Vec<Ask>,
    answer: oneshot::Sender<Result<Vec<Outcome>, EngineError>>,
}

impl Engine {
    /// Starts the task. It ends when every clone of the engine is gone, and what waited is done.
    pub fn start(
        store: Store,
        clock: Clock,
        stops: mpsc::UnboundedSender<StopNotice>,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(run(store, clock, receiver, stops, Arc::clone(&counts)));
        (Self { sender, counts }, task)
    }

    /// Keeps what a request says, and decides what it gets; the answer is durable.
    ///
    /// # Errors
    /// When it was not kept; the machine may ask again.
    pub async fn ask(&self, asks: Vec<Ask>) -> Result<Vec<Outcome>, EngineError> {
        let (answer, answered) = oneshot::channel();
        self.sender.try_send(Job { asks, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                EngineError::Busy
            }
            mpsc::error::TrySendError::Closed(_) => EngineError::Ending,
        })?;
        answered.await.map_err(|_| EngineError::Ending)?
    }

    /// What it did so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

async fn run(
    store: Store,
    clock: Clock,
    mut receiver: mpsc::Receiver<Job>,
    stops: mpsc::UnboundedSender<StopNotice>,
    counts: Arc<Counts>,
) {
    let mut jobs = Vec::with_capacity(BATCH);
    // While one batch is written the next one gathers: the busier the server, the larger its transactions.
    while receiver.recv_many(&mut jobs, BATCH).await > 0 {
        // A requester that went away has not been told of any grant, and shall not hold one.
        jobs.retain(|job| !job.answer.is_closed());
        let asks: Vec<&[Ask]> = jobs.iter().map(|job| job.asks.as_slice()).collect();
        counts.batches.fetch_add(1, Ordering::Relaxed);
        counts.requests.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let mut done = batch::process(&store, &asks, clock.now()).await;
        if done.is_err() {
            // Two servers may have met at the same machine, or a connection broke: nothing was kept, so once more is safe.
            done = batch::process(&store, &asks, clock.now()).await;
        }
        match done {
            Ok(done) => {
                counts.grants.fetch_add(done.grants, Ordering::Relaxed);
                for notice in done.stops {
                    counts.stops.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more when the server ends; the activity has it.
                    let _sent = stops.send(notice);
                }
                for (job, outcomes) in jobs.drain(..).zip(done.outcomes) {
                    let _answered = job.answer.send(Ok(outcomes));
                }
            }
            Err(source) => {
                let source = Arc::new(source);
                tracing::error!(error = %crate::chain(&source), requests = jobs.len(), "cannot keep what machines say");
                counts.failures.fetch_add(jobs.len() as u64, Ordering::Relaxed);
                for job in jobs.drain(..) {
                    let _answered =
                        job.answer.send(Err(EngineError::Store { source: Arc::clone(&source) }));
                }
            }
        }
    }
}
