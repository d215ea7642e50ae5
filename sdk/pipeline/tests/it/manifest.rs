//! Manifests are written from what servers give.
#![allow(clippy::unwrap_used, reason = "tests")]

use camino::{Utf8Path, Utf8PathBuf};
use slipway_pipeline::{ManifestChange, Network, PipelineError, update_manifest};
use slipway_portage::{Overlay, PackageSources, Source};

use crate::server::{Answer, serve};

const FIRST: &str = "the first bytes\n";
/// Digests by coreutils.
const FIRST_LINE: &str = "DIST a-1.tar 16 BLAKE2B 2e4e412aece610a4afa2e9fa9942b38a81611eecf1a9bb31d61a54cb23297517b4a7beac7da87e22dd6858e79607efcfdaa7cd69c8beb092cfb11295dc0ad7af SHA512 33c89720f690c33e5ea2784f34a1f577a78e2da3aa6d85cf5179da9224311d64035fb9f65f5b7e61d7002ab27d5f72762a681975f3f1040c75f5d43c943ad578\n";

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        fs_err::create_dir_all(world.manifest().parent().unwrap()).unwrap();
        world
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.dir.path()).unwrap()
    }

    fn manifest(&self) -> Utf8PathBuf {
        self.path().join("overlay/app-misc/a/Manifest")
    }

    /// The text of the Manifest, empty when there is none.
    fn text(&self) -> String {
        if self.manifest().exists() {
            fs_err::read_to_string(self.manifest()).unwrap()
        } else {
            String::new()
        }
    }

    async fn update(
        &self,
        debian: Option<&str>,
        files: &[(&str, &[&str])],
    ) -> Result<Vec<ManifestChange>, PipelineError> {
        let files = files.iter().map(|(name, uris)| Source {
            name: (*name).to_owned(),
            uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        });
        let package = PackageSources { name: "app-misc/a".to_owned(), files: files.collect() };
        let network = Network { debian: debian.map(str::to_owned), ca_bundle: None };
        let overlay = Overlay::new(self.path().join("overlay"));
        let work = self.path().join("work");
        let changes = update_manifest(&overlay, &package, &network, &work).await;
        // Nothing is left behind.
        assert_eq!(work.read_dir_utf8().map_or(0, Iterator::count), 0);
        changes
    }
}

fn added(name: &str, size: u64, url: &str) -> ManifestChange {
    ManifestChange::Added { name: name.to_owned(), size, url: url.to_owned() }
}

#[tokio::test]
async fn a_source_comes_from_the_first_address_that_has_it() {
    let server = serve([("/a-1.tar", Answer::Whole(FIRST))]).await;
    let world = World::new();
    let (gone, there) = (format!("{server}/gone/a-1.tar"), format!("{server}/a-1.tar"));
    let changes = world.update(None, &[("a-1.tar", &[&gone, &there])]).await.unwrap();
    assert_eq!(changes, [added("a-1.tar", 16, &there)]);
    assert_eq!(world.text(), FIRST_LINE);
}

#[tokio::test]
async fn debian_sources_come_from_the_hosts_mirror() {
    let server = serve([
        ("/debian/pool/a_1.tar", Answer::Whole(FIRST)),
        ("/debian-security/pool/a_1-2%2Bdeb13u1.tar", Answer::Whole("a patch")),
    ])
    .await;
    let world = World::new();
    let files: &[(&str, &[&str])] = &[
        ("a-1.tar", &["mirror://debian/pool/a_1.tar"]),
        ("patches.tar", &["mirror://debian/pool/a_1-2+deb13u1.tar"]),
    ];
    let changes = world.update(Some(&format!("{server}/debian/")), files).await.unwrap();
    assert_eq!(
        changes,
        [
            added("a-1.tar", 16, &format!("{server}/debian/pool/a_1.tar")),
            added("patches.tar", 7, &format!("{server}/debian-security/pool/a_1-2%2Bdeb13u1.tar")),
        ]
    );
    assert!(world.text().starts_with(FIRST_LINE));
    let error = World::new().update(None, files).await.unwrap_err().to_string();
    assert!(error.contains("no Debian mirror is known"), "{error}");
}

#[tokio::test]
async fn what_is_known_is_not_downloaded_again_and_what_is_not_used_goes() {
    let world = World::new();
    let old = FIRST_LINE.replace("a-1.tar", "a-0.tar");
    fs_err::write(world.manifest(), format!("{old}{FIRST_LINE}")).unwrap();
    let nowhere: &[(&str, &[&str])] = &[("a-1.tar", &["http://127.0.0.1:1/a-1.tar"])];
    let changes = world.update(None, nowhere).await.unwrap();
    assert_eq!(changes, [ManifestChange::Dropped { name: "a-0.tar".to_owned() }]);
    assert_eq!(world.text(), FIRST_LINE);
    assert_eq!(world.update(None, nowhere).await.unwrap(), []);
    // A package without sources has no Manifest.
    world.update(None, &[]).await.unwrap();
    assert!(!world.manifest().exists());
}

#[tokio::test]
async fn a_failure_writes_nothing() {
    let server = serve([
        ("/a-1.tar", Answer::Whole(FIRST)),
        ("/half.tar", Answer::Truncated(FIRST)),
        ("/empty.tar", Answer::Whole("")),
    ])
    .await;
    for (name, reason) in [
        ("half.tar", "the download failed"),
        ("empty.tar", "it is empty"),
        ("gone.tar", "the server answered 404 Not Found"),
    ] {
        let world = World::new();
        let (good, bad) = (format!("{server}/a-1.tar"), format!("{server}/{name}"));
        let error =
            world.update(None, &[("a-1.tar", &[&good]), (name, &[&bad])]).await.unwrap_err();
        let start = format!("`{name}` cannot be had from any of its addresses: {bad}: {reason}");
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!(world.text(), "");
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_one_is_not_replaced() {
    let world = World::new();
    fs_err::write(world.manifest(), "AUX x 1\n").unwrap();
    let error = world.update(None, &[]).await.unwrap_err();
    let PipelineError::Portage { source } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("Manifest`, line 1"), "{source}");
    assert_eq!(world.text(), "AUX x 1\n");
}
