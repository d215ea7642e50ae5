//! Taking what another machine has built instead of building it: by the key of the action, so only what would come out the same.

use std::sync::Arc;

use futures::future::BoxFuture;
use slipway_build::{Action, Kind, Outputs, RunContext, RunError, Runner};
use slipway_store::Remote;

/// Makes the packages among actions look into an object store before they build. Whom to believe is decided by who may write there.
pub fn read_through(actions: Vec<Action>, remote: &Remote) -> Vec<Action> {
    let wrap = |action: Action| match action.kind {
        Kind::Package => {
            let runner = Arc::new(ReadThrough { remote: remote.clone(), inner: action.runner });
            Action { runner, ..action }
        }
        _ => action,
    };
    actions.into_iter().map(wrap).collect()
}

struct ReadThrough {
    remote: Remote,
    inner: Arc<dyn Runner>,
}

impl Runner for ReadThrough {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (remote, inner) = (self.remote.clone(), self.inner.clone());
        Box::pin(async move {
            match remote.fetch_record(&cx.store, &cx.key).await {
                Ok(Some(record)) => {
                    cx.log.line("taken from the host of binary packages").ok();
                    return Ok(record.outputs.into_iter().collect());
                }
                Ok(None) => {}
                // Whatever is wrong with the host, the package can be built.
                Err(error) => {
                    cx.log
                        .line(&format!("the host of binary packages does not help: {error}"))
                        .ok();
                }
            }
            inner.run(cx).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use camino::Utf8Path;
    use slipway_build::{Cancel, Graph, NodeId, RunOptions};
    use slipway_store::{Digest, Store};

    use super::*;

    /// Counts how often it had to build.
    struct Builds(Arc<AtomicUsize>);

    impl Runner for Builds {
        fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let digest = cx.store.put_bytes(b"built").unwrap();
            Box::pin(async move { Ok([("image".to_owned(), digest)].into()) })
        }
    }

    fn action(builds: &Arc<AtomicUsize>) -> Action {
        Action {
            id: NodeId::new("package:a/b-1".to_owned()).unwrap(),
            kind: Kind::Package,
            argv: vec!["a/b-1".to_owned()],
            env: Default::default(),
            inputs: Default::default(),
            outputs: ["image".to_owned()].into(),
            memory_bytes: 1,
            guess_seconds: None,
            runner: Arc::new(Builds(builds.clone())),
        }
    }

    /// Builds in a store of its own, and gives what came out.
    async fn build(dir: &Utf8Path, actions: Vec<Action>) -> (Arc<Store>, Digest) {
        let store = Arc::new(Store::open(dir).unwrap());
        let graph = Arc::new(Graph::new(actions).unwrap());
        let wanted: Vec<NodeId> = graph.iter().map(|action| action.id.clone()).collect();
        let options = RunOptions {
            slots: 1,
            fetches: 1,
            memory_bytes: 1 << 30,
            keep_going: false,
            force: Default::default(),
            unix_time: 0,
        };
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        let run = slipway_build::run(graph, &wanted, options, store.clone(), sender, Cancel::new());
        let digest = run.await.unwrap().outputs[&wanted[0]]["image"];
        (store, digest)
    }

    #[tokio::test]
    async fn what_another_machine_built_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap();
        let builds: Arc<AtomicUsize> = Arc::default();
        let (here, digest) = build(&path.join("here"), vec![action(&builds)]).await;
        let remote = Remote::local(&path.join("host")).unwrap();

        // Nothing is there, so it is built.
        build(&path.join("first"), read_through(vec![action(&builds)], &remote)).await;
        assert_eq!(builds.load(Ordering::SeqCst), 2);

        let key = action(&builds).key(&Default::default());
        remote.push_record(&here, &key, &here.lookup(&key).unwrap().unwrap()).await.unwrap();
        let there = read_through(vec![action(&builds)], &remote);
        let (store, taken) = build(&path.join("second"), there).await;
        assert_eq!((taken, builds.load(Ordering::SeqCst)), (digest, 2));
        assert!(store.has_blob(&digest));

        // What is damaged there is built here.
        let hex = digest.to_string();
        fs_err::write(path.join("host/blobs").join(&hex[..2]).join(&hex), "BUILT").unwrap();
        let there = read_through(vec![action(&builds)], &remote);
        let (_, built) = build(&path.join("third"), there).await;
        assert_eq!((built, builds.load(Ordering::SeqCst)), (digest, 3));
    }
}
