//! The content of metadata, before anybody has signed it. No clock here: callers say what time it is.

use std::{collections::HashMap, num::NonZeroU64};

use jiff::{SignedDuration, Timestamp as Time};
use tough::schema::{
    DelegatedRole, Delegations, Hashes, Metafile, PathPattern, PathSet, RoleKeys, RoleType, Root,
    Snapshot, Target, Targets, Timestamp,
    decoded::{Decoded, Hex},
    key::Key,
};

use crate::{
    ChannelName, Complete, KeyName, Lifetime, PublicKey, Role, RoleName, Roles, SigningError,
};

/// The version of the specification that the metadata follows.
pub const SPEC_VERSION: &str = "1.0.0";

/// What the targets of a channel's role are, by name.
pub type ChannelTargets = HashMap<tough::TargetName, Target>;

/// A version of metadata and until when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The number of the version; each one is higher than the one before.
    pub version: NonZeroU64,
    /// Until when it holds.
    pub expires: Time,
}

impl Expiry {
    /// The version after `previous`, holding for `lifetime` from `now`.
    pub fn after(previous: Option<NonZeroU64>, now: Time, lifetime: Lifetime) -> Self {
        let version = previous.map_or(NonZeroU64::MIN, |version| version.saturating_add(1));
        let seconds = i64::from(lifetime.days) * 24 * 60 * 60;
        let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Time::MAX);
        // The format has whole seconds.
        let expires = Time::from_second(expires.as_second()).unwrap_or(expires);
        Self { version, expires }
    }
}

/// The public keys that a role has, in the order of their names.
type PublicKeys<'a> = &'a dyn Fn(&KeyName) -> Result<PublicKey, SigningError>;

/// A root with the keys of the four top-level roles (TUF 1.0, section 4.3).
///
/// # Errors
/// When a public key is not known.
pub fn new_root(roles: &Roles, public: PublicKeys<'_>, at: Expiry) -> Result<Root, SigningError> {
    let mut keys = HashMap::new();
    let mut of = HashMap::new();
    for (name, kind) in [
        (RoleName::Root, RoleType::Root),
        (RoleName::Targets, RoleType::Targets),
        (RoleName::Snapshot, RoleType::Snapshot),
        (RoleName::Timestamp, RoleType::Timestamp),
    ] {
        let role = roles.role(&name)?;
        let keyids = collect(role, public, &mut keys)?;
        let threshold = role.threshold;
        of.insert(kind, RoleKeys { keyids, threshold, _extra: HashMap::new() });
    }
    Ok(Root {
        spec_version: SPEC_VERSION.to_owned(),
        consistent_snapshot: true,
        version: at.version,
        expires: at.expires,
        keys,
        roles: of,
        _extra: HashMap::new(),
    })
}

/// The targets role: it has no targets of its own, and delegates `CHANNEL/*` to each channel, the last word included
/// (TUF 1.0, section 4.5, `terminating`).
///
/// # Errors
/// When a public key is not known.
pub fn new_targets(
    roles: &Roles,
    public: PublicKeys<'_>,
    at: Expiry,
) -> Result<Targets, SigningError> {
    let mut delegations = Delegations::new();
    for (channel, role) in roles.channels() {
        let keyids = collect(role, public, &mut delegations.keys)?;
        let name = RoleName::Channel(channel.clone());
        let pattern = PathPattern::new(format!("{channel}/**"))
            .map_err(|error| SigningError::metadata(&name, error))?;
        delegations.roles.push(DelegatedRole {
            name: channel.to_string(),
            keyids,
            threshold: role.threshold,
            paths: PathSet::Paths(vec![pattern]),
            terminating: true,
            targets: None,
        });
    }
    let mut targets = Targets::new(SPEC_VERSION.to_owned(), at.version, at.expires);
    targets.delegations = Some(delegations);
    Ok(targets)
}

/// What a channel's signers say: these targets, and nothing else, are released there.
///
/// # Errors
/// When a target's name does not belong to the channel.
pub fn new_channel(
    channel: &ChannelName,
    targets: ChannelTargets,
    at: Expiry,
) -> Result<Targets, SigningError> {
    let start = format!("{channel}/");
    if let Some(name) = targets.keys().find(|name| !name.resolved().starts_with(&start)) {
        let problem = format!("the target `{}` is not below `{start}`", name.resolved());
        return Err(SigningError::metadata(&RoleName::Channel(channel.clone()), problem));
    }
    let mut role = Targets::new(SPEC_VERSION.to_owned(), at.version, at.expires);
    role.targets = targets;
    role.delegations = None;
    Ok(role)
}

/// The snapshot of these versions (TUF 1.0, section 4.4).
pub fn new_snapshot(
    targets: &Complete<Targets>,
    channels: &[(ChannelName, Complete<Targets>)],
    at: Expiry,
) -> Snapshot {
    let mut snapshot = Snapshot::new(SPEC_VERSION.to_owned(), at.version, at.expires);
    snapshot
        .meta
        .insert("targets.json".to_owned(), metafile(targets.bytes(), targets.content().version));
    for (name, role) in channels {
        let file = metafile(role.bytes(), role.content().version);
        snapshot.meta.insert(format!("{name}.json"), file);
    }
    snapshot
}

/// The timestamp of a snapshot (TUF 1.0, section 4.6).
pub fn new_timestamp(snapshot: &Complete<Snapshot>, at: Expiry) -> Timestamp {
    let mut timestamp = Timestamp::new(SPEC_VERSION.to_owned(), at.version, at.expires);
    timestamp
        .meta
        .insert("snapshot.json".to_owned(), metafile(snapshot.bytes(), snapshot.content().version));
    timestamp
}

fn metafile(bytes: &[u8], version: NonZeroU64) -> Metafile {
    Metafile {
        length: Some(bytes.len() as u64),
        hashes: Some(Hashes { sha256: sha256(bytes).into(), _extra: HashMap::new() }),
        version,
        _extra: HashMap::new(),
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

fn collect(
    role: &Role,
    public: PublicKeys<'_>,
    keys: &mut HashMap<Decoded<Hex>, Key>,
) -> Result<Vec<Decoded<Hex>>, SigningError> {
    role.keys
        .iter()
        .map(|name| {
            let key = public(name)?;
            keys.insert(key.id(), key.to_tuf());
            Ok(key.id())
        })
        .collect()
}
