//! `Plan`: what a run would do and why, made without any I/O from what was looked up before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use slipway_store::{Digest, Key};

use crate::action::{Action, Input, Kind};
use crate::event::Counts;
use crate::graph::{Graph, GraphError};
use crate::node::NodeId;
use crate::reason::Reason;
use crate::runner::Outputs;
use crate::state::NodeState;

/// What earlier builds left behind, as far as a plan needs it, and what the user forces.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// What came out of the actions with these keys.
    pub records: BTreeMap<Key, Outputs>,
    /// The last run of these actions: for reasons and estimates.
    pub last: BTreeMap<NodeId, NodeState>,
    /// Actions that have a record, but whose named output is missing from the store or damaged.
    pub lost: BTreeMap<NodeId, String>,
    /// Actions that are to run whatever is recorded.
    pub forced: BTreeSet<NodeId>,
}

/// What a run would do: one step per action that is wanted or needed, dependencies before dependents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What was asked for.
    pub wanted: Vec<NodeId>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// What a plan says of one action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The action.
    pub id: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// The actions whose outputs it takes.
    pub needs: Vec<NodeId>,
    /// Whether it has to run.
    pub state: State,
    /// How long it may run in seconds; nothing for a fresh one.
    pub estimate_seconds: f64,
}

/// Whether an action has to run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// No: its outputs are recorded.
    Fresh {
        /// Its key.
        key: Key,
        /// Its outputs.
        outputs: Outputs,
    },
    /// Yes.
    Stale {
        /// Why.
        reason: Reason,
        /// What else changed.
        more: Vec<Reason>,
    },
    /// That shows when the actions that it waits for have run: its key depends on what comes out of them.
    Unknown {
        /// The actions among its needs that are not fresh.
        waits_for: Vec<NodeId>,
    },
}

/// Makes the plan for the wanted actions.
pub fn plan(graph: &Graph, wanted: &[NodeId], inventory: &Inventory) -> Result<Plan, GraphError> {
    let mut known: BTreeMap<NodeId, Outputs> = BTreeMap::new();
    let mut steps = Vec::new();
    for action in graph.closure(wanted)? {
        let state = judge(&action, &known, inventory);
        let fresh = if let State::Fresh { outputs, .. } = &state {
            known.insert(action.id.clone(), outputs.clone());
            true
        } else {
            false
        };
        steps.push(Step {
            id: action.id.clone(),
            kind: action.kind,
            needs: action.dependencies().into_iter().cloned().collect(),
            state,
            estimate_seconds: if fresh { 0.0 } else { estimate(&action, inventory) },
        });
    }
    Ok(Plan { wanted: wanted.to_vec(), steps })
}

fn judge(action: &Action, known: &BTreeMap<NodeId, Outputs>, inventory: &Inventory) -> State {
    if inventory.forced.contains(&action.id) {
        return State::Stale { reason: Reason::Forced, more: Vec::new() };
    }
    let Some(inputs) = resolve(action, known) else {
        let open = action.dependencies().into_iter().filter(|id| !known.contains_key(*id));
        return State::Unknown { waits_for: open.cloned().collect() };
    };
    if let Some(output) = inventory.lost.get(&action.id) {
        return State::Stale {
            reason: Reason::OutputLost { output: output.clone() },
            more: Vec::new(),
        };
    }
    let key = action.key(&inputs);
    if let Some(outputs) = inventory.records.get(&key) {
        return State::Fresh { key, outputs: outputs.clone() };
    }
    let mut changes = Reason::changes(inventory.last.get(&action.id), action, key, &inputs);
    let reason = changes.remove(0);
    State::Stale { reason, more: changes }
}

