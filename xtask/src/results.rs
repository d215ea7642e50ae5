//! What came out of the actions of a graph.

use std::collections::BTreeMap;

use anyhow::Context as _;
use slipway_build::{NodeId, Outputs, Plan, State};
use slipway_store::{Digest, Key};

/// The outputs of actions, by the keys that they have in one graph. What the store remembers of the last run of an action tells
/// less: another work tree may have been built since, or this one may have gone back to what was built before.
pub(crate) struct Results(BTreeMap<NodeId, (Key, Outputs)>);

impl Results {
    /// Those that a plan found, which is all of them once it was carried out.
    pub(crate) fn of(plan: &Plan) -> Self {
        let found = plan.steps.iter().filter_map(|step| match &step.state {
            State::Fresh { key, outputs } => Some((step.id.clone(), (*key, outputs.clone()))),
            State::Stale { .. } | State::Unknown { .. } => None,
        });
        Self(found.collect())
    }

    /// Whether an action was carried out; what nothing needed was not.
    pub(crate) fn has(&self, id: &NodeId) -> bool {
        self.0.contains_key(id)
    }

    /// The key of an action.
    pub(crate) fn key(&self, id: &NodeId) -> anyhow::Result<Key> {
        Ok(self.find(id)?.0)
    }

    /// An output of an action.
    pub(crate) fn output(&self, id: &NodeId, name: &str) -> anyhow::Result<Digest> {
        let found = self.find(id)?.1.get(name).copied();
        found.with_context(|| format!("`{id}` left no {name}"))
    }

    fn find(&self, id: &NodeId) -> anyhow::Result<&(Key, Outputs)> {
        self.0.get(id).with_context(|| format!("`{id}` was not built"))
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::Pin, sync::Arc};

    use camino::Utf8Path;
    use slipway_build::{
        Action, Cancel, Graph, Kind, NodeStates, RunContext, RunError, RunOptions, Runner,
    };
    use slipway_store::Store;

    use super::*;

    /// Gives its first argument.
    struct Echo;

    impl Runner for Echo {
        fn run(
            &self,
            cx: RunContext,
        ) -> Pin<Box<dyn Future<Output = Result<Outputs, RunError>> + Send>> {
            let digest = cx.store.put_bytes(cx.action.argv[0].as_bytes()).unwrap();
            Box::pin(async move { Ok([("out".to_owned(), digest)].into()) })
        }
    }

    fn id() -> NodeId {
        NodeId::new("package:a/b-1".to_owned()).unwrap()
    }

    /// A tree in which the package is built from `text`.
    fn tree(text: &str) -> Arc<Graph> {
        let action = Action {
            id: id(),
            kind: Kind::Package,
            argv: vec![text.to_owned()],
            env: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: ["out".to_owned()].into(),
            memory_bytes: 1,
            guess_seconds: None,
            runner: Arc::new(Echo),
        };
        Arc::new(Graph::new(vec![action]).unwrap())
    }

    async fn build(store: &Arc<Store>, graph: &Arc<Graph>) {
        let options = RunOptions {
            slots: 1,
            fetches: 1,
            memory_bytes: 1 << 30,
            keep_going: false,
            force: Default::default(),
            unix_time: 0,
        };
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        let (graph, store) = (graph.clone(), store.clone());
        slipway_build::run(graph, &[id()], options, store, sender, Cancel::new()).await.unwrap();
    }

    #[tokio::test]
    async fn what_another_tree_made_is_not_taken_for_ours() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(Utf8Path::from_path(dir.path()).unwrap()).unwrap());
        let (ours, theirs) = (tree("ours"), tree("theirs"));
        build(&store, &ours).await;
        build(&store, &theirs).await;
        // Nothing is to be done, so nothing is remembered.
        build(&store, &ours).await;
        let states = NodeStates::of(&store);
        let last = states.load(&id()).unwrap().unwrap().outputs["out"];
        assert_eq!(last, Digest::of_bytes(b"theirs"));

        let inventory =
            slipway_build::survey(&ours, &[id()], &Default::default(), &store, &states).unwrap();
        let results = Results::of(&slipway_build::plan(&ours, &[id()], &inventory).unwrap());
        assert_eq!(results.output(&id(), "out").unwrap(), Digest::of_bytes(b"ours"));
        assert_eq!(
            results.key(&id()).unwrap(),
            tree("ours").iter().next().unwrap().key(&BTreeMap::new())
        );
        assert!(results.output(&id(), "other").is_err());
        assert!(results.has(&id()));
    }
}
