//! A repository in a folder, and the holders of its keys.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp as Time};
use slipway_channels::{
    Artefact, Channel, ChannelError, Progress, PromoteOptions, ReleaseRecord, RemoteTransport,
    Repository, Signers, State, TestRun, promote, release, set_policy,
};
use slipway_payload::Digest;
use slipway_signing::{
    ClientConfig, KeyMark, KeyName, PublicKey, RoleName, Roles, SecretKey, SigningError, Verified,
    verify,
};
use slipway_store::Remote;

use crate::bucket::Bucket;

/// All keys, of which only some are at hand.
pub(crate) struct Holders {
    roles: Roles,
    pem: BTreeMap<KeyName, String>,
    at_hand: BTreeSet<KeyName>,
}

impl Holders {
    fn new() -> Self {
        let roles =
            Roles::parse("roles.toml", include_str!("../../../signing/roles.toml")).unwrap();
        let pem = roles.keys.keys().map(|name| {
            let key = SecretKey::generate(name.clone(), KeyMark::Release).unwrap();
            (name.clone(), key.to_pem(None).unwrap().to_string())
        });
        let pem: BTreeMap<_, _> = pem.collect();
        Self { at_hand: pem.keys().cloned().collect(), pem, roles }
    }

    fn public(&self) -> BTreeMap<KeyName, PublicKey> {
        self.pem.keys().map(|name| (name.clone(), self.key(name).unwrap().public())).collect()
    }

    fn key(&self, name: &KeyName) -> Result<SecretKey, SigningError> {
        SecretKey::from_pem(name, &self.pem[name], &mut |_| None)
    }
}

impl Signers for Holders {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn keys(&mut self, role: &RoleName) -> Result<Vec<SecretKey>, SigningError> {
        let names = self.roles.role(role)?.keys.iter().filter(|name| self.at_hand.contains(*name));
        names.map(|name| self.key(name)).collect()
    }
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    remote: Remote,
    pub(crate) repository: Repository,
    pub(crate) holders: Holders,
    pub(crate) root: Vec<u8>,
    pub(crate) now: Time,
    channels: Vec<Channel>,
}

