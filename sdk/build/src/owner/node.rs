//! What the owner knows of one action, and the states that it goes through.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use slipway_store::{Digest, Key};

use crate::action::Action;
use crate::event::How;
use crate::graph::Graph;
use crate::node::NodeId;
use crate::plan::{Plan, State, Step};
use crate::queue::Permit;
use crate::reason::Reason;
use crate::runner::Outputs;

pub(super) struct Node {
    pub(super) action: Arc<Action>,
    pub(super) step: Step,
    /// By place in the list of nodes; only those that the run is about.
    pub(super) dependents: Vec<usize>,
    /// Set if it runs whatever is recorded.
    pub(super) must_run: Option<Reason>,
    /// What came out before its bytes were lost.
    pub(super) previous: Option<Outputs>,
    /// Whether it had to give way once since an input was lost.
    pub(super) postponed: bool,
    pub(super) progress: Progress,
}

pub(super) enum Progress {
    Waiting,
    Probing,
    Ready { key: Key, inputs: BTreeMap<String, Digest>, reason: Reason },
    Running { permit: Permit, start: f64, log: Utf8PathBuf },
    Settled { outputs: Outputs, how: How },
    Failed,
    Stopped,
    Skipped,
}

impl Node {
    pub(super) fn outputs(&self) -> Option<&Outputs> {
        match &self.progress {
            Progress::Settled { outputs, .. } => Some(outputs),
            _ => None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.progress, Progress::Waiting)
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.progress, Progress::Ready { .. })
    }
}

/// One node per step of the plan, in its order; what is fresh is settled.
pub(super) fn nodes(graph: &Graph, plan: &Plan) -> Vec<Node> {
    let index: BTreeMap<&NodeId, usize> =
        plan.steps.iter().enumerate().map(|(index, step)| (&step.id, index)).collect();
    let mut nodes: Vec<Node> = plan
        .steps
        .iter()
        .map(|step| Node {
            action: Arc::clone(
                graph.get(&step.id).expect("a plan is made of the actions of its graph"),
            ),
            step: step.clone(),
            dependents: Vec::new(),
            must_run: must_run(&step.state),
            previous: None,
            postponed: false,
            progress: match &step.state {
                State::Fresh { outputs, .. } => {
                    Progress::Settled { outputs: outputs.clone(), how: How::Cached }
                }
                State::Stale { .. } | State::Unknown { .. } => Progress::Waiting,
            },
        })
        .collect();
    for place in 0..nodes.len() {
        for need in &plan.steps[place].needs {
            nodes[index[need]].dependents.push(place);
        }
    }
    nodes
}

/// A record is no reason not to run if its bytes are lost or the user wants a run.
fn must_run(state: &State) -> Option<Reason> {
    match state {
        State::Stale { reason: reason @ (Reason::Forced | Reason::OutputLost { .. }), .. } => {
            Some(reason.clone())
        }
        _ => None,
    }
}
