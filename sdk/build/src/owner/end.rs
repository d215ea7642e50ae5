//! How a run comes to its end: requested, forced, or since all is done.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{Event, RunEnd};
use crate::node::NodeId;
use crate::run::Report;
use crate::runner::Outputs;

use super::Owner;
use super::node::{Node, Progress};

/// How long a runner may take to stop once it was told to.
const GRACE: Duration = Duration::from_secs(10);

impl Owner {
    pub(super) fn stop(&mut self, index: usize, start: f64) {
        self.record_span(index, start);
        self.nodes[index].progress = Progress::Stopped;
        let id = self.nodes[index].action.id.clone();
        self.emit(Event::Stopped { id, start, end: self.now() });
    }

    fn running(&self) -> Vec<NodeId> {
        let running =
            self.nodes.iter().filter(|node| matches!(node.progress, Progress::Running { .. }));
        running.map(|node| node.action.id.clone()).collect()
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.emit(Event::Draining { running: self.running() });
    }

    /// The tokens of the runners are children of the one that fired.
    pub(super) fn force(&mut self) {
        self.draining = true;
        self.deadline = Some(Instant::now() + GRACE);
        self.emit(Event::Forcing { running: self.running() });
    }

    /// Ends what did not stop when it was told to.
    pub(super) async fn give_up(&mut self) {
        self.tasks.shutdown().await;
        for index in 0..self.nodes.len() {
            if matches!(self.nodes[index].progress, Progress::Running { .. }) {
                let (start, _log) = self.stopped_running(index);
                self.stop(index, start);
            }
        }
    }

    /// How it ended, the outputs of what was wanted, and what happened.
    pub(crate) fn finish(mut self) -> (RunEnd, BTreeMap<NodeId, Outputs>, Report) {
        let wanted = self.wanted.iter();
        let outputs: BTreeMap<NodeId, Outputs> = wanted
            .filter_map(|id| Some((id.clone(), self.nodes[self.index[id]].outputs()?.clone())))
            .collect();
        let end = if !self.report.failures.is_empty() {
            RunEnd::Failed
        } else if outputs.len() == self.wanted.len() {
            RunEnd::Succeeded
        } else {
            RunEnd::Interrupted
        };
        let is_open =
            |node: &&Node| node.outputs().is_none() && !matches!(node.progress, Progress::Failed);
        self.report.skipped =
            self.nodes.iter().filter(is_open).map(|node| node.action.id.clone()).collect();
        self.report.seconds = self.now();
        self.emit(self.report.event(end));
        (end, outputs, self.report)
    }
}
