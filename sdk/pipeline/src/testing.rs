//! What tests of this crate share.

use std::sync::Arc;

use camino::Utf8Path;
use slipway_build::{Action, BuildError, Cancel, Graph, NodeId, Outcome, RunOptions};
use slipway_engine::{
    AutoConfig, ChildProgram, Choice, DockerConfig, DockerEndpoint, EmbeddedConfig, Keep, RootFs,
};
use slipway_portage::Target;
use slipway_store::Store;

use crate::{Cargo, EngineSource, Network, Shared};

/// What runners need, with an engine that is never started and the given cargo.
pub(crate) fn shared(dir: &Utf8Path, cargo: Cargo) -> Shared {
    let grace = std::time::Duration::ZERO;
    let (scratch_dir, child) = (dir.to_owned(), ChildProgram::CurrentExe);
    let docker = DockerConfig {
        endpoint: DockerEndpoint::Local,
        scratch_dir: scratch_dir.clone(),
        child: child.clone(),
        grace,
    };
    let config = AutoConfig { docker, embedded: EmbeddedConfig { scratch_dir, child, grace } };
    Shared {
        engine: Arc::new(EngineSource::new(Choice::Auto, config)),
        target: Target { sdk: RootFs { dir: "/sdk".into(), id: "sdk".into() }, epoch: 7 },
        work: dir.join("work"),
        network: Network::default(),
        cargo,
        keep: Keep::Never,
    }
}

/// Runs actions as a build does.
pub(crate) async fn run(store: &Arc<Store>, actions: Vec<Action>) -> Result<Outcome, BuildError> {
    let graph = Arc::new(Graph::new(actions).unwrap());
    let ids: Vec<NodeId> = graph.iter().map(|action| action.id.clone()).collect();
    let options = RunOptions {
        slots: 1,
        fetches: 4,
        memory_bytes: 1 << 30,
        keep_going: true,
        force: Default::default(),
        unix_time: 0,
    };
    let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
    slipway_build::run(graph, &ids, options, store.clone(), sender, Cancel::new()).await
}
