//! What a repository says now. Everything that is read is verified; what is published on top of it stands on that.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
};

use bytes::Bytes;
use jiff::Timestamp as Time;
use serde::{Serialize, de::DeserializeOwned};
use slipway_packages_manifest::Version;
use slipway_payload::{ChannelPolicy, policy_name, record_name};
use slipway_signing::{ChannelName, ChannelTargets, Complete, Pending, RoleKeys, RoleName, hex};
use slipway_store::{Digest, Remote};
use tough::schema::{Metafile, Root, Snapshot, Target, Targets, Timestamp};

use crate::{ChannelError, ReleaseRecord};

/// No metadata of ours is larger, in bytes.
const LIMIT: u64 = 4 << 20;

/// The artefact of a release that is the root metadata its images trust. Its name is one of descriptions (`.json`): no build
/// makes it, it goes into one.
pub const ROOT_ARTEFACT: &str = "root.json";

/// The field of a target's `custom` that says when the release came to the channel.
pub(crate) const RELEASED: &str = "released";

/// Signed metadata and what it speaks of, in an object store.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) remote: Remote,
}

/// What the repository says, every signature checked from a root that was trusted before.
#[derive(Clone, Debug)]
pub struct State {
    /// The newest root.
    pub root: Complete<Root>,
    /// Who signs for the channels.
    pub targets: Complete<Targets>,
    /// What the channels say.
    pub channels: BTreeMap<ChannelName, Complete<Targets>>,
    /// The snapshot that clients see.
    pub snapshot: Complete<Snapshot>,
    /// The version of the timestamp.
    pub timestamp: NonZeroU64,
    /// Whether the metadata is still signed as the root before the newest one says.
    pub behind: bool,
    /// The digest of the timestamp: the generation that a switch is checked against.
    pub generation: Digest,
}

/// A release of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// Its architecture.
    pub arch: String,
    /// When it came to the channel.
    pub released: Option<Time>,
    /// Its record, by digest and length.
    pub target: Target,
}

/// A target of a channel, beside what the channel says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Its name.
    pub name: String,
    /// The digest of its content, in hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub length: u64,
    /// What becomes of it.
    pub news: News,
}

/// What becomes of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The channel has it already.
    Same,
    /// It comes.
    New,
    /// The channel has another content under its name.
    Changed,
    /// It goes.
    Gone,
}

impl State {
    /// What the metadata of a channel that waits for signatures would say, beside what it says now, in the order of names.
    pub fn proposed(&self, channel: &ChannelName, pending: &Pending<Targets>) -> Vec<Proposed> {
        let none = ChannelTargets::new();
        let now = self.channels.get(channel).map_or(&none, |role| &role.content().targets);
        let then = &pending.content().targets;
        let one = |(name, target): (&tough::TargetName, &Target), news| Proposed {
            name: name.resolved().to_owned(),
            sha256: hex(&target.hashes.sha256),
            length: target.length,
            news,
        };
        let comes = then.iter().map(|(name, target)| {
            let same = |old: &Target| old.hashes == target.hashes && old.length == target.length;
            let news = match now.get(name) {
                None => News::New,
                Some(old) if same(old) => News::Same,
                Some(_) => News::Changed,
            };
            one((name, target), news)
        });
        let gone = now.iter().filter(|(name, _)| !then.contains_key(*name));
        let mut all: Vec<Proposed> = comes.chain(gone.map(|old| one(old, News::Gone))).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The releases of a channel, the oldest first. Names that are none of ours are left out.
    pub fn releases(&self, channel: &ChannelName) -> Vec<Release> {
        self.channels
            .get(channel)
            .map_or_else(Vec::new, |role| releases_of(&role.content().targets))
    }

    /// Who signs for a role.
    ///
    /// # Errors
    /// When the repository does not know it.
    pub fn keys(&self, role: &RoleName) -> Result<RoleKeys, ChannelError> {
        Ok(match role {
            RoleName::Channel(_) => {
                let none = tough::schema::Delegations::new();
                let delegations = self.targets.content().delegations.as_ref().unwrap_or(&none);
                RoleKeys::of_delegation(delegations, role)?
            }
            top => RoleKeys::of_root(self.root.content(), top)?,
        })
    }
}

impl Repository {
    /// A repository in an object store.
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// The object store.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Reads and verifies what the repository says, from a root that is trusted. That metadata has expired is no reason to
    /// refuse it here: whoever renews it must be able to read it.
    ///
    /// # Errors
    /// When there is no repository, or something in it is not as signed.
    pub async fn load(&self, trusted_root: &[u8]) -> Result<State, ChannelError> {
        let (before, root) = self.newest_roots(trusted_root).await?;
        let state = self.load_under(&root).await;
        // A rotation that was interrupted leaves a new root above metadata of the one before.
        match (state, before) {
            (Err(ChannelError::Signing(error)), Some(before)) => {
                match self.load_under(&before).await {
                    Ok(state) => Ok(State { root, behind: true, ..state }),
                    Err(_) => Err(error.into()),
                }
            }
            (state, _) => state,
        }
    }

