//! `survey`: looks up what earlier builds left behind, as far as a plan needs it.
//!
//! It is lazy in two ways. An action costs one read of a small record while everything before it is fresh; its last run is
//! read only if it may have to run. And bytes are only looked for where somebody will read them: of a fresh chain that is
//! its end.

use std::collections::{BTreeMap, BTreeSet};

use slipway_store::{Key, Store, StoreError};

use crate::action::Action;
use crate::cache;
use crate::graph::{Graph, GraphError};
use crate::node::NodeId;
use crate::plan::{Inventory, State, plan, resolve};
use crate::runner::Outputs;
use crate::state::{NodeStates, StateError};

/// Why earlier builds cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The request does not fit the graph.
    #[error("cannot look up what is not in the graph")]
    Graph {
        /// The cause.
        #[source]
        source: GraphError,
    },
    /// The record of an action cannot be read.
    #[error("cannot look up the record of `{id}`")]
    Record {
        /// The action.
        id: NodeId,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The outputs of an action cannot be looked for.
    #[error("cannot look for the outputs of `{id}`")]
    Outputs {
        /// The action.
        id: NodeId,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The last run of an action cannot be read.
    #[error("cannot look up the last run of an action")]
    State {
        /// The cause, which names it.
        #[source]
        source: StateError,
    },
}

/// Looks up what earlier builds left behind for the wanted actions and all that they need.
pub fn survey(
    graph: &Graph,
    wanted: &[NodeId],
    force: &BTreeSet<NodeId>,
    store: &Store,
    states: &NodeStates,
) -> Result<Inventory, SurveyError> {
    let mut survey = Survey {
        store,
        states,
        inventory: Inventory { forced: force.clone(), ..Inventory::default() },
    };
    survey.records(graph, wanted)?;
    survey.bytes(graph, wanted)?;
    Ok(survey.inventory)
}

struct Survey<'a> {
    store: &'a Store,
    states: &'a NodeStates,
    inventory: Inventory,
}

impl Survey<'_> {
    /// Computes keys and looks them up as long as all inputs are known.
    fn records(&mut self, graph: &Graph, wanted: &[NodeId]) -> Result<(), SurveyError> {
        let mut known: BTreeMap<NodeId, Outputs> = BTreeMap::new();
        for action in graph.closure(wanted).map_err(|source| SurveyError::Graph { source })? {
            if !self.inventory.forced.contains(&action.id)
                && let Some(inputs) = resolve(&action, &known)
                && let Some(outputs) = self.record(&action, action.key(&inputs))?
            {
                known.insert(action.id.clone(), outputs);
            } else {
                self.last_run(&action.id)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, action: &Action, key: Key) -> Result<Option<Outputs>, SurveyError> {
        let outputs = cache::lookup(self.store, action, &key)
            .map_err(|source| SurveyError::Record { id: action.id.clone(), source })?;
        if let Some(outputs) = &outputs {
            self.inventory.records.insert(key, outputs.clone());
        }
        Ok(outputs)
    }

    fn last_run(&mut self, id: &NodeId) -> Result<(), SurveyError> {
        let last = self.states.load(id).map_err(|source| SurveyError::State { source })?;
        if let Some(last) = last {
            self.inventory.last.insert(id.clone(), last);
        }
        Ok(())
    }

    /// Looks for the bytes that will be read. An action whose bytes are lost has to run, so that the bytes of what it
    /// needs will be read as well, and what comes after it is no longer known: hence the repetition.
    fn bytes(&mut self, graph: &Graph, wanted: &[NodeId]) -> Result<(), SurveyError> {
        let mut seen = BTreeSet::new();
        loop {
            let plan = plan(graph, wanted, &self.inventory)
                .map_err(|source| SurveyError::Graph { source })?;
            let before = self.inventory.lost.len();
            for step in plan.relied_on() {
                let State::Fresh { outputs, .. } = &step.state else { continue };
                if seen.insert(step.id.clone()) {
                    self.look_for(&step.id, outputs)?;
                }
            }
            if self.inventory.lost.len() == before {
                break;
            }
            self.last_runs(&plan)?;
        }
        Ok(())
    }

    fn look_for(&mut self, id: &NodeId, outputs: &Outputs) -> Result<(), SurveyError> {
        let lost = cache::lost(self.store, outputs)
            .map_err(|source| SurveyError::Outputs { id: id.clone(), source })?;
        if let Some(output) = lost.into_iter().next() {
            self.inventory.lost.insert(id.clone(), output);
        }
        Ok(())
    }

    /// Rare enough to read the last runs of all that was fresh, for the estimates.
    fn last_runs(&mut self, plan: &crate::plan::Plan) -> Result<(), SurveyError> {
        for step in plan.steps.iter().filter(|step| step.is_fresh()) {
            if !self.inventory.last.contains_key(&step.id) {
                self.last_run(&step.id)?;
            }
        }
        Ok(())
    }
}
