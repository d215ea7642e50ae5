//! What a client sees: the repository, verified from a root that it already trusts.

use std::num::NonZeroU64;

use camino::Utf8PathBuf;
use jiff::Timestamp as Time;
use tough::{
    Limits, Repository, RepositoryLoader, Transport,
    schema::{RoleType, Root, Signed, Target},
};
use url::Url;

use crate::{RoleName, SigningError, key::is_for_development};

/// How much metadata a client reads before it gives up, in bytes. A repository of a hundred releases needs less than a tenth.
const LIMITS: Limits = Limits {
    max_root_size: 256 << 10,
    max_targets_size: 4 << 20,
    max_timestamp_size: 64 << 10,
    max_snapshot_size: 256 << 10,
    max_root_updates: 256,
};

/// Where a client finds what it verifies.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The root that it trusts, as it came with the system.
    pub root: Vec<u8>,
    /// Where the metadata is; ends with a slash.
    pub metadata: Url,
    /// Where the targets are; ends with a slash.
    pub targets: Url,
    /// A folder in which it remembers what it has seen, so that nobody can take it back. It must outlive the client.
    pub memory: Utf8PathBuf,
}

/// A repository of which every signature, version and expiry was found good.
#[derive(Debug)]
pub struct Verified {
    repository: Repository,
}

/// When metadata of a role ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// The role.
    pub role: RoleName,
    /// Its version.
    pub version: NonZeroU64,
    /// When it expires.
    pub expires: Time,
    /// Whether a key for development may sign for it.
    pub for_development: bool,
}

/// Reads and verifies the metadata (TUF 1.0, section 5).
///
/// # Errors
/// When anything is not as signed: the error names the role and what is wrong with it.
pub async fn verify<T: Transport + Send + Sync + 'static>(
    config: ClientConfig,
    transport: T,
) -> Result<Verified, VerifyError> {
    let repository = RepositoryLoader::new(&config.root, config.metadata, config.targets)
        .transport(transport)
        .limits(LIMITS)
        .datastore(config.memory)
        .load()
        .await
        .map_err(|source| VerifyError { source: Box::new(source) })?;
    Ok(Verified { repository })
}

/// Metadata or a target that is not to be trusted.
#[derive(Debug, thiserror::Error)]
#[error("the repository is not to be trusted")]
pub struct VerifyError {
    source: Box<tough::error::Error>,
}

impl VerifyError {
    /// The role whose metadata has expired, if that is why; of `targets` and the channels it is not known which.
    pub fn expired(&self) -> Option<RoleName> {
        let tough::error::Error::ExpiredMetadata { role, .. } = &*self.source else { return None };
        match role {
            RoleType::Root => Some(RoleName::Root),
            RoleType::Snapshot => Some(RoleName::Snapshot),
            RoleType::Timestamp => Some(RoleName::Timestamp),
            RoleType::Targets | RoleType::DelegatedTargets => None,
        }
    }
}

impl Verified {
    /// The targets of all channels, by name.
    pub fn targets(&self) -> impl Iterator<Item = (&str, &Target)> {
        self.repository.all_targets().map(|(name, target)| (name.resolved(), target))
    }

    /// The bytes of a target, once their digest and length were found good.
    ///
    /// # Errors
    /// When there is none of that name, or it is not what was signed.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, VerifyError> {
        use tough::IntoVec as _;
        let failed = |source| VerifyError { source: Box::new(source) };
        let name = tough::TargetName::new(name).map_err(failed)?;
        match self.repository.read_target(&name).await.map_err(failed)? {
            Some(stream) => stream.into_vec().await.map(Some).map_err(failed),
            None => Ok(None),
        }
    }

    /// The newest root; a client keeps it.
    pub fn root(&self) -> &Signed<Root> {
        self.repository.root()
    }

    /// Every role with its version and expiry, the one that expires first in front.
    pub fn roles(&self) -> Vec<RoleState> {
        let root = &self.repository.root().signed;
        let marked = |kind: RoleType| root.keys(kind).any(is_for_development);
        let state = |role, version, expires, for_development| RoleState {
            role,
            version,
            expires,
            for_development,
        };
        let targets = &self.repository.targets().signed;
        let snapshot = &self.repository.snapshot().signed;
        let timestamp = &self.repository.timestamp().signed;
        let mut all = vec![
            state(RoleName::Root, root.version, root.expires, marked(RoleType::Root)),
            state(RoleName::Targets, targets.version, targets.expires, marked(RoleType::Targets)),
            state(
                RoleName::Snapshot,
                snapshot.version,
                snapshot.expires,
                marked(RoleType::Snapshot),
            ),
            state(
                RoleName::Timestamp,
                timestamp.version,
                timestamp.expires,
                marked(RoleType::Timestamp),
            ),
        ];
        if let Some(delegations) = &targets.delegations {
            for role in &delegations.roles {
                let keys = role.keyids.iter().filter_map(|id| delegations.keys.get(id));
                let marked = keys.into_iter().any(is_for_development);
                if let (Some(signed), Ok(name)) = (&role.targets, role.name.parse()) {
                    let content = &signed.signed;
                    all.push(state(name, content.version, content.expires, marked));
                }
            }
        }
        all.sort_by_key(|role| role.expires);
        all
    }
}

/// The version of a root, of which nothing is believed yet.
///
/// # Errors
/// When it is no root.
pub fn root_version(text: &[u8]) -> Result<NonZeroU64, SigningError> {
    let root: Signed<Root> = serde_json::from_slice(text)
        .map_err(|error| SigningError::metadata(&RoleName::Root, error))?;
    Ok(root.signed.version)
}