    async fn load_under(&self, root: &Complete<Root>) -> Result<State, ChannelError> {
        let keys = |role: &RoleName| RoleKeys::of_root(root.content(), role);

        let bytes =
            self.read("metadata/timestamp.json").await?.ok_or(ChannelError::NoRepository)?;
        let generation = Digest::of_bytes(&bytes);
        let timestamp: Complete<Timestamp> =
            verified(&RoleName::Timestamp, &bytes, &[&keys(&RoleName::Timestamp)?])?;
        let named = timestamp.content().meta.get("snapshot.json");
        let named = named.ok_or_else(|| lost("snapshot.json"))?;
        let snapshot_keys = keys(&RoleName::Snapshot)?;
        let snapshot: Complete<Snapshot> =
            self.named("snapshot", named, &RoleName::Snapshot, &snapshot_keys).await?;

        let meta = &snapshot.content().meta;
        let find = |file: &str| meta.get(file).ok_or_else(|| lost(file));
        let targets: Complete<Targets> = self
            .named("targets", find("targets.json")?, &RoleName::Targets, &keys(&RoleName::Targets)?)
            .await?;
        let mut channels = BTreeMap::new();
        let delegations = targets.content().delegations.clone().unwrap_or_default();
        for role in &delegations.roles {
            let Ok(name) = role.name.parse::<ChannelName>() else { continue };
            let role_name = RoleName::Channel(name.clone());
            let keys = RoleKeys::of_delegation(&delegations, &role_name)?;
            let file = find(&format!("{name}.json"))?;
            channels
                .insert(name.clone(), self.named(name.as_str(), file, &role_name, &keys).await?);
        }
        Ok(State {
            snapshot,
            timestamp: timestamp.content().version,
            root: root.clone(),
            behind: false,
            targets,
            channels,
            generation,
        })
    }

    /// The record of a release.
    ///
    /// # Errors
    /// When it is not there, or not what was signed.
    pub async fn record(
        &self,
        channel: &ChannelName,
        release: &Release,
    ) -> Result<(ReleaseRecord, Bytes), ChannelError> {
        let path = record_name(channel.as_str(), release.version, &release.arch);
        let bytes = self.target(&path, &release.target).await?;
        Ok((ReleaseRecord::from_bytes(&bytes)?, bytes))
    }

    /// What a channel says beyond its releases.
    ///
    /// # Errors
    /// When it is not there, or not what was signed.
    pub async fn policy(
        &self,
        state: &State,
        channel: &ChannelName,
    ) -> Result<ChannelPolicy, ChannelError> {
        let path = policy_name(channel.as_str());
        let targets = state.channels.get(channel).map(|role| &role.content().targets);
        let found = targets.and_then(|all| all.iter().find(|(name, _)| name.resolved() == path));
        let Some((_, target)) = found else { return Ok(ChannelPolicy::default()) };
        Ok(ChannelPolicy::from_bytes(&self.target(&path, target).await?)?)
    }

    async fn target(&self, path: &str, target: &Target) -> Result<Bytes, ChannelError> {
        let name = target_object(path, target);
        let bytes = self.remote.read(&name, target.length).await;
        let bytes = bytes.map_err(ChannelError::remote)?.ok_or_else(|| lost(&name))?;
        if Digest::of_bytes(&bytes).to_string() != hex(&target.hashes.sha256) {
            return Err(ChannelError::Mixed { name });
        }
        Ok(bytes)
    }

    /// The root metadata that the images of a release trust, if the chain of roots from `own` on, which is trusted, has it. Records
    /// did not always name one; with those, it is `own`.
    ///
    /// # Errors
    /// When the record names another root: an older one, or one of others.
    pub async fn root_of(
        &self,
        record: &ReleaseRecord,
        own: &[u8],
    ) -> Result<Vec<u8>, ChannelError> {
        let Some(named) = record.artefacts.get(ROOT_ARTEFACT) else { return Ok(own.to_vec()) };
        let roots = self.roots(own).await?;
        let found = roots
            .into_iter()
            .find(|root| slipway_payload::Digest::of_bytes(root.bytes()) == named.sha256);
        let found = found.ok_or_else(|| ChannelError::OtherRoot {
            version: record.version.clone(),
            sha256: named.sha256.to_string(),
        })?;
        Ok(found.bytes().to_vec())
    }

