//! Tests of fetching crates, with a shell script in the place of cargo.

use std::collections::BTreeMap;

use slipway_build::{Action, BuildError, Kind, NodeId, Outcome};
use slipway_store::Store;

use super::*;

struct World {
    _dir: tempfile::TempDir,
    dir: Utf8PathBuf,
    store: Arc<Store>,
}

fn wanted(name: &str, bytes: &str) -> RegistryCrate {
    RegistryCrate {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        sha256: Digest::of_bytes(bytes.as_bytes()),
    }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let store = Arc::new(Store::open(&path.join("store")).unwrap());
        fs_err::create_dir_all(path.join("registry/cache")).unwrap();
        Self { _dir: dir, dir: path, store }
    }

    /// A crate in the cache of a registry.
    fn place(&self, registry: &str, name: &str, bytes: &str) {
        let dir = self.dir.join("registry/cache").join(registry);
        fs_err::create_dir_all(&dir).unwrap();
        fs_err::write(dir.join(format!("{name}-1.0.0.crate")), bytes).unwrap();
    }

    /// Fetches crates with a cargo that writes its arguments down and then runs a script.
    async fn fetch(&self, crates: &[RegistryCrate], script: &str) -> Result<Outcome, BuildError> {
        // `sh fetch …` in the workspace's folder runs this script.
        let text = format!("echo \"$@\" >> calls\n{script}\n");
        fs_err::write(self.dir.join("fetch"), text).unwrap();
        let cargo = Cargo::new("/bin/sh".into(), self.dir.clone(), self.dir.clone());
        let shared = Arc::new(crate::testing::shared(&self.dir, cargo));
        let action = |wanted: &RegistryCrate| Action {
            id: NodeId::new(wanted.file_name()).unwrap(),
            kind: Kind::Fetch,
            argv: vec![wanted.sha256.to_string()],
            env: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: ["file".to_owned()].into(),
            memory_bytes: 1,
            guess_seconds: None,
            runner: Arc::new(CrateRunner { wanted: wanted.clone(), shared: shared.clone() }),
        };
        crate::testing::run(&self.store, crates.iter().map(action).collect()).await
    }

    fn calls(&self) -> Vec<String> {
        let text = fs_err::read_to_string(self.dir.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_cargo_has_is_taken_without_asking_it() {
    let world = World::new();
    world.place("a", "serde", "wrong");
    world.place("b", "serde", "right");
    let crates = [wanted("serde", "right")];
    let outcome = world.fetch(&crates, "exit 1").await.unwrap();
    let outputs = outcome.outputs.values().next().unwrap();
    assert_eq!(outputs["file"], crates[0].sha256);
    assert!(world.store.has_blob(&crates[0].sha256));
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn cargo_is_asked_once_for_all_that_is_lacking() {
    let world = World::new();
    let script = "mkdir -p registry/cache/x\nfor name in a b c; do printf $name > registry/cache/x/$name-1.0.0.crate; done";
    let crates = [wanted("a", "a"), wanted("b", "b"), wanted("c", "c")];
    world.fetch(&crates, script).await.unwrap();
    assert!(crates.iter().all(|wanted| world.store.has_blob(&wanted.sha256)));
    let manifest = world.dir.join("Cargo.toml");
    assert_eq!(world.calls(), [format!("--locked --manifest-path {manifest}")]);
}

#[tokio::test]
async fn other_bytes_than_those_of_the_lock_file_are_not_taken() {
    #[track_caller]
    fn check(result: Result<Outcome, BuildError>, expected: &str) {
        let Err(BuildError::Failed { report }) = result else { panic!("{result:?}") };
        assert!(report.failures[0].error.contains(expected), "{:?}", report.failures);
    }
    let world = World::new();
    world.place("x", "a", "other");
    let crates = [wanted("a", "a")];
    check(world.fetch(&crates, "exit 0").await, "left no `a-1.0.0.crate` with the digest");
    check(
        world.fetch(&crates, "echo offline >&2; exit 101").await,
        "`cargo fetch --locked` failed",
    );
    assert!(!world.store.has_blob(&crates[0].sha256));
}
