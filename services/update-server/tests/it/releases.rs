//! Signed releases: verified, imported, offered, and served as they are.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use slipway_channels::{Channel, ReleaseRecord, Repository, Signers, release};
use slipway_omaha::{App, Request, Response, SLIPWAY_APP_ID, UpdateCheck};
use slipway_signing::{KeyMark, KeyName, PublicKey, RoleName, Roles, SecretKey, SigningError};
use slipway_store::{Digest, Remote};
use slipway_update_server::{
    releases::{ImportError, Imported, import},
    store::{Arch, By, Origin},
};

use crate::world::World;

struct Holder {
    roles: Roles,
    pem: BTreeMap<KeyName, String>,
}

impl Holder {
    fn new() -> Self {
        let roles =
            Roles::parse("roles.toml", include_str!("../../../../signing/roles.toml")).unwrap();
        let key = |name: &KeyName| {
            SecretKey::generate(name.clone(), KeyMark::Release)
                .unwrap()
                .to_pem(None)
                .unwrap()
                .to_string()
        };
        let pem = roles.keys.keys().map(|name| (name.clone(), key(name))).collect();
        Self { roles, pem }
    }

    fn key(&self, name: &KeyName) -> SecretKey {
        SecretKey::from_pem(name, &self.pem[name], &mut |_| None).unwrap()
    }
}

impl Signers for Holder {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn keys(&mut self, role: &RoleName) -> Result<Vec<SecretKey>, SigningError> {
        Ok(self.roles.role(role)?.keys.iter().map(|name| self.key(name)).collect())
    }
}

/// A repository of signed releases in a folder.
struct Signed {
    dir: tempfile::TempDir,
    repository: Repository,
    holder: Holder,
    root: Vec<u8>,
}

impl Signed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap();
        let repository = Repository::new(Remote::local(&path.join("repository")).unwrap());
        let mut holder = Holder::new();
        let public: BTreeMap<KeyName, PublicKey> =
            holder.pem.keys().map(|name| (name.clone(), holder.key(name).public())).collect();
        let root =
            repository.init(&|name| Ok(public[name]), &mut holder, Timestamp::now()).await.unwrap();
        let root = root.bytes().to_vec();
        fs_err::write(path.join("root.json"), &root).unwrap();
        Self { dir, repository, holder, root }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    async fn release(&mut self, version: &str) {
        let state = self.repository.load(&self.root).await.unwrap();
        let text = include_str!("../../../../channels/alpha.toml");
        let channel = Channel::parse("alpha".parse().unwrap(), "alpha.toml", text).unwrap();
        let now = Timestamp::now();
        let change = release(&state, &channel, &record(version), now).unwrap();
        self.repository.apply(state, change, &mut self.holder, now).await.unwrap();
    }

    async fn import(&self, world: &World) -> Result<Imported, ImportError> {
        let by = By::system(world.clock.now());
        import(
            world.store(),
            &by,
            &self.path("repository"),
            &self.path("root.json"),
            &self.path("memory"),
        )
        .await
    }
}

fn record(version: &str) -> ReleaseRecord {
    let disk = Digest::of_bytes(version.as_bytes());
    let text = serde_json::json!({
        "schema": ReleaseRecord::SCHEMA,
        "version": version,
        "arch": "amd64",
        "image": "production",
        "inputs": "0".repeat(64),
        "usr_root_hash": "1".repeat(64),
        "artefacts": { "disk.raw": { "sha256": disk, "length": 5 } },
        "packages": [],
        "tests": { "boot": { "disk": disk } },
        "previous": null,
    });
    serde_json::from_value(text).unwrap()
}

fn check(version: &str) -> Request {
    let mut app = App::new(SLIPWAY_APP_ID.parse().unwrap(), version);
    app.track = "alpha".to_owned();
    app.board = "amd64-usr".to_owned();
    app.machine_id = "slipway-host".to_owned();
    app.update_check = Some(UpdateCheck::default());
    Request { apps: vec![app], ..Request::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_release_is_offered_and_its_record_is_what_was_signed() {
    let mut signed = Signed::new().await;
    signed.release("4.0.0").await;
    let settings = [
        ("releases", signed.path("repository").to_string()),
        ("root", signed.path("root.json").to_string()),
    ];
    let world = World::with(&settings).await;
    assert_eq!(signed.import(&world).await.unwrap(), Imported { packages: 1, channels: 1 });
    assert_eq!(signed.import(&world).await.unwrap(), Imported::default());
    signed.release("4.1.0").await;
    assert_eq!(signed.import(&world).await.unwrap(), Imported { packages: 1, channels: 1 });

    let answer: Response = world.say(&check("4.0.0")).await;
    let check = answer.apps[0].update_check.clone().unwrap();
    let manifest = &check.manifests[0];
    assert_eq!(manifest.version, "4.1.0");
    assert_eq!(check.codebases, [format!("{}/repository/targets/", world.base)]);
    let package = &manifest.packages[0];
    assert_eq!(package.name, "alpha/4.1.0/amd64/release.json");

    // TUF's consistent snapshots put the digest before the name.
    let object = format!("{}{}.{}", check.codebases[0], package.sha256_hex, package.name);
    let bytes = world.client.get(&object).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, package.size);
    assert_eq!(Digest::of_bytes(&bytes).to_string(), package.sha256_hex);
    let part = world.client.get(&object).header("range", "bytes=2-5").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), bytes[2..=5]);
    for outside in ["/repository/../root.json", "/repository/%2e%2e/root.json"] {
        assert_eq!(world.get(outside).await.0, 404, "{outside}");
    }
    let put = world.client.put(&object).body("x").send().await.unwrap();
    assert_eq!(put.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_signed_is_not_imported() {
    let mut signed = Signed::new().await;
    signed.release("4.0.0").await;
    let world = World::with(&[]).await;
    let record =
        signed.path("repository/targets").read_dir_utf8().unwrap().next().unwrap().unwrap();
    let record = record.path().join("4.0.0/amd64/release.json");
    let good = fs_err::read(&record).unwrap();
    fs_err::write(&record, good.to_ascii_uppercase()).unwrap();
    let error = signed.import(&world).await.unwrap_err();
    assert!(matches!(error, ImportError::Verify { .. }), "{error}");
    fs_err::write(&record, good).unwrap();

    let metadata = signed.path("repository/metadata/2.alpha.json");
    let text = fs_err::read_to_string(&metadata).unwrap();
    fs_err::write(&metadata, text.replace("4.0.0", "9.0.0")).unwrap();
    assert!(signed.import(&world).await.is_err());
    fs_err::write(&metadata, text).unwrap();

    signed.import(&world).await.unwrap();
    let app = slipway_omaha::SLIPWAY_APP_ID.parse().unwrap();
    let package =
        world.store().package_by_version(&app, "4.0.0", Arch::Amd64).await.unwrap().unwrap();
    assert_eq!(package.origin, Origin::Release);
}
