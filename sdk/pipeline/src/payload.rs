//! Making the payloads of a release: the whole system, and what differs from releases before it. Each is applied once it is
//! made, and what comes out is compared with what went in.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use slipway_build::{Action, Input, Kind, NodeId, Outputs, RunContext, RunError, Runner};
use slipway_packages_manifest::Version;
use slipway_payload::{
    Base, Level, NoBase, Old, Section, System, apply, verity::Verity, write_delta, write_full,
};
use slipway_store::{Digest, Ingest};

use crate::{
    ImageNodes, PipelineError,
    package::{blob, blocking},
    planner::node,
    shared::WorkDir,
};

/// The output that is the payload.
pub const PAYLOAD: &str = "payload";
/// The output that says what it is: a [`PayloadNote`] as JSON.
pub const PAYLOAD_NOTE: &str = "note.json";

/// The names of inputs.
const USR: &str = "usr";
const UKI: &str = "uki";
const ROOT_HASH: &str = "roothash";
const OLD_USR: &str = "old-usr";
const OLD_UKI: &str = "old-uki";

/// Goes into the key: raise it when the same images shall give other bytes.
const FORM: &str = "1";

/// A system that payloads are made for.
#[derive(Clone, Debug)]
pub struct PayloadSystem {
    /// The architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// The image of `/usr`.
    pub usr: Input,
    /// The unified kernel image.
    pub uki: Input,
    /// The root hash of `/usr`, as the UKI has it.
    pub root_hash: Input,
}

impl PayloadSystem {
    /// What an image of this graph installs.
    pub fn of_image(arch: &str, version: Version, nodes: &ImageNodes) -> Self {
        let output = |node: &NodeId, output: &str| Input::Output {
            node: node.clone(),
            output: output.to_owned(),
        };
        Self {
            arch: arch.to_owned(),
            version,
            usr: output(&nodes.usr, "usr.erofs"),
            uki: output(&nodes.uki, "slipway.efi"),
            root_hash: output(&nodes.usr, "roothash"),
        }
    }
}

/// A system that a delta is applied to. Its images are in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadBase {
    /// Its version.
    pub version: Version,
    /// The image of `/usr`.
    pub usr: Digest,
    /// The unified kernel image.
    pub uki: Digest,
}

/// What is to be known of a payload, beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadNote {
    /// The digest of its head.
    pub head: slipway_payload::Digest,
    /// The root hash of the `/usr` that it installs.
    pub usr_root_hash: slipway_payload::Digest,
    /// The root hash of the `/usr` that it is applied to.
    pub base_usr_root_hash: Option<slipway_payload::Digest>,
    /// Its length in bytes.
    pub length: u64,
}

/// The action that makes a payload: a whole one, or one for machines that have `base`. Its work folder is made in `work`.
///
/// # Errors
/// When the name is too long.
pub fn payload_action(
    name: &str,
    new: &PayloadSystem,
    base: Option<&PayloadBase>,
    work: &Utf8Path,
) -> Result<Action, PipelineError> {
    let mut argv = vec![FORM.to_owned(), new.arch.clone(), new.version.to_string()];
    let mut inputs = BTreeMap::from([
        (USR.to_owned(), new.usr.clone()),
        (UKI.to_owned(), new.uki.clone()),
        (ROOT_HASH.to_owned(), new.root_hash.clone()),
    ]);
    let id = match base {
        None => node(Kind::Payload.as_str(), &format!("{name}-full"))?,
        Some(base) => {
            argv.push(base.version.to_string());
            inputs.insert(OLD_USR.to_owned(), Input::Digest(base.usr));
            inputs.insert(OLD_UKI.to_owned(), Input::Digest(base.uki));
            node(Kind::Payload.as_str(), &format!("{name}-from-{}", base.version))?
        }
    };
    Ok(Action {
        id,
        kind: Kind::Payload,
        argv,
        env: BTreeMap::new(),
        inputs,
        outputs: [PAYLOAD, PAYLOAD_NOTE].map(str::to_owned).into(),
        // The packed frames, and the windows of the compressor.
        memory_bytes: 1 << 30,
        guess_seconds: None,
        runner: Arc::new(PayloadRunner {
            arch: new.arch.clone(),
            version: new.version,
            base: base.map(|base| base.version),
            work: work.to_owned(),
        }),
    })
}

struct PayloadRunner {
    arch: String,
    version: Version,
    base: Option<Version>,
    /// Where its work folder is made.
    work: Utf8PathBuf,
}

impl Runner for PayloadRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (arch, version, base) = (self.arch.clone(), self.version, self.base);
        let work = self.work.clone();
        Box::pin(async move {
            blocking("make the payload", move || make(&cx, &work, &arch, version, base)).await
        })
    }
}

type Images = System<fs_err::File>;

