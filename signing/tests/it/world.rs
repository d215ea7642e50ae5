//! A repository in a folder, with all its keys at hand.

use std::{collections::HashMap, num::NonZeroU64};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp as Time;
use sha2::Digest as _;
use slipway_signing::{
    ChannelName, ClientConfig, Complete, Expiry, KeyMark, KeyName, Pending, RoleKeys, RoleName,
    Roles, SecretKey, Verified, VerifyError, new_channel, new_root, new_snapshot, new_targets,
    new_timestamp, verify,
};
use tough::{
    FilesystemTransport, TargetName,
    schema::{Hashes, Root, Target, Targets},
};
use url::Url;

const ROLES: &str = include_str!("../../roles.toml");

/// The text of a target of every release.
pub(crate) fn text(version: &str) -> String {
    format!("the record of {version}\n")
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) roles: Roles,
    pub(crate) keys: HashMap<KeyName, SecretKey>,
    pub(crate) now: Time,
    root: Option<Complete<Root>>,
    targets: Option<Complete<Targets>>,
    channels: HashMap<ChannelName, Complete<Targets>>,
    versions: u64,
}

impl World {
    /// An empty repository whose channels have nothing.
    pub(crate) fn new() -> Self {
        let roles = Roles::parse("roles.toml", ROLES).unwrap();
        let keys = roles.keys.keys().map(|name| {
            (name.clone(), SecretKey::generate(name.clone(), KeyMark::Release).unwrap())
        });
        let mut world = Self {
            dir: tempfile::tempdir().unwrap(),
            keys: keys.collect(),
            roles,
            now: Time::now(),
            root: None,
            targets: None,
            channels: HashMap::new(),
            versions: 0,
        };
        fs_err::create_dir_all(world.path("metadata")).unwrap();
        fs_err::create_dir_all(world.path("targets")).unwrap();
        world.sign_root(&["root-1", "root-2"]);
        world.sign_targets();
        for channel in ["alpha", "beta", "stable"] {
            world.release(channel, &[]);
        }
        world.switch();
        world
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    pub(crate) fn metadata(&self, name: &str) -> Utf8PathBuf {
        self.path("metadata").join(name)
    }

    pub(crate) fn key(&self, name: &str) -> &SecretKey {
        &self.keys[&name.parse::<KeyName>().unwrap()]
    }

    fn at(&self, version: Option<NonZeroU64>, role: &str) -> Expiry {
        let role = self.roles.role(&role.parse().unwrap()).unwrap();
        Expiry::after(version, self.now, role.expires)
    }

    /// Publishes the next root, signed by these keys.
    pub(crate) fn sign_root(&mut self, signers: &[&str]) {
        let old = self.root.as_ref().map(|root| root.content().version);
        let public = |name: &KeyName| Ok(self.keys[name].public());
        let root = new_root(&self.roles, &public, self.at(old, "root")).unwrap();
        let own = RoleKeys::of_root(&root, &RoleName::Root).unwrap();
        let before = self.root.as_ref();
        let before = before.map(|root| RoleKeys::of_root(root.content(), &RoleName::Root).unwrap());
        let sets: Vec<&RoleKeys> = std::iter::once(&own).chain(&before).collect();
        let mut pending = Pending::new(RoleName::Root, root);
        for name in signers {
            pending.sign(self.key(name), &sets).unwrap();
        }
        let root = pending.complete(&sets).unwrap();
        let name = format!("{}.root.json", root.content().version);
        fs_err::write(self.metadata(&name), root.bytes()).unwrap();
        self.root = Some(root);
    }

    /// The next version of what delegates to the channels.
    pub(crate) fn sign_targets(&mut self) {
        let old = self.targets.as_ref().map(|targets| targets.content().version);
        let public = |name: &KeyName| Ok(self.keys[name].public());
        let targets = new_targets(&self.roles, &public, self.at(old, "targets")).unwrap();
        let keys = RoleKeys::of_root(self.root(), &RoleName::Targets).unwrap();
        let mut pending = Pending::new(RoleName::Targets, targets);
        pending.sign(self.key("targets-1"), &[&keys]).unwrap();
        let targets = pending.complete(&[&keys]).unwrap();
        let name = format!("{}.targets.json", targets.content().version);
        fs_err::write(self.metadata(&name), targets.bytes()).unwrap();
        self.targets = Some(targets);
    }

    pub(crate) fn root(&self) -> &Root {
        self.root.as_ref().unwrap().content()
    }

    pub(crate) fn root_bytes(&self) -> Vec<u8> {
        self.root.as_ref().unwrap().bytes().to_vec()
    }

    /// Who signs for a channel.
    pub(crate) fn keys_of(&self, channel: &str) -> RoleKeys {
        let targets = self.targets.as_ref().unwrap().content();
        let delegations = targets.delegations.as_ref().unwrap();
        RoleKeys::of_delegation(delegations, &channel.parse().unwrap()).unwrap()
    }

    /// What a channel would say if it released these versions.
    pub(crate) fn pending(&self, channel: &str, versions: &[&str]) -> Pending<Targets> {
        let name: ChannelName = channel.parse().unwrap();
        let old = self.channels.get(&name).map(|role| role.content().version);
        let targets = versions.iter().map(|version| {
            let text = text(version);
            let sha256 = sha2::Sha256::digest(text.as_bytes()).to_vec();
            let target = Target {
                length: text.len() as u64,
                hashes: Hashes { sha256: sha256.into(), _extra: HashMap::new() },
                custom: HashMap::new(),
                _extra: HashMap::new(),
            };
            (TargetName::new(format!("{channel}/{version}/amd64/release.json")).unwrap(), target)
        });
        let content = new_channel(&name, targets.collect(), self.at(old, channel)).unwrap();
        Pending::new(RoleName::Channel(name), content)
    }

    /// Publishes a channel's next version, signed by the first keys that suffice.
    pub(crate) fn release(&mut self, channel: &str, versions: &[&str]) {
        let keys = self.keys_of(channel);
        let mut pending = self.pending(channel, versions);
        let role = self.roles.role(&channel.parse().unwrap()).unwrap();
        for name in role.keys.iter().take(usize::try_from(role.threshold.get()).unwrap()) {
            pending.sign(&self.keys[name], &[&keys]).unwrap();
        }
        let done = pending.complete(&[&keys]).unwrap();
        for version in versions {
            self.put_target(channel, version, &text(version));
        }
        self.put_channel(channel, done);
    }

    pub(crate) fn put_channel(&mut self, channel: &str, role: Complete<Targets>) {
        let file = format!("{}.{channel}.json", role.content().version);
        fs_err::write(self.metadata(&file), role.bytes()).unwrap();
        self.channels.insert(channel.parse().unwrap(), role);
    }

    pub(crate) fn target_path(&self, channel: &str, version: &str) -> Utf8PathBuf {
        let digest = sha2::Sha256::digest(text(version).as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.path(&format!("targets/{digest}.{channel}/{version}/amd64/release.json"))
    }

    pub(crate) fn put_target(&self, channel: &str, version: &str, bytes: &str) {
        let path = self.target_path(channel, version);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// Makes what was published the present: the next snapshot and timestamp.
    pub(crate) fn switch(&mut self) {
        let old = NonZeroU64::new(self.versions);
        let mut channels: Vec<_> =
            self.channels.iter().map(|(name, role)| (name.clone(), role.clone())).collect();
        channels.sort_by(|a, b| a.0.cmp(&b.0));
        let snapshot =
            new_snapshot(self.targets.as_ref().unwrap(), &channels, self.at(old, "snapshot"));
        let keys = RoleKeys::of_root(self.root(), &RoleName::Snapshot).unwrap();
        let mut pending = Pending::new(RoleName::Snapshot, snapshot);
        pending.sign(self.key("snapshot"), &[&keys]).unwrap();
        let snapshot = pending.complete(&[&keys]).unwrap();
        let name = format!("{}.snapshot.json", snapshot.content().version);
        fs_err::write(self.metadata(&name), snapshot.bytes()).unwrap();

        let timestamp = new_timestamp(&snapshot, self.at(old, "timestamp"));
        let keys = RoleKeys::of_root(self.root(), &RoleName::Timestamp).unwrap();
        let mut pending = Pending::new(RoleName::Timestamp, timestamp);
        pending.sign(self.key("timestamp"), &[&keys]).unwrap();
        let timestamp = pending.complete(&[&keys]).unwrap();
        fs_err::write(self.metadata("timestamp.json"), timestamp.bytes()).unwrap();
        self.versions += 1;
    }

    /// What a client sees that trusts `root` and remembers in the folder `memory`.
    pub(crate) async fn look(&self, root: &[u8], memory: &str) -> Result<Verified, String> {
        self.try_look(root, memory).await.map_err(|error| chain(&error))
    }

    pub(crate) async fn try_look(
        &self,
        root: &[u8],
        memory: &str,
    ) -> Result<Verified, VerifyError> {
        let memory = self.path(memory);
        fs_err::create_dir_all(&memory).unwrap();
        let url = |name: &str| Url::from_directory_path(self.path(name)).unwrap();
        let config = ClientConfig {
            root: root.to_vec(),
            metadata: url("metadata"),
            targets: url("targets"),
            memory,
        };
        verify(config, FilesystemTransport).await
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
