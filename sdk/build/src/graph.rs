//! `Graph`: a checked set of actions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Action, Input};
use crate::node::NodeId;

/// A set of actions without duplicates, dangling references or cycles.
#[derive(Clone, Debug)]
pub struct Graph {
    actions: BTreeMap<NodeId, Arc<Action>>,
    /// Dependencies before dependents; independent actions by name.
    order: Vec<NodeId>,
    dependents: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

/// Why a set of actions is not a graph, or a request not one for this graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two actions have the same name.
    #[error("two actions are named `{id}`")]
    DuplicateId {
        /// The name.
        id: NodeId,
    },
    /// An input comes from an action that does not exist.
    #[error("input `{input}` of `{id}` comes from `{node}`, which does not exist")]
    UnknownNode {
        /// The action with the input.
        id: NodeId,
        /// The name of the input.
        input: String,
        /// The action that does not exist.
        node: NodeId,
    },
    /// An input is an output that its action does not have.
    #[error("input `{input}` of `{id}` is output `{output}` of `{node}`, which has no such output")]
    UnknownOutput {
        /// The action with the input.
        id: NodeId,
        /// The name of the input.
        input: String,
        /// The action that lacks the output.
        node: NodeId,
        /// The output that does not exist.
        output: String,
    },
    /// Actions wait for each other.
    #[error("actions need each other: {}", join(path))]
    Cycle {
        /// Each needs the next one; the last is the first again.
        path: Vec<NodeId>,
    },
    /// An action was asked for that does not exist.
    #[error("there is no action `{id}`")]
    UnknownWanted {
        /// The name asked for.
        id: NodeId,
    },
}

fn join(path: &[NodeId]) -> String {
    path.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" -> ")
}

impl Graph {
    /// Checks the actions.
    pub fn new(actions: Vec<Action>) -> Result<Self, GraphError> {
        let mut by_id = BTreeMap::new();
        for action in actions {
            let id = action.id.clone();
            if by_id.insert(id.clone(), Arc::new(action)).is_some() {
                return Err(GraphError::DuplicateId { id });
            }
        }
        for action in by_id.values() {
            check_references(action, &by_id)?;
        }
        let dependents = dependents(&by_id);
        let order = order(&by_id, &dependents);
        if order.len() < by_id.len() {
            return Err(GraphError::Cycle { path: cycle(&by_id, &order) });
        }
        Ok(Self { actions: by_id, order, dependents })
    }

    /// The action of that name.
    pub fn get(&self, id: &NodeId) -> Option<&Arc<Action>> {
        self.actions.get(id)
    }

    /// Every action, dependencies before dependents.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Action>> {
        self.order.iter().map(|id| &self.actions[id])
    }

    /// The actions that take an output of this one.
    pub fn dependents(&self, id: &NodeId) -> impl Iterator<Item = &NodeId> {
        self.dependents.get(id).into_iter().flatten()
    }

    /// The number of actions.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is no action.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The wanted actions and all that they need, dependencies before dependents.
    pub fn closure(&self, wanted: &[NodeId]) -> Result<Vec<Arc<Action>>, GraphError> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<&NodeId> = wanted.iter().collect();
        while let Some(id) = open.pop() {
            let action =
                self.get(id).ok_or_else(|| GraphError::UnknownWanted { id: id.clone() })?;
            if needed.insert(&action.id) {
                open.extend(action.dependencies());
            }
        }
        Ok(self.iter().filter(|action| needed.contains(&action.id)).cloned().collect())
    }
}

fn check_references(
    action: &Action,
    all: &BTreeMap<NodeId, Arc<Action>>,
) -> Result<(), GraphError> {
    for (name, input) in &action.inputs {
        let Input::Output { node, output } = input else { continue };
        let (id, input, node) = (action.id.clone(), name.clone(), node.clone());
        let Some(from) = all.get(&node) else {
            return Err(GraphError::UnknownNode { id, input, node });
        };
        if !from.outputs.contains(output) {
            return Err(GraphError::UnknownOutput { id, input, node, output: output.clone() });
        }
    }
    Ok(())
}

fn dependents(all: &BTreeMap<NodeId, Arc<Action>>) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
    let mut dependents: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for action in all.values() {
        for dependency in action.dependencies() {
            dependents.entry(dependency.clone()).or_default().insert(action.id.clone());
        }
    }
    dependents
}

/// Kahn's algorithm, by name among the independent ones. What is in a cycle, or needs one, is left out.
fn order(
    all: &BTreeMap<NodeId, Arc<Action>>,
    dependents: &BTreeMap<NodeId, BTreeSet<NodeId>>,
) -> Vec<NodeId> {
    let mut missing: BTreeMap<&NodeId, usize> =
        all.values().map(|action| (&action.id, action.dependencies().len())).collect();
    let mut ready: BTreeSet<&NodeId> =
        missing.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::with_capacity(all.len());
    while let Some(id) = ready.pop_first() {
        order.push(id.clone());
        for dependent in dependents.get(id).into_iter().flatten() {
            let count = missing.get_mut(dependent).expect("every dependent is an action");
            *count -= 1;
            if *count == 0 {
                ready.insert(dependent);
            }
        }
    }
    order
}

/// A cycle among the actions that could not be ordered. Each of these has a dependency that could not be ordered
/// either, so walking along such dependencies must come to a place where it was before.
fn cycle(all: &BTreeMap<NodeId, Arc<Action>>, ordered: &[NodeId]) -> Vec<NodeId> {
    let ordered: BTreeSet<&NodeId> = ordered.iter().collect();
    let mut current =
        all.keys().find(|id| !ordered.contains(id)).expect("some action could not be ordered");
    let mut path: Vec<&NodeId> = Vec::new();
    loop {
        if let Some(start) = path.iter().position(|id| *id == current) {
            path.push(current);
            return path[start..].iter().map(|id| (*id).clone()).collect();
        }
        path.push(current);
        current = all[current]
            .dependencies()
            .into_iter()
            .find(|id| !ordered.contains(id))
            .expect("an action that could not be ordered has such a dependency");
    }
}
