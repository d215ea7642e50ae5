//! Following another Omaha server: both are real, and so are the files.

mod signed;

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use slipway_update_server::{
    policy::Policy,
    store::{Application, Arch, Channel, Floor, Group, Origin, Package, Page, StoreError},
    syncer::{Feed, SyncSettings, Synced, sync, sync_often},
};
use tempfile::TempDir;

use crate::world::{Host, NEW, OLD, World, app, channel, group, package};

/// Another server with versions and their files, and one that follows it.
struct Pair {
    upstream: World,
    local: World,
    theirs: TempDir,
    ours: TempDir,
}

impl Pair {
    async fn new(payloads: &'static str) -> Self {
        Self::with(payloads, &[]).await
    }

    async fn with(payloads: &'static str, more: &[(&'static str, String)]) -> Self {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = |folder: &TempDir| ("packages", folder.path().to_str().unwrap().to_owned());
        let upstream = World::with(&[folder(&theirs)]).await;
        upstream.fleet(Policy::default()).await;
        let settings = [
            folder(&ours),
            ("sync-url", format!("{}/v1/update/", upstream.base)),
            ("sync-feeds", "stable/amd64".to_owned()),
            ("sync-payloads", payloads.to_owned()),
            ("sync-interval", "1".to_owned()),
        ];
        let local = World::with(&[&settings[..], more].concat()).await;
        let by = local.by();
        let row = Application {
            id: app(),
            product_id: None,
            label: "Flatcar".to_owned(),
            description: String::new(),
            created_at: by.at,
        };
        local.store().create_app(&by, &row).await.unwrap();
        Self { upstream, local, theirs, ours }
    }

    fn settings(&self) -> &SyncSettings {
        self.local.app.config.sync.as_ref().unwrap()
    }

    fn feed(&self) -> &Feed {
        &self.settings().feeds[0]
    }

    async fn sync(&self) -> Result<Synced, String> {
        let done = sync(&self.local.app, self.settings(), self.feed()).await;
        done.map_err(|error| slipway_update_server::chain(&error))
    }

    /// The upstream releases a version, with a file that it has.
    async fn release(&self, version: &str) -> Package {
        self.release_of(version, format!("the payload of {version}").repeat(10_000).as_bytes())
            .await
    }

    async fn release_of(&self, version: &str, content: &[u8]) -> Package {
        let package = self.with_file(package(version), content);
        self.upstream.store().create_package(&self.upstream.by(), &package).await.unwrap();
        self.point_upstream(&package).await;
        package
    }

    /// The upstream gives the same version with another file.
    async fn release_again(&self, package: &Package, content: &[u8]) {
        let other = self.with_file(package.clone(), content);
        let change = |package: &mut Package| {
            *package = other;
            Ok::<_, StoreError>(())
        };
        self.upstream
            .store()
            .change_package(&self.upstream.by(), &package.id, change)
            .await
            .unwrap();
    }

    fn with_file(&self, package: Package, content: &[u8]) -> Package {
        let file = format!("{}.gz", package.version);
        fs_err::write(self.theirs.path().join(&file), content).unwrap();
        Package {
            url: "packages/".to_owned(),
            file,
            size: content.len() as u64,
            sha1: STANDARD.encode(Sha1::digest(content)),
            sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
            ..package
        }
    }

    async fn point_upstream(&self, package: &Package) {
        let change = |channel: &mut Channel| {
            channel.package = Some(package.id.clone());
            Ok::<_, StoreError>(())
        };
        let store = self.upstream.store();
        store.change_channel(&self.upstream.by(), &channel(), change).await.unwrap();
    }

    async fn ours(&self) -> Option<Channel> {
        self.local.store().channel_by_label(&app(), "stable", Arch::Amd64).await.unwrap()
    }

    async fn packages(&self) -> Vec<Package> {
        let found = self.local.store().packages(&app(), None, Page::first(100)).await.unwrap();
        let mut items = found.items;
        items.sort_by(|one, other| one.version.cmp(&other.version));
        items
    }

    #[track_caller]
    fn refused(done: Result<Synced, String>, expected: &str) {
        let error = done.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

fn synced(packages: usize, moved: bool) -> Synced {
    Synced { packages, moved }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_follows_over_floors_and_gives_the_files_itself() {
    let pair = Pair::new("host").await;
    let floor = pair.release("4001.5.0").await;
    let store = pair.upstream.store();
    let of = Floor { channel: channel(), package: floor.id.clone(), reason: "boot".to_owned() };
    store.set_floor(&pair.upstream.by(), &of).await.unwrap();
    let target = pair.release("4002.0.0").await;
    assert_eq!(pair.sync().await, Ok(synced(2, true)));
    assert_eq!(pair.sync().await, Ok(synced(0, false)), "there is nothing new");

    let ours = pair.ours().await.unwrap();
    let packages = pair.packages().await;
    assert_eq!(ours.package.as_ref(), Some(&packages[1].id));
    let shape: Vec<_> = packages.iter().map(|one| (one.version.as_str(), one.origin)).collect();
    assert_eq!(shape, [("4001.5.0", Origin::Upstream), ("4002.0.0", Origin::Upstream)]);
    let floors = pair.local.store().floors(&ours.id).await.unwrap();
    assert_eq!((floors.len(), floors[0].reason.as_str()), (1, "boot"));
    assert_eq!(floors[0].package, packages[0].id);

    // A machine of ours gets the floor first, from here.
    let row = Group { channel: Some(ours.id), ..Group::new(app(), group(), "stable") };
    pair.local.store().create_group(&pair.local.by(), &row).await.unwrap();
    let answer = pair.local.say(&Host::new("one").check()).await;
    let check = answer.apps[0].update_check.clone().unwrap();
    assert_eq!(check.manifests[0].version, "4001.5.0");
    assert!(
        check.codebases[0].starts_with(&format!("{}/packages/4001.5.0-amd64-", pair.local.base))
    );
    let url = check.manifests[0].packages[0].url(&check.codebases[0]);
    let file = pair.local.client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::digest(&file).to_vec(), hex(&floor.sha256));

    let next = pair.release("4003.0.0").await;
    assert_eq!(pair.sync().await, Ok(synced(1, true)));
    assert_eq!(pair.packages().await[2].sha256, next.sha256);
    // The upstream goes back; who is ahead stays ahead.
    pair.point_upstream(&target).await;
    assert_eq!(pair.sync().await, Ok(synced(0, false)));
    assert_eq!(
        pair.upstream.store().count_instances(&Default::default()).await.unwrap(),
        0,
        "it counts for nothing there"
    );
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_what_it_should_be_is_not_kept() {
    let pair = Pair::new("host").await;
    let package = pair.release("4002.0.0").await;
    let path = pair.theirs.path().join(&package.file);
    let good = fs_err::read(&path).unwrap();
    let mut turned = good.clone();
    turned[1000] ^= 1;
    let longer = [&good[..], b"x"].concat();
    for (bytes, expected) in [
        (&turned[..], "`4002.0.0.gz` is not what the upstream says: its SHA-256 differs"),
        (&longer, "it is longer"),
        (&good[1..], "it has another length"),
    ] {
        fs_err::write(&path, bytes).unwrap();
        Pair::refused(pair.sync().await, expected);
        assert!(pair.packages().await.is_empty() && pair.ours().await.is_none());
        assert!(files(pair.ours.path()).is_empty(), "nothing is left of it");
    }
    fs_err::remove_file(&path).unwrap();
    Pair::refused(pair.sync().await, "the upstream answers 404");
    fs_err::write(&path, &good).unwrap();
    assert_eq!(pair.sync().await, Ok(synced(1, true)));
    assert_eq!(files(pair.ours.path()).len(), 1);
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_made_to_follow_follows() {
    let pair = Pair::new("link").await;
    assert_eq!(pair.sync().await, Ok(synced(1, true)));
    let packages = pair.packages().await;
    assert_eq!(packages[0].url, package(NEW).url, "machines fetch from where the upstream says");
    let store = pair.local.store();
    let (by, ours) = (pair.local.by(), pair.ours().await.unwrap());
    let release = |text: &'static str| {
        move |channel: &mut Channel| {
            channel.upstream = text.to_owned();
            Ok::<_, StoreError>(())
        }
    };
    store.change_channel(&by, &ours.id, release("")).await.unwrap();
    let newer = package("4002.0.0");
    pair.upstream.store().create_package(&pair.upstream.by(), &newer).await.unwrap();
    pair.point_upstream(&newer).await;
    Pair::refused(pair.sync().await, "`stable` was not made for this upstream");
    assert_eq!(pair.ours().await.unwrap().package, ours.package);

    // A version that somebody entered here as something else stays as it is, and the channel where it is.
    let text = pair.settings().url.to_string();
    let back = move |channel: &mut Channel| {
        channel.upstream = text;
        Ok::<_, StoreError>(())
    };
    store.change_channel(&by, &ours.id, back).await.unwrap();
    let other = Package { sha256: "0".repeat(64), ..newer.clone() };
    store.create_package(&by, &other).await.unwrap();
    Pair::refused(pair.sync().await, "`4002.0.0` is here already with another digest");
    assert_eq!(pair.ours().await.unwrap().package, ours.package);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_away_or_does_not_know_is_named() {
    let pair = Pair::new("link").await;
    let store = pair.upstream.store();
    store.delete_group(&pair.upstream.by(), &app(), &group()).await.unwrap();
    Pair::refused(pair.sync().await, "does not know the application or the track");
    let mut settings = pair.settings().clone();
    let feed = pair.feed().clone();
    let at = async |settings: &SyncSettings, feed: &Feed| {
        let done = sync(&pair.local.app, settings, feed).await;
        done.map_err(|error| slipway_update_server::chain(&error))
    };
    let unknown = Feed { app: "nowhere".parse().unwrap(), ..feed.clone() };
    Pair::refused(at(&settings, &unknown).await, "there is no application `nowhere`");
    settings.url = format!("{}/health", pair.upstream.base).parse().unwrap();
    Pair::refused(at(&settings, &feed).await, "the upstream answers 405");
    settings.url = "http://127.0.0.1:1/".parse().unwrap();
    Pair::refused(at(&settings, &feed).await, "the upstream does not answer");
    assert!(pair.packages().await.is_empty());
}

/// The task does it by itself, and goes on after an error.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_done_again_and_again() {
    let pair = Pair::new("link").await;
    let task = tokio::spawn(sync_often(pair.local.app.clone()));
    let until = async |version: &str| loop {
        let packages = pair.packages().await;
        if packages.last().is_some_and(|package| package.version == version) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    until(NEW).await;
    let newer = package("4002.0.0");
    pair.upstream.store().create_package(&pair.upstream.by(), &newer).await.unwrap();
    pair.point_upstream(&newer).await;
    until("4002.0.0").await;
    task.abort();
    assert_ne!(OLD, NEW);
}
