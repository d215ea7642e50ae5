//! Tests of plans: what is an input of what.

use camino::{Utf8Path, Utf8PathBuf};
use slipway_portage::parse_resolution;

use super::*;
use crate::Cargo;

/// A planner for this repository, with a store of its own.
struct World {
    _dir: tempfile::TempDir,
    project: Project,
    resolution: Resolution,
    shared: Arc<Shared>,
    store: Store,
    digests: FileDigests,
}

impl World {
    /// Everything that an image and its initrd name is resolved, to versions that no ebuild has.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let project = Project::load(&root).unwrap();
        let images = [project.image("minimal").unwrap(), project.image("initrd").unwrap()];
        let atoms: BTreeSet<_> =
            images.iter().flat_map(|image| &image.packages).map(Atom::as_str).collect();
        let cargo = Cargo::new("cargo".into(), path.clone(), path.clone());
        Self {
            resolution: resolution(&atoms.into_iter().collect::<Vec<_>>()),
            shared: Arc::new(crate::testing::shared(&path, cargo)),
            store: Store::open(&path.join("store")).unwrap(),
            digests: FileDigests::open(&path.join("digests")),
            project,
            _dir: dir,
        }
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            project: &self.project,
            resolution: &self.resolution,
            shared: &self.shared,
            store: &self.store,
            digests: &self.digests,
        }
    }
}

fn resolution(atoms: &[&str]) -> Resolution {
    let packages: Vec<_> = atoms
        .iter()
        .map(|atom| {
            format!(
                r#"{{"cpv":"{atom}-1","slot":"0","description":"","homepage":"","license":"","restrict":[],"use":[],"iuse":[],
                    "eclasses":["slipway-cargo"],"edges":{{"depend":[],"bdepend":[],"rdepend":[],"pdepend":[],"idepend":[]}},
                    "implicit":false,"distfiles":[]}}"#
            )
        })
        .collect();
    let requested: Vec<_> = atoms.iter().map(|atom| format!(r#""{atom}":"{atom}-1""#)).collect();
    let text = format!(
        r#"{{"packages":[{}],"requested":{{{}}}}}"#,
        packages.join(","),
        requested.join(",")
    );
    parse_resolution(text.as_bytes()).unwrap()
}

#[test]
fn whom_an_image_trusts_is_no_matter_of_its_packages_or_its_initrd() {
    let world = World::new();
    let image = world.project.image("minimal").unwrap();
    let plan = |trusted: Option<&str>| {
        let (actions, _) = world
            .planner()
            .image(&image, DiskFormat::Raw, Additions { trusted, programs: None })
            .unwrap();
        actions
            .into_iter()
            .map(|action| (action.id.to_string(), (action.argv, action.env, action.inputs)))
            .collect::<BTreeMap<_, _>>()
    };
    let (nobody, somebody) = (plan(None), plan(Some("{\"signed\":{}}")));
    let changed: Vec<_> = nobody.keys().filter(|id| nobody[*id] != somebody[*id]).collect();
    assert_eq!(changed, ["root:minimal"]);
    let argv = &somebody["root:minimal"].0;
    let at = argv.iter().position(|word| word == TRUSTED_ROOT).unwrap();
    assert_eq!(argv[at + 1], "{\"signed\":{}}");
}

#[test]
fn every_file_and_crate_of_a_component_is_an_input() {
    let world = World::new();
    let planner = world.planner();
    let resolution = resolution(&["slipway-base/store", "slipway-base/unknown"]);
    let packages: Vec<_> = resolution.packages().collect();
    let mut parts = crate::component::Parts::default();
    let part = parts.of(&planner, packages[0]).unwrap().unwrap();
    let inputs = planner.part_inputs(&part).unwrap();
    let Input::Digest(source) = &inputs["workspace/sdk/store/src/lib.rs"] else { panic!() };
    let path = world.project.root().join("sdk/store/src/lib.rs");
    assert_eq!(*source, Digest::of_file(&path).unwrap());
    let Input::Digest(lock) = &inputs["workspace/Cargo.lock"] else { panic!() };
    let text = fs_err::read_to_string(world.store.blob(lock).unwrap().unwrap()).unwrap();
    for wanted in &part.crates {
        let name = wanted.file_name();
        let Input::Output { node, output } = &inputs[&format!("crate/{name}")] else { panic!() };
        let fetch = planner.fetch_crate(wanted).unwrap();
        assert_eq!((node, output.as_str(), fetch.argv[0].as_str()), (&fetch.id, "file", &*name));
        assert!(text.contains(&wanted.sha256.to_string()), "{name}");
    }
    let error = parts.of(&planner, packages[1]).unwrap_err();
    assert!(error.to_string().contains("slipway-base/unknown-1"), "{error}");
}
