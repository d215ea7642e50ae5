//! `Owner`: the one task that has the state of a run. Messages in, events out, no locks.
//!
//! ```text
//!             needs settled            miss              permit             outputs
//!   Waiting ----------------> Probing ------> Ready ---------------> Running ------> Settled
//!      ^                       |  |  hit                                |  |
//!      |                       |  +------------------------------------ | ------------^
//!      +-- bytes of an input --+--------------------------------------- +  +------> Failed, Stopped
//!          are lost
//! ```
//!
//! `Settled` goes back to `Waiting` when the bytes of an output that was found in the cache turn out to be lost.
//! `Skipped` is for what needs an action that failed. When in doubt, an action runs again: a rebuild costs time, a wrong
//! output costs trust.

mod end;
mod lost;
mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::Utf8PathBuf;
use slipway_store::{Digest, Key, Store};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::action::Input;
use crate::event::{Event, How, Span};
use crate::graph::Graph;
use crate::node::NodeId;
use crate::plan::{Plan, Step, bound};
use crate::queue::{Job, Limits, Permit, Queue};
use crate::reason::Reason;
use crate::run::{Cancel, Failure, Report, RunOptions};
use crate::runner::{Outputs, PhaseSender, RunError};
use crate::state::NodeStates;
use crate::work::{ActionError, Done, Probe, ProbeJob, RunFailure, RunJob, chain};

use node::{Node, Progress, nodes};

pub(crate) struct Owner {
    begin: Instant,
    options: RunOptions,
    store: Arc<Store>,
    states: NodeStates,
    events: UnboundedSender<Event>,
    cancel: Cancel,
    wanted: BTreeSet<NodeId>,
    nodes: Vec<Node>,
    index: BTreeMap<NodeId, usize>,
    paths: BTreeMap<NodeId, f64>,
    queue: Queue,
    tasks: JoinSet<(usize, Done)>,
    /// Kept beside its receiver, so that this never ends.
    phase_sender: UnboundedSender<(NodeId, String)>,
    phases: UnboundedReceiver<(NodeId, String)>,
    draining: bool,
    /// When runners that were told to stop are given up.
    deadline: Option<Instant>,
    total: usize,
    report: Report,
}

/// What the owner hears.
enum Message {
    Force,
    Drain,
    Phase(NodeId, String),
    Done(usize, Done),
    GraceIsOver,
}