    /// The end of the chain of roots: the newest one, and the one before it.
    async fn newest_roots(
        &self,
        trusted: &[u8],
    ) -> Result<(Option<Complete<Root>>, Complete<Root>), ChannelError> {
        let mut roots = self.roots(trusted).await?;
        let newest = roots.pop().ok_or_else(|| lost("root.json"))?;
        Ok((roots.pop(), newest))
    }

    /// The chain of roots from the one that is trusted (TUF 1.0, section 5.3): each next root is signed by the keys of the one
    /// before and by its own. The trusted one is the first.
    async fn roots(&self, trusted: &[u8]) -> Result<Vec<Complete<Root>>, ChannelError> {
        let own = |bytes: &[u8]| -> Result<RoleKeys, ChannelError> {
            let root: Pending<Root> = Pending::from_json(RoleName::Root, bytes)?;
            Ok(RoleKeys::of_root(root.content(), &RoleName::Root)?)
        };
        let mut root: Complete<Root> = verified(&RoleName::Root, trusted, &[&own(trusted)?])?;
        let mut roots = Vec::new();
        loop {
            let next = root.content().version.saturating_add(1);
            let name = format!("metadata/{next}.root.json");
            let Some(bytes) = self.read(&name).await? else {
                roots.push(root);
                return Ok(roots);
            };
            let before = RoleKeys::of_root(root.content(), &RoleName::Root)?;
            let new: Complete<Root> = verified(&RoleName::Root, &bytes, &[&before, &own(&bytes)?])?;
            if new.content().version != next {
                return Err(ChannelError::Mixed { name });
            }
            roots.push(std::mem::replace(&mut root, new));
        }
    }

    /// Metadata that other metadata names, by version, length and digest.
    async fn named<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        file: &Metafile,
        role: &RoleName,
        keys: &RoleKeys,
    ) -> Result<Complete<T>, ChannelError> {
        let name = format!("metadata/{}.{name}.json", file.version);
        let bytes = self.read(&name).await?.ok_or_else(|| lost(&name))?;
        let digest = file.hashes.as_ref().map(|hashes| hex(&hashes.sha256));
        let same = digest.is_none_or(|digest| digest == Digest::of_bytes(&bytes).to_string());
        if !same || file.length.is_some_and(|length| length != bytes.len() as u64) {
            return Err(ChannelError::Mixed { name });
        }
        verified(role, &bytes, &[keys])
    }

    /// Whether metadata has enough signatures of these keys.
    pub(crate) fn holds<T: Serialize + DeserializeOwned>(
        metadata: &Complete<T>,
        keys: &RoleKeys,
    ) -> bool {
        verified::<T>(&keys.role, metadata.bytes(), &[keys]).is_ok()
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<Bytes>, ChannelError> {
        self.remote.read(name, LIMIT).await.map_err(ChannelError::remote)
    }

    /// The first version from `version` on that no file of the repository has. What an interrupted publisher left is signed,
    /// but may stand on an older state than clients have seen since: it is passed over, never taken up.
    pub(crate) async fn free_version(
        &self,
        name: &str,
        mut version: NonZeroU64,
    ) -> Result<NonZeroU64, ChannelError> {
        while self.read(&format!("metadata/{version}.{name}.json")).await?.is_some() {
            version = version.saturating_add(1);
        }
        Ok(version)
    }
}

fn verified<T: Serialize + DeserializeOwned>(
    role: &RoleName,
    bytes: &[u8],
    keys: &[&RoleKeys],
) -> Result<Complete<T>, ChannelError> {
    Ok(Complete::read(role, bytes, keys)?)
}

/// The releases among the targets of a channel, the oldest first.
pub(crate) fn releases_of(targets: &ChannelTargets) -> Vec<Release> {
    let mut all: Vec<Release> = targets
        .iter()
        .filter_map(|(name, target)| {
            let mut parts = name.resolved().split('/');
            let (Some(_), Some(version), Some(arch), Some("release.json"), None) =
                (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return None;
            };
            let released = target.custom.get(RELEASED).and_then(|time| time.as_str()?.parse().ok());
            Some(Release {
                version: version.parse().ok()?,
                arch: arch.to_owned(),
                released,
                target: target.clone(),
            })
        })
        .collect();
    all.sort_by(|a, b| (a.version, &a.arch).cmp(&(b.version, &b.arch)));
    all
}

/// Where a target is: TUF's consistent snapshots put the digest before the name (TUF 1.0, section 6.2).
pub(crate) fn target_object(path: &str, target: &Target) -> String {
    format!("targets/{}.{path}", hex(&target.hashes.sha256))
}

fn lost(name: &str) -> ChannelError {
    ChannelError::Lost { name: name.to_owned() }
}

/// Versions as people list them.
pub(crate) fn listed(releases: &[Release]) -> String {
    let versions: BTreeSet<Version> = releases.iter().map(|release| release.version).collect();
    match versions.len() {
        0 => "none".to_owned(),
        _ => versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