/// The digest of each input, if all are known.
pub(crate) fn resolve(
    action: &Action,
    known: &BTreeMap<NodeId, Outputs>,
) -> Option<BTreeMap<String, Digest>> {
    let digest = |input: &Input| match input {
        Input::Digest(digest) => Some(*digest),
        Input::Output { node, output } => known.get(node)?.get(output).copied(),
    };
    action.inputs.iter().map(|(name, input)| Some((name.clone(), digest(input)?))).collect()
}

fn estimate(action: &Action, inventory: &Inventory) -> f64 {
    let last = inventory.last.get(&action.id).map(|last| last.seconds);
    last.or(action.guess_seconds).unwrap_or_else(|| action.kind.default_seconds())
}

impl Plan {
    /// The step of an action.
    pub fn step(&self, id: &NodeId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// How many steps are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in &self.steps {
            match step.state {
                State::Fresh { .. } => counts.fresh += 1,
                State::Stale { .. } => counts.stale += 1,
                State::Unknown { .. } => counts.unknown += 1,
            }
        }
        counts
    }

    /// Whether nothing has to run.
    pub fn is_fresh(&self) -> bool {
        self.steps.iter().all(Step::is_fresh)
    }

    /// How long a run may take on so many cores, if everything unknown has to run: as long as the longest chain, or as
    /// the work shared out among the cores.
    pub fn estimate_seconds(&self, slots: usize) -> f64 {
        bound(
            self.steps.iter().map(|step| (step, step.estimate_seconds)),
            slots,
            &self.longest_paths(),
        )
    }

    /// For each action, how long it and the longest chain of what comes after it may take.
    pub(crate) fn longest_paths(&self) -> BTreeMap<NodeId, f64> {
        let mut paths: BTreeMap<NodeId, f64> = BTreeMap::new();
        let mut after: BTreeMap<&NodeId, f64> = BTreeMap::new();
        for step in self.steps.iter().rev() {
            let path = step.estimate_seconds + after.get(&step.id).copied().unwrap_or(0.0);
            for need in &step.needs {
                let longest = after.entry(need).or_insert(0.0);
                *longest = longest.max(path);
            }
            paths.insert(step.id.clone(), path);
        }
        paths
    }

    /// The fresh steps whose bytes somebody will read: what was asked for, and what an action that may run needs.
    pub(crate) fn relied_on(&self) -> impl Iterator<Item = &Step> {
        let mut ids: BTreeSet<&NodeId> = self.wanted.iter().collect();
        ids.extend(self.steps.iter().filter(|step| !step.is_fresh()).flat_map(|step| &step.needs));
        self.steps.iter().filter(move |step| step.is_fresh() && ids.contains(&step.id))
    }
}

/// The time that the given rest of the steps needs at least, which is close to what it needs with few cores.
pub(crate) fn bound<'a>(
    rest: impl Iterator<Item = (&'a Step, f64)>,
    slots: usize,
    paths: &BTreeMap<NodeId, f64>,
) -> f64 {
    let (mut work, mut longest) = (0.0_f64, 0.0_f64);
    for (step, seconds) in rest {
        if !step.kind.is_fetch() {
            work += seconds;
        }
        let after = paths.get(&step.id).map_or(0.0, |path| path - step.estimate_seconds);
        longest = longest.max(seconds + after);
    }
    let slots = u32::try_from(slots.max(1)).unwrap_or(u32::MAX);
    longest.max(work / f64::from(slots))
}

impl Step {
    /// Whether it need not run.
    pub fn is_fresh(&self) -> bool {
        matches!(self.state, State::Fresh { .. })
    }
}

/// One line per step.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Fresh { .. } => write!(f, "fresh    {}", self.id),
            State::Stale { reason, more } => {
                write!(f, "stale    {}: {reason}", self.id)?;
                more.iter().try_for_each(|reason| write!(f, "; {reason}"))
            }
            State::Unknown { waits_for } => {
                let names: Vec<&str> = waits_for.iter().map(NodeId::as_str).collect();
                write!(f, "unknown  {}: waits for {}", self.id, names.join(", "))
            }
        }
    }
}