impl World {
    /// A repository in a folder.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("repository");
        Self::at(dir, Remote::local(&path).unwrap()).await
    }

    /// A repository in a bucket.
    pub(crate) async fn in_bucket(bucket: &Bucket) -> Self {
        Self::at(tempfile::tempdir().unwrap(), bucket.remote()).await
    }

    async fn at(dir: tempfile::TempDir, remote: Remote) -> Self {
        let repository = Repository::new(remote.clone());
        let mut holders = Holders::new();
        let public = holders.public();
        let now = Time::now();
        let root = repository.init(&|name| Ok(public[name]), &mut holders, now).await.unwrap();
        let root = root.bytes().to_vec();
        let channel =
            |name: &str, text: &str| Channel::parse(name.parse().unwrap(), name, text).unwrap();
        let channels = vec![
            channel("alpha", include_str!("../../alpha.toml")),
            channel("beta", include_str!("../../beta.toml")),
            channel("stable", include_str!("../../stable.toml")),
        ];
        Self { dir, remote, repository, holders, root, now, channels }
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    /// From now on only these keys are at hand.
    pub(crate) fn at_hand(&mut self, keys: &[&str]) {
        self.holders.at_hand = keys.iter().map(|name| name.parse().unwrap()).collect();
    }

    pub(crate) fn days(&mut self, days: i64) {
        self.now += SignedDuration::from_hours(24 * days);
    }

    /// Replaces keys, and tells the repository.
    pub(crate) async fn renew(&mut self, names: &[&str]) -> Result<Progress, ChannelError> {
        self.replace_keys(names);
        self.rotate().await
    }

    /// Replaces keys, without a word to the repository.
    pub(crate) fn replace_keys(&mut self, names: &[&str]) {
        for name in names {
            let name: KeyName = name.parse().unwrap();
            let key = SecretKey::generate(name.clone(), KeyMark::Release).unwrap();
            self.holders.pem.insert(name, key.to_pem(None).unwrap().to_string());
        }
    }

    pub(crate) async fn rotate(&mut self) -> Result<Progress, ChannelError> {
        let state = self.state().await;
        let public = self.holders.public();
        let now = self.now;
        self.repository.rotate(state, &|name| Ok(public[name]), &mut self.holders, now).await
    }

    pub(crate) async fn state(&self) -> State {
        self.repository.load(&self.root).await.unwrap()
    }

    pub(crate) fn channel(&self, name: &str) -> &Channel {
        self.channels.iter().find(|channel| channel.name.as_str() == name).unwrap()
    }

    /// Changes the file of a channel.
    pub(crate) fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Channel)) {
        edit(self.channels.iter_mut().find(|channel| channel.name.as_str() == name).unwrap());
    }

    /// Makes the repository again, or ends what was begun.
    pub(crate) async fn init(&mut self) -> Result<Vec<u8>, ChannelError> {
        let public = self.holders.public();
        let lookup = |name: &KeyName| Ok(public[name]);
        let root = self.repository.init(&lookup, &mut self.holders, self.now).await?;
        Ok(root.bytes().to_vec())
    }

    pub(crate) async fn release(&mut self, version: &str) -> Result<Progress, ChannelError> {
        let state = self.repository.load(&self.root).await?;
        let record = record(version);
        let change = release(&state, self.channel("alpha"), &record, self.now)?;
        self.repository.apply(state, change, &mut self.holders, self.now).await
    }

    pub(crate) async fn promote(
        &mut self,
        from: &str,
        to: &str,
        version: &str,
    ) -> Result<Progress, ChannelError> {
        let state = self.state().await;
        let (from, to) = (self.channel(from), self.channel(to));
        let found = state.release(&from.name, version.parse().unwrap(), "amd64")?;
        let (record, bytes) = self.repository.record(&from.name, &found).await?;
        let rebuilds = to.promotion.as_ref().and_then(|promotion| promotion.rebuilds.as_ref());
        let attested = match rebuilds {
            Some(rebuilds) => self.repository.attested((&record, &bytes), rebuilds).await?,
            None => Vec::new(),
        };
        let options = PromoteOptions { now: self.now, allow_downgrade: false, attested };
        let change = promote(&state, from, to, &found, (&record, &bytes), &options)?;
        self.repository.apply(state, change, &mut self.holders, self.now).await
    }

    /// Publishes what the file of a channel says of floors and revoked versions.
    pub(crate) async fn set_policy(&mut self, channel: &str) -> Result<Progress, ChannelError> {
        let state = self.state().await;
        let change = set_policy(&state, self.channel(channel))?;
        self.repository.apply(state, change, &mut self.holders, self.now).await
    }

    pub(crate) async fn sign(&mut self, channel: &str) -> Result<Progress, ChannelError> {
        let state = self.state().await;
        let channel = channel.parse().unwrap();
        let pending = self.repository.pending(&state, &channel).await?;
        self.repository.sign(state, channel, pending, &mut self.holders, self.now).await
    }

    /// What a client sees that knows nothing but the first root.
    pub(crate) async fn look(&self) -> Verified {
        let memory = tempfile::tempdir_in(self.dir.path()).unwrap();
        let config = ClientConfig {
            root: self.root.clone(),
            metadata: RemoteTransport::metadata(),
            targets: RemoteTransport::targets(),
            memory: Utf8PathBuf::try_from(memory.keep()).unwrap(),
        };
        verify(config, RemoteTransport::new(self.remote.clone())).await.unwrap()
    }

    /// The names of all targets that a client sees.
    pub(crate) async fn targets(&self) -> Vec<String> {
        let seen = self.look().await;
        let mut names: Vec<String> = seen.targets().map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names
    }
}

pub(crate) fn record(version: &str) -> ReleaseRecord {
    let disk = Digest::of_bytes(version.as_bytes());
    ReleaseRecord {
        schema: ReleaseRecord::SCHEMA,
        version: version.to_owned(),
        arch: "amd64".to_owned(),
        image: "production".to_owned(),
        inputs: disk.to_string(),
        usr_root_hash: disk.to_string(),
        artefacts: [("disk.raw".to_owned(), Artefact { sha256: disk, length: 5 })].into(),
        payloads: Vec::new(),
        packages: Vec::new(),
        tests: [("boot".to_owned(), TestRun { disk })].into(),
        previous: None,
    }
}

/// The bytes of a record.
pub(crate) fn bytes(version: &str) -> Bytes {
    record(version).to_bytes().unwrap().into()
}
