//! Tests of what a container finds of this repository.

use slipway_build::{Action, Input, Kind, NodeId};
use slipway_store::Digest;

use super::*;

/// Lays the source out as a package's action does, and gives the paths and texts of its files.
struct Listing(Arc<Shared>);

impl Runner for Listing {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let shared = self.0.clone();
        Box::pin(async move {
            let failed = |error: io::Error| RunError::failed("list the source", error);
            let work = WorkDir::create(&shared.work, "listing").map_err(failed)?;
            let text = match source(&work, &cx)? {
                None => "nothing".to_owned(),
                Some(dir) => listing(&dir, &dir).map_err(failed)?,
            };
            let digest = cx.store.put_bytes(text.as_bytes()).map_err(io::Error::other);
            Ok([("file".to_owned(), digest.map_err(failed)?)].into())
        })
    }
}

fn listing(root: &Utf8Path, dir: &Utf8Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for entry in dir.read_dir_utf8()? {
        let entry = entry?;
        let path = entry.path();
        lines.push(if entry.file_type()?.is_dir() {
            listing(root, path)?
        } else {
            let name = path.strip_prefix(root).unwrap_or(path);
            format!("{name}={}", fs_err::read_to_string(path)?)
        });
    }
    lines.sort();
    Ok(lines.join(" "))
}

#[tokio::test]
async fn a_container_finds_the_workspace_and_the_crates_and_nothing_else() {
    #[track_caller]
    fn text(store: &Store, digest: &Digest) -> String {
        fs_err::read_to_string(store.blob(digest).unwrap().unwrap()).unwrap()
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let store = Arc::new(Store::open(&dir.join("store")).unwrap());
    let cargo = crate::Cargo::new("cargo".into(), dir.clone(), dir.clone());
    let shared = Arc::new(crate::testing::shared(&dir, cargo));
    let action = |id: &str, inputs: &[(&str, &str)]| Action {
        id: NodeId::new(id).unwrap(),
        kind: Kind::Package,
        argv: Vec::new(),
        env: BTreeMap::new(),
        inputs: inputs
            .iter()
            .map(|(name, text)| {
                let digest = store.put_bytes(text.as_bytes()).unwrap();
                ((*name).to_owned(), Input::Digest(digest))
            })
            .collect(),
        outputs: ["file".to_owned()].into(),
        memory_bytes: 1,
        guess_seconds: None,
        runner: Arc::new(Listing(shared.clone())),
    };
    let check = async |inputs: &[(&str, &str)], expected: &str| {
        let outcome = crate::testing::run(&store, vec![action("a", inputs)]).await.unwrap();
        let outputs = outcome.outputs.values().next().unwrap();
        assert_eq!(text(&store, &outputs["file"]), expected);
    };
    check(
        &[
            ("crate/serde-1.0.0.crate", "archive"),
            ("recipe/slipway-base/agent/agent-0.ebuild", "EAPI=8"),
            ("sdk", "sdk"),
            ("workspace/Cargo.toml", "[workspace]"),
            ("workspace/agent/src/main.rs", "fn main() {}"),
        ],
        "crates/serde-1.0.0.crate=archive workspace/Cargo.toml=[workspace] workspace/agent/src/main.rs=fn main() {}",
    )
    .await;
    check(&[("recipe/a/b/b-0.ebuild", "EAPI=8"), ("sdk", "sdk")], "nothing").await;
}