fn open(cx: &RunContext, input: &str) -> Result<fs_err::File, RunError> {
    fs_err::File::open(blob(cx, input)?).map_err(failed)
}

fn system(cx: &RunContext, version: Version, (usr, uki): (&str, &str)) -> Result<Images, RunError> {
    let verity = Verity::of_slipway();
    Ok(System { version, usr: open(cx, usr)?, uki: open(cx, uki)?, verity })
}

fn make(
    cx: &RunContext,
    work: &Utf8Path,
    arch: &str,
    version: Version,
    base: Option<Version>,
) -> Result<Outputs, RunError> {
    let work = WorkDir::create(work, &format!("payload-{}", cx.key)).map_err(failed)?;
    let path = work.path().join(PAYLOAD);
    let mut out = io::BufWriter::new(fs_err::File::create(&path).map_err(failed)?);
    let mut new = system(cx, version, (USR, UKI))?;
    let written = match base {
        None => write_full(arch, &mut new, Level::FULL, &mut out),
        Some(base) => {
            let mut old = system(cx, base, (OLD_USR, OLD_UKI))?;
            write_delta(arch, &mut old, &mut new, Level::DELTA, &mut out)
        }
    };
    let written = written.map_err(|error| RunError::failed("write the payload", error))?;
    out.flush().map_err(failed)?;
    let root_hash = fs_err::read_to_string(blob(cx, ROOT_HASH)?).map_err(failed)?;
    if root_hash.trim() != written.usr_root_hash.to_string() {
        let problem =
            format!("`/usr` has the root hash {}, not {root_hash}", written.usr_root_hash);
        return Err(RunError::failed("compare the root hash", io::Error::other(problem)));
    }
    let note = PayloadNote {
        head: written.head,
        usr_root_hash: written.usr_root_hash,
        base_usr_root_hash: written.base_usr_root_hash,
        length: written.length,
    };
    let delta = if base.is_some() { Delta::Yes } else { Delta::No };
    verify(cx, &path, &note, delta)?;
    let note = serde_json::to_vec_pretty(&note)
        .map_err(|error| RunError::failed("describe the payload", error))?;
    let store = |error| RunError::failed("store the payload", error);
    let payload = cx.store.put_file(&path, Ingest::Move).map_err(store)?;
    let note = cx.store.put_bytes(&note).map_err(store)?;
    Ok([(PAYLOAD.to_owned(), payload), (PAYLOAD_NOTE.to_owned(), note)].into())
}

/// Applies the payload as a client does: what comes out must be the very images that went in.
fn verify(
    cx: &RunContext,
    path: &Utf8Path,
    note: &PayloadNote,
    delta: Delta,
) -> Result<(), RunError> {
    let wrong = |error| RunError::failed("apply the payload", error);
    let mut old: Box<dyn Base> = match delta {
        Delta::No => Box::new(NoBase),
        Delta::Yes => Box::new(Old { usr: open(cx, OLD_USR)?, uki: open(cx, OLD_UKI)? }),
    };
    let payload = io::BufReader::new(fs_err::File::open(path).map_err(failed)?);
    let applied = apply(payload, Some(&note.head), &mut *old, io::sink(), io::sink());
    let head = applied.map_err(|error| RunError::failed("apply the payload", error))?.head;
    for (section, input) in [(Section::Usr, USR), (Section::Uki, UKI)] {
        let found = head.file(section).sha256.to_string();
        let wanted = cx.inputs.get(input).map(ToString::to_string).unwrap_or_default();
        if found != wanted {
            let problem = format!("it installs {found} as {input} instead of {wanted}");
            return Err(wrong(io::Error::other(problem)));
        }
    }
    Ok(())
}

/// Whether a payload needs an old system.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delta {
    No,
    Yes,
}

fn failed(error: io::Error) -> RunError {
    RunError::failed("make the payload", error)
}

#[cfg(test)]
mod tests {
    use slipway_build::{Cancel, Graph, Outcome, RunOptions};
    use slipway_payload::verity::TreeBuilder;
    use slipway_store::Store;

    use super::*;

    /// A store with two systems of which the second differs a little.
    struct World {
        dir: tempfile::TempDir,
        store: Arc<Store>,
        systems: Vec<(Digest, Digest, Digest)>,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = Utf8Path::from_path(dir.path()).unwrap();
            let store = Arc::new(Store::open(&path.join("store")).unwrap());
            let mut usr: Vec<u8> = noise(7).take(2 << 20).collect();
            let mut systems = Vec::new();
            for version in 0..2_u8 {
                usr[1 << 20..][..8].fill(version);
                let mut tree = TreeBuilder::new(&Verity::of_slipway());
                tree.update(&usr);
                let root_hash = tree.finish().unwrap().root_hash().to_string();
                let put = |bytes: &[u8]| store.put_bytes(bytes).unwrap();
                let uki: Vec<u8> = noise(u64::from(version)).take(9999).collect();
                systems.push((put(&usr), put(&uki), put(root_hash.as_bytes())));
            }
            Self { dir, store, systems }
        }