impl Owner {
    #[expect(clippy::too_many_arguments, reason = "called once, by `run`, with what it was given")]
    pub(crate) fn new(
        graph: &Graph,
        plan: &Plan,
        options: &RunOptions,
        limits: Limits,
        store: Arc<Store>,
        states: NodeStates,
        events: UnboundedSender<Event>,
        cancel: Cancel,
    ) -> Self {
        let (phase_sender, phases) = unbounded_channel();
        let counts = plan.counts();
        let estimate_seconds = plan.estimate_seconds(options.slots);
        events.send(Event::PlanReady { counts, estimate_seconds }).ok();
        Self {
            begin: Instant::now(),
            options: options.clone(),
            store,
            states,
            events,
            cancel,
            wanted: plan.wanted.iter().cloned().collect(),
            nodes: nodes(graph, plan),
            index: plan
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| (step.id.clone(), index))
                .collect(),
            paths: plan.longest_paths(),
            queue: Queue::new(limits),
            tasks: JoinSet::new(),
            phase_sender,
            phases,
            draining: false,
            deadline: None,
            total: counts.stale + counts.unknown,
            report: Report::empty(),
        }
    }

    /// Works until nothing runs and nothing may start.
    pub(crate) async fn work(&mut self) {
        self.begin();
        loop {
            self.start_ready();
            if self.tasks.is_empty() {
                break;
            }
            match self.next().await {
                Message::Force => self.force(),
                Message::Drain => self.drain(),
                Message::Phase(id, phase) => {
                    let at = self.now();
                    self.emit(Event::Phase { id, phase, at });
                }
                Message::Done(index, Done::Probed(result)) => self.probed(index, result),
                Message::Done(index, Done::Ran(result)) => self.ran(index, result),
                Message::GraceIsOver => break,
            }
        }
        self.give_up().await;
    }

    /// Requests to end come first, so that nothing starts after one; phases come before the end of their action.
    async fn next(&mut self) -> Message {
        let deadline = self.deadline;
        let grace = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.force.cancelled(), if self.deadline.is_none() => Message::Force,
            () = self.cancel.drain.cancelled(), if !self.draining => Message::Drain,
            Some((id, phase)) = self.phases.recv() => Message::Phase(id, phase),
            Some(done) = self.tasks.join_next() => match done {
                Ok((index, done)) => Message::Done(index, done),
                // Tasks catch their panics, and are aborted only after this loop.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = grace => Message::GraceIsOver,
        }
    }

    fn begin(&mut self) {
        for index in 0..self.nodes.len() {
            if let Progress::Settled { how, .. } = self.nodes[index].progress {
                let at = self.now();
                self.finished(index, how, at);
            }
        }
        for index in 0..self.nodes.len() {
            self.probe_if_due(index);
        }
    }

    fn now(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    fn emit(&self, event: Event) {
        // Without a consumer the build goes on.
        self.events.send(event).ok();
    }

    /// Whether nothing new may start.
    fn is_ending(&self) -> bool {
        self.draining || (!self.options.keep_going && !self.report.failures.is_empty())
    }

    fn inputs(&self, index: usize) -> Option<BTreeMap<String, Digest>> {
        let digest = |input: &Input| match input {
            Input::Digest(digest) => Some(*digest),
            Input::Output { node, output } => {
                self.nodes[self.index[node]].outputs()?.get(output).copied()
            }
        };
        let inputs = &self.nodes[index].action.inputs;
        inputs.iter().map(|(name, input)| Some((name.clone(), digest(input)?))).collect()
    }

    /// Looks an action up once all that it needs is settled.
    fn probe_if_due(&mut self, index: usize) {
        if !self.nodes[index].is_waiting() || self.is_ending() {
            return;
        }
        let Some(inputs) = self.inputs(index) else { return };
        let node = &mut self.nodes[index];
        node.progress = Progress::Probing;
        let job = ProbeJob {
            action: Arc::clone(&node.action),
            inputs,
            must_run: node.must_run.clone(),
            wanted: self.wanted.contains(&node.action.id),
            store: Arc::clone(&self.store),
            states: self.states.clone(),
        };
        self.queue.expect(self.job(index));
        self.tasks.spawn(async move { (index, job.probe().await) });
    }

    fn job(&self, index: usize) -> Job {
        let action = &self.nodes[index].action;
        let path = self.paths.get(&action.id).copied().unwrap_or(0.0);
        Job::new(index, path, action.kind.is_fetch(), action.memory_bytes)
    }

    fn probed(&mut self, index: usize, result: Result<Probe, ActionError>) {
        self.queue.withdraw(self.job(index));
        match result {
            Ok(Probe::Hit(outputs)) => self.settle(index, outputs, How::CutOff, self.now()),
            Ok(Probe::Miss { key, reason }) => self.ready(index, key, reason),
            Ok(Probe::InputsLost(inputs)) => self.postpone(index, &inputs),
            Err(error) => self.fail(index, RunFailure { error, last_lines: Vec::new() }, None),
        }
    }

    fn ready(&mut self, index: usize, key: Key, reason: Reason) {
        let Some(inputs) = self.inputs(index) else {
            // What it needs was found lost while this was looked up.
            self.nodes[index].progress = Progress::Waiting;
            return;
        };
        self.nodes[index].progress = Progress::Ready { key, inputs, reason };
        self.queue.push(self.job(index));
    }

    fn start_ready(&mut self) {
        if self.is_ending() {
            return;
        }
        while let Some((job, permit)) = self.queue.start() {
            if self.nodes[job.index].is_ready() {
                self.start(job.index, permit);
            } else {
                self.queue.finish(permit);
            }
        }
    }

    fn start(&mut self, index: usize, permit: Permit) {
        let (start, logs) = (self.now(), self.store.root().join("logs"));
        let node = &mut self.nodes[index];
        let id = node.action.id.clone();
        let log = crate::log::path(&logs, &id);
        let running = Progress::Running { permit, start, log: log.clone() };
        let Progress::Ready { key, inputs, reason } =
            std::mem::replace(&mut node.progress, running)
        else {
            unreachable!("only ready actions are started");
        };
        let job = RunJob {
            action: Arc::clone(&node.action),
            key,
            inputs,
            store: Arc::clone(&self.store),
            states: self.states.clone(),
            logs,
            jobs: self.options.slots.max(1),
            unix_time: self.options.unix_time,
            cancel: self.cancel.force.child_token(),
            progress: PhaseSender::new(id.clone(), self.phase_sender.clone()),
        };
        let (kind, estimate_seconds) = (node.action.kind, node.step.estimate_seconds);
        self.emit(Event::Started { id, kind, reason, at: start, estimate_seconds, log });
        self.tasks.spawn(async move { (index, job.run().await) });
    }

    fn ran(&mut self, index: usize, result: Result<Outputs, Box<RunFailure>>) {
        let (start, log) = self.stopped_running(index);
        match result {
            Ok(outputs) => self.built(index, outputs, start, log),
            Err(failure) => match failure.error {
                ActionError::Run(RunError::InputLost { input }) => {
                    self.record_span(index, start);
                    self.postpone(index, &[input]);
                }
                ActionError::Run(RunError::Cancelled) if self.deadline.is_some() => {
                    self.stop(index, start);
                }
                _ => self.fail(index, *failure, Some((start, log))),
            },
        }
    }

    /// Gives the permit back. The caller puts the action into its next state.
    fn stopped_running(&mut self, index: usize) -> (f64, Utf8PathBuf) {
        match std::mem::replace(&mut self.nodes[index].progress, Progress::Waiting) {
            Progress::Running { permit, start, log } => {
                self.queue.finish(permit);
                (start, log)
            }
            _ => unreachable!("only running actions end"),
        }
    }

    fn built(&mut self, index: usize, outputs: Outputs, start: f64, log: Utf8PathBuf) {
        let node = &self.nodes[index];
        let differs = node.previous.as_ref().is_some_and(|previous| *previous != outputs);
        if differs && node.dependents.iter().any(|dependent| !self.nodes[*dependent].is_waiting()) {
            let failure = RunFailure { error: ActionError::RebuiltDiffers, last_lines: Vec::new() };
            return self.fail(index, failure, Some((start, log)));
        }
        self.record_span(index, start);
        self.settle(index, outputs, How::Built, start);
    }

    fn settle(&mut self, index: usize, outputs: Outputs, how: How, start: f64) {
        self.nodes[index].progress = Progress::Settled { outputs, how };
        self.finished(index, how, start);
        self.tell_progress();
        for dependent in self.nodes[index].dependents.clone() {
            self.probe_if_due(dependent);
        }
    }

    fn finished(&mut self, index: usize, how: How, start: f64) {
        let action = &self.nodes[index].action;
        let (id, kind, end) = (action.id.clone(), action.kind, self.now());
        let list = match how {
            How::Built => &mut self.report.built,
            How::Cached => &mut self.report.cached,
            How::CutOff => &mut self.report.cut_off,
        };
        list.push(id.clone());
        self.emit(Event::Finished { id, kind, how, start, end, seconds: end - start });
    }

    fn record_span(&mut self, index: usize, start: f64) {
        let (action, end) = (&self.nodes[index].action, self.now());
        self.report.timeline.push(Span { id: action.id.clone(), kind: action.kind, start, end });
    }

    fn tell_progress(&self) {
        let is_left = |node: &&Node| {
            matches!(
                node.progress,
                Progress::Waiting
                    | Progress::Probing
                    | Progress::Ready { .. }
                    | Progress::Running { .. }
            )
        };
        let now = self.now();
        let left: Vec<(&Step, f64)> = self
            .nodes
            .iter()
            .filter(is_left)
            .map(|node| match node.progress {
                Progress::Running { start, .. } => {
                    (&node.step, (node.step.estimate_seconds - (now - start)).max(0.0))
                }
                _ => (&node.step, node.step.estimate_seconds),
            })
            .collect();
        let done = self.total.saturating_sub(left.len());
        let remaining_seconds = bound(left.into_iter(), self.options.slots, &self.paths);
        self.emit(Event::Progress { done, total: self.total, remaining_seconds });
    }

    fn fail(&mut self, index: usize, failure: RunFailure, ran: Option<(f64, Utf8PathBuf)>) {
        let RunFailure { error, last_lines } = failure;
        let (error, end) = (chain(&error), self.now());
        let start = ran.as_ref().map_or(end, |(start, _)| *start);
        if ran.is_some() {
            self.record_span(index, start);
        }
        let log = ran.map(|(_, log)| log);
        let node = &mut self.nodes[index];
        node.progress = Progress::Failed;
        let (id, kind) = (node.action.id.clone(), node.action.kind);
        self.report.failures.push(Failure {
            id: id.clone(),
            error: error.clone(),
            log: log.clone(),
            last_lines: last_lines.clone(),
        });
        self.emit(Event::Failed { id, kind, start, end, error, log, last_lines });
        self.skip_dependents(index);
        self.tell_progress();
    }

    fn skip_dependents(&mut self, failed: usize) {
        let because = self.nodes[failed].action.id.clone();
        let mut open = self.nodes[failed].dependents.clone();
        while let Some(index) = open.pop() {
            let node = &mut self.nodes[index];
            if matches!(node.progress, Progress::Waiting | Progress::Ready { .. }) {
                node.progress = Progress::Skipped;
                open.extend(&node.dependents);
                let (id, because) = (node.action.id.clone(), because.clone());
                self.emit(Event::Skipped { id, because });
            }
        }
    }
}
