//! What the channel's signers say (TUF 1.0, read by `tough`): records and the policy. Nothing else decides what is installed.

use std::collections::{BTreeMap, btree_map::Entry};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use slipway_payload::{
    ChannelPolicy, PolicyError, RecordError, ReleaseRecord, Version, policy_name, record_name,
};
use tough::{IntoVec as _, Limits, Repository, RepositoryLoader, TargetName};
use url::Url;

use crate::fetch::{Fetcher, Metadata, Place};

/// How much metadata is read before the agent gives up, in bytes.
const LIMITS: Limits = Limits {
    max_root_size: 256 << 10,
    max_targets_size: 4 << 20,
    max_timestamp_size: 64 << 10,
    max_snapshot_size: 256 << 10,
    max_root_updates: 256,
};

/// No record or policy is longer, in bytes.
const TARGET: u64 = 4 << 20;

/// Why signed metadata is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The root that came with the system.
    #[error("cannot read the root of trust, which came with this system")]
    Root(#[source] std::io::Error),
    /// The folder in which the agent remembers what it has seen.
    #[error("cannot remember which metadata was seen")]
    Memory(#[source] std::io::Error),
    /// Nowhere to ask.
    #[error("no repository is configured")]
    Nowhere,
    /// Signatures, versions, expiry, or a repository that cannot be reached.
    #[error("the repository's metadata is not to be trusted, or not there")]
    Tuf(#[source] Box<tough::error::Error>),
    /// A target of a size that no record has.
    #[error("`{0}` is too long to be read")]
    TooLong(String),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The policy of a channel.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl TrustError {
    /// The number that the server is told.
    pub fn code(&self) -> u32 {
        match self {
            Self::Root(_) | Self::Memory(_) | Self::Nowhere => 1,
            Self::Tuf(_) => 25,
            Self::TooLong(_) | Self::Record(_) | Self::Policy(_) => 23,
        }
    }
}

/// A repository of which every signature, version and expiry was found good.
#[derive(Debug)]
pub struct Trusted {
    repository: Repository,
}

impl Trusted {
    /// Reads and verifies the metadata, at the first place that answers with something good.
    ///
    /// # Errors
    /// When no place does.
    pub async fn load(
        fetcher: &Fetcher,
        root: &Path,
        place: &Place,
        memory: &Path,
    ) -> Result<Self, TrustError> {
        let root = fs_err::tokio::read(root).await.map_err(TrustError::Root)?;
        fs_err::create_dir_all(memory).map_err(TrustError::Memory)?;
        let bases: Vec<Url> = match place {
            Place::Http(bases) => bases.clone(),
            Place::Folder(folder) => Url::from_directory_path(folder).into_iter().collect(),
        };
        let mut result = Err(TrustError::Nowhere);
        for base in bases {
            result = load(fetcher, &root, &base, memory).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// The policy of a channel; without one, nothing is a floor and nothing is revoked.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub async fn policy(&self, channel: &str) -> Result<ChannelPolicy, TrustError> {
        match self.read(&policy_name(channel)).await? {
            Some(bytes) => Ok(ChannelPolicy::from_bytes(&bytes)?),
            None => Ok(ChannelPolicy::default()),
        }
    }

    /// The record of a version, if the channel has it.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub async fn record(
        &self,
        channel: &str,
        version: Version,
        arch: &str,
    ) -> Result<Option<ReleaseRecord>, TrustError> {
        match self.read(&record_name(channel, version, arch)).await? {
            Some(bytes) => Ok(Some(ReleaseRecord::from_bytes(&bytes)?)),
            None => Ok(None),
        }
    }

    /// The versions of a channel for an architecture, ascending.
    pub fn versions(&self, channel: &str, arch: &str) -> Vec<Version> {
        let version = |name: &TargetName| {
            let mut parts = name.resolved().split('/');
            let version = parts.nth(1)?.parse().ok()?;
            (name.resolved() == record_name(channel, version, arch)).then_some(version)
        };
        let mut all: Vec<Version> =
            self.repository.all_targets().filter_map(|(name, _)| version(name)).collect();
        all.sort_unstable();
        all
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, TrustError> {
        let failed = |error| TrustError::Tuf(Box::new(error));
        let target = TargetName::new(name).map_err(failed)?;
        let found = self.repository.all_targets().find(|(there, _)| **there == target);
        let Some((_, description)) = found else { return Ok(None) };
        if description.length > TARGET {
            return Err(TrustError::TooLong(name.to_owned()));
        }
        match self.repository.read_target(&target).await.map_err(failed)? {
            Some(stream) => stream.into_vec().await.map(Some).map_err(failed),
            None => Ok(None),
        }
    }
}

async fn load(
    fetcher: &Fetcher,
    root: &[u8],
    base: &Url,
    memory: &Path,
) -> Result<Trusted, TrustError> {
    let join = |name| base.join(name).map_err(|_| TrustError::Nowhere);
    let repository = RepositoryLoader::new(&root, join("metadata/")?, join("targets/")?)
        .transport(Metadata { fetcher: fetcher.clone() })
        .limits(LIMITS)
        .datastore(memory)
        .load()
        .await
        .map_err(|error| TrustError::Tuf(Box::new(error)))?;
    forget_old(memory).map_err(TrustError::Memory)?;
    Ok(Trusted { repository })
}

/// Removes what was seen of a channel in older versions. `tough` writes a file for each version of a delegated role, and reads none of
/// them again: that no role goes back is seen in the snapshot.
fn forget_old(memory: &Path) -> std::io::Result<()> {
    let mut newest: BTreeMap<String, (u64, PathBuf)> = BTreeMap::new();
    for entry in fs_err::read_dir(memory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.split_once('.'));
        let Some((version, role)) = name else { continue };
        let Ok(version) = version.parse() else { continue };
        match newest.entry(role.to_owned()) {
            Entry::Vacant(first) => {
                first.insert((version, path));
            }
            Entry::Occupied(mut other) => {
                let old =
                    if other.get().0 < version { other.insert((version, path)).1 } else { path };
                fs_err::remove_file(old)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_of_a_role_is_remembered() {
        #[track_caller]
        fn check(before: &[&str], expected: &[&str]) {
            let folder = tempfile::tempdir().unwrap();
            for name in before {
                fs_err::write(folder.path().join(name), "").unwrap();
            }
            forget_old(folder.path()).unwrap();
            let mut after: Vec<_> = fs_err::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            after.sort();
            assert_eq!(after, expected);
        }
        check(&[], &[]);
        check(&["9.alpha.json", "10.alpha.json", "2.beta.json"], &["10.alpha.json", "2.beta.json"]);
        let others = [
            "latest_known_time.json",
            "root.json",
            "snapshot.json",
            "targets.json",
            "timestamp.json",
        ];
        check(&others, &others);
    }
}