        fn new_system(&self) -> PayloadSystem {
            let (usr, uki, root_hash) = self.systems[1];
            PayloadSystem {
                arch: "amd64".to_owned(),
                version: "4.1.0".parse().unwrap(),
                usr: Input::Digest(usr),
                uki: Input::Digest(uki),
                root_hash: Input::Digest(root_hash),
            }
        }

        fn base(&self) -> PayloadBase {
            let (usr, uki, _) = self.systems[0];
            PayloadBase { version: "4.0.0".parse().unwrap(), usr, uki }
        }

        fn work(&self) -> Utf8PathBuf {
            Utf8Path::from_path(self.dir.path()).unwrap().join("work")
        }

        async fn run(&self, actions: Vec<Action>) -> Result<Outcome, slipway_build::BuildError> {
            let wanted: Vec<NodeId> = actions.iter().map(|action| action.id.clone()).collect();
            let graph = Arc::new(Graph::new(actions).unwrap());
            let options = RunOptions {
                slots: 1,
                fetches: 1,
                memory_bytes: 4 << 30,
                keep_going: false,
                force: Default::default(),
                unix_time: 0,
            };
            let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
            let store = self.store.clone();
            slipway_build::run(graph, &wanted, options, store, sender, Cancel::new()).await
        }
    }

    /// Bytes that do not compress (a linear congruential generator).
    fn noise(seed: u64) -> impl Iterator<Item = u8> {
        let next = |state: &u64| {
            Some(state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407))
        };
        std::iter::successors(Some(seed), next).map(|state| (state >> 56) as u8)
    }

    #[tokio::test]
    async fn payloads_are_made_and_small_where_little_differs() {
        let world = World::new();
        let new = world.new_system();
        let full = payload_action("image", &new, None, &world.work()).unwrap();
        let delta = payload_action("image", &new, Some(&world.base()), &world.work()).unwrap();
        assert_eq!(full.id.as_str(), "payload:image-full");
        assert_eq!(delta.id.as_str(), "payload:image-from-4.0.0");
        let (full_id, delta_id) = (full.id.clone(), delta.id.clone());
        let outcome = world.run(vec![full, delta]).await.unwrap();
        let note = |id: &NodeId| -> PayloadNote {
            let outputs = &outcome.outputs[id];
            let file = |name: &str| world.store.blob(&outputs[name]).unwrap().unwrap();
            let note: PayloadNote =
                serde_json::from_slice(&fs_err::read(file(PAYLOAD_NOTE)).unwrap()).unwrap();
            assert_eq!(fs_err::metadata(file(PAYLOAD)).unwrap().len(), note.length);
            note
        };
        let (full, delta) = (note(&full_id), note(&delta_id));
        assert!(full.length > 2 << 20, "{full:?}");
        assert!(delta.length < 100_000, "{delta:?}");
        assert_eq!(full.base_usr_root_hash, None);
        let (_, _, old) = world.systems[0];
        let old = fs_err::read_to_string(world.store.blob(&old).unwrap().unwrap()).unwrap();
        assert_eq!(delta.base_usr_root_hash.unwrap().to_string(), old);
        assert_eq!(fs_err::read_dir(world.work()).unwrap().count(), 0, "it leaves nothing");
    }

    #[tokio::test]
    async fn a_root_hash_of_another_system_is_refused() {
        let world = World::new();
        let other = Input::Digest(world.systems[0].2);
        let new = PayloadSystem { root_hash: other, ..world.new_system() };
        let action = payload_action("image", &new, None, &world.work()).unwrap();
        assert!(world.run(vec![action]).await.is_err());
    }

    /// What is in the key: the images and versions, not where the work is done.
    #[test]
    fn the_key_is_that_of_the_systems() {
        let world = World::new();
        let key = |base: Option<&PayloadBase>, work: &str| {
            let action =
                payload_action("image", &world.new_system(), base, Utf8Path::new(work)).unwrap();
            let inputs = action.inputs.iter().map(|(name, input)| match input {
                Input::Digest(digest) => (name.clone(), *digest),
                Input::Output { .. } => unreachable!("all are known here"),
            });
            action.key(&inputs.collect())
        };
        let base = world.base();
        assert_eq!(key(None, "/a"), key(None, "/b"));
        assert_ne!(key(None, "/a"), key(Some(&base), "/a"));
        let later = PayloadBase { version: "4.0.1".parse().unwrap(), ..base.clone() };
        assert_ne!(key(Some(&base), "/a"), key(Some(&later), "/a"));
    }
}
