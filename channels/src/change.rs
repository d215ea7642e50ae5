//! What a channel shall say next. No I/O, no clock: the same question has the same answer.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use jiff::Timestamp as Time;
use slipway_packages_manifest::Version;
use slipway_payload::{ChannelPolicy, policy_name, record_name};
use slipway_signing::{ChannelName, ChannelTargets, KeyName, hex};
use slipway_store::Digest;
use tough::{
    TargetName,
    schema::{Hashes, Target},
};

use crate::{
    Channel, ChannelError, Promotion, ReleaseRecord, State,
    repository::{RELEASED, Release, listed, target_object},
};

/// What a channel shall say next.
#[derive(Clone, Debug)]
pub struct Change {
    /// The channel.
    pub channel: ChannelName,
    /// All its targets.
    pub targets: ChannelTargets,
    /// Objects that must be there before, by name.
    pub objects: Vec<(String, Bytes)>,
    /// What it comes to, for people; empty if the channel says so already.
    pub summary: Vec<String>,
}

/// How strict a promotion is, and what is known beside the repository.
#[derive(Clone, Debug)]
pub struct PromoteOptions {
    /// When it is.
    pub now: Time,
    /// Whether the channel may go back to an older release.
    pub allow_downgrade: bool,
    /// Who has rebuilt the release and found the same bits ([`crate::Repository::attested`]).
    pub attested: Vec<KeyName>,
}

/// Adds a release that was just built.
///
/// # Errors
/// When the channel takes its releases from another one, has revoked this one, or has the version with other content.
pub fn release(
    state: &State,
    channel: &Channel,
    record: &ReleaseRecord,
    now: Time,
) -> Result<Change, ChannelError> {
    if let Some(promotion) = &channel.promotion {
        return Err(ChannelError::Skips {
            to: channel.name.clone(),
            expected: format!("`{}`", promotion.from),
            given: "a build".to_owned(),
        });
    }
    let version = record.version.parse().map_err(ChannelError::RecordVersion)?;
    add(state, channel, version, &record.arch, &record.to_bytes()?.into(), now)
}

/// Takes a release to the next channel: the same bytes, signed by others.
///
/// # Errors
/// When a channel would be skipped; the release is revoked, has not soaked, is not tested or not rebuilt by enough others; or
/// machines would go back.
pub fn promote(
    state: &State,
    from: &Channel,
    to: &Channel,
    release: &Release,
    (record, bytes): (&ReleaseRecord, &Bytes),
    options: &PromoteOptions,
) -> Result<Change, ChannelError> {
    let Some(promotion) = to.promotion.as_ref().filter(|promotion| promotion.from == from.name)
    else {
        let expected = to.promotion.as_ref();
        return Err(ChannelError::Skips {
            to: to.name.clone(),
            expected: expected.map_or("a build".to_owned(), |p| format!("`{}`", p.from)),
            given: format!("`{}`", from.name),
        });
    };
    not_revoked(from, release.version)?;
    soaked(from, to, promotion, release, options.now)?;
    if let Some(test) = promotion.tests.iter().find(|test| !record.tests.contains_key(*test)) {
        return Err(ChannelError::Untested {
            version: release.version,
            channel: to.name.clone(),
            test: test.clone(),
        });
    }
    rebuilt(to, promotion, release, &options.attested)?;
    let newest = state.releases(&to.name).last().map(|release| release.version);
    if let Some(newest) = newest.filter(|newest| *newest > release.version)
        && !options.allow_downgrade
    {
        return Err(ChannelError::Downgrade {
            channel: to.name.clone(),
            newest,
            version: release.version,
        });
    }
    add(state, to, release.version, &release.arch, bytes, options.now)
}

/// Makes a channel say which versions are floors and which are revoked, as its file does.
///
/// # Errors
/// When a floor is no release of the channel.
pub fn set_policy(state: &State, channel: &Channel) -> Result<Change, ChannelError> {
    let mut change = unchanged(state, channel);
    add_policy(state, channel, &mut change)?;
    Ok(change)
}

impl State {
    /// A release of a channel by version.
    ///
    /// # Errors
    /// When there is none.
    pub fn release(
        &self,
        channel: &ChannelName,
        version: Version,
        arch: &str,
    ) -> Result<Release, ChannelError> {
        let releases = self.releases(channel);
        let found = releases.iter().find(|r| r.version == version && r.arch == arch).cloned();
        found.ok_or_else(|| ChannelError::NoRelease {
            channel: channel.clone(),
            version,
            known: listed(&releases),
        })
    }
}

fn not_revoked(channel: &Channel, version: Version) -> Result<(), ChannelError> {
    match channel.policy.revoked(version) {
        None => Ok(()),
        Some(note) => Err(ChannelError::Revoked {
            channel: channel.name.clone(),
            version,
            reason: note.reason.clone(),
        }),
    }
}

fn soaked(
    from: &Channel,
    to: &Channel,
    promotion: &Promotion,
    release: &Release,
    now: Time,
) -> Result<(), ChannelError> {
    let wanted = i64::from(promotion.soak_days) * 24;
    let since = release.released.map(|released| now.duration_since(released).as_hours());
    let hours = since.unwrap_or(0);
    if hours >= wanted {
        return Ok(());
    }
    Err(ChannelError::NotSoaked {
        version: release.version,
        from: from.name.clone(),
        to: to.name.clone(),
        hours,
        wanted,
    })
}

fn rebuilt(
    to: &Channel,
    promotion: &Promotion,
    release: &Release,
    attested: &[KeyName],
) -> Result<(), ChannelError> {
    let Some(rebuilds) = &promotion.rebuilds else { return Ok(()) };
    let attested: BTreeSet<&KeyName> = attested.iter().collect();
    let (good, missing): (Vec<&KeyName>, Vec<&KeyName>) =
        rebuilds.keys.keys().partition(|name| attested.contains(name));
    if good.len() >= rebuilds.threshold.get() {
        return Ok(());
    }
    Err(ChannelError::NotRebuilt {
        version: release.version,
        channel: to.name.clone(),
        valid: good.len(),
        threshold: rebuilds.threshold.get(),
        missing: missing.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    })
}

/// What the channel says now.
fn unchanged(state: &State, channel: &Channel) -> Change {
    let role = state.channels.get(&channel.name);
    Change {
        channel: channel.name.clone(),
        targets: role.map_or_else(HashMap::new, |role| role.content().targets.clone()),
        objects: Vec::new(),
        summary: Vec::new(),
    }
}

fn add(
    state: &State,
    channel: &Channel,
    version: Version,
    arch: &str,
    bytes: &Bytes,
    now: Time,
) -> Result<Change, ChannelError> {
    not_revoked(channel, version)?;
    let name = &channel.name;
    let mut change = unchanged(state, channel);
    let digest = Digest::of_bytes(bytes);
    let known = state.releases(name);
    if let Some(there) = known.iter().find(|r| r.version == version && r.arch == arch) {
        if hex(&there.target.hashes.sha256) != digest.to_string() {
            return Err(ChannelError::Exists { channel: name.clone(), version });
        }
        add_policy(state, channel, &mut change)?;
        return Ok(change);
    }
    let custom = [(RELEASED.to_owned(), now.to_string().into())].into();
    let target = Target { custom, ..target(bytes) };
    let path = record_name(name.as_str(), version, arch);
    change.objects.push((target_object(&path, &target), bytes.clone()));
    change.summary.push(format!("{name}: add {version} ({arch}), record {digest}"));
    change.targets.insert(parse_name(name, &path)?, target);
    // The oldest ones of the architecture go when there are too many; a downgrade that was asked for stays, and so does what
    // old machines must not skip.
    let floor = |version| channel.policy.floors.iter().any(|note| note.version == version);
    let older: Vec<&Release> =
        known.iter().filter(|r| r.arch == arch && !floor(r.version)).collect();
    let surplus = (older.len() + 1).saturating_sub(channel.keep);
    for release in older.into_iter().take(surplus) {
        change.summary.push(format!("{name}: no longer list {}", release.version));
        let path = record_name(name.as_str(), release.version, arch);
        change.targets.remove(&parse_name(name, &path)?);
    }
    add_policy(state, channel, &mut change)?;
    Ok(change)
}

/// Brings the policy among the targets to what the channel's file says.
fn add_policy(state: &State, channel: &Channel, change: &mut Change) -> Result<(), ChannelError> {
    let (name, policy) = (&channel.name, &channel.policy);
    let path = policy_name(name.as_str());
    let key = parse_name(name, &path)?;
    if *policy == ChannelPolicy::default() && !change.targets.contains_key(&key) {
        return Ok(());
    }
    floors_are_there(state, channel, change)?;
    let bytes = Bytes::from(policy.to_bytes()?);
    let target = target(&bytes);
    if change.targets.get(&key).is_some_and(|there| there.hashes == target.hashes) {
        return Ok(());
    }
    let versions = |notes: &[slipway_payload::VersionNote]| match notes {
        [] => "none".to_owned(),
        notes => notes.iter().map(|n| n.version.to_string()).collect::<Vec<_>>().join(", "),
    };
    let (floors, revoked) = (versions(&policy.floors), versions(&policy.revoked));
    change.summary.push(format!("{name}: floors {floors}; revoked {revoked}"));
    change.objects.push((target_object(&path, &target), bytes));
    change.targets.insert(key, target);
    Ok(())
}

/// A floor below the newest release is where machines have to stop on their way: it must be there.
fn floors_are_there(state: &State, channel: &Channel, change: &Change) -> Result<(), ChannelError> {
    let releases = crate::repository::releases_of(&change.targets);
    let newest = releases.last().map(|release| release.version);
    let missing = channel.policy.floors.iter().find(|note| {
        newest.is_some_and(|newest| note.version < newest)
            && !releases.iter().any(|release| release.version == note.version)
    });
    match missing {
        None => Ok(()),
        Some(note) => Err(ChannelError::FloorMissing {
            channel: channel.name.clone(),
            version: note.version,
            known: listed(&state.releases(&channel.name)),
        }),
    }
}

fn target(bytes: &Bytes) -> Target {
    let digest = Digest::of_bytes(bytes);
    Target {
        length: bytes.len() as u64,
        hashes: Hashes { sha256: digest.as_bytes().to_vec().into(), _extra: HashMap::new() },
        custom: HashMap::new(),
        _extra: HashMap::new(),
    }
}

fn parse_name(channel: &ChannelName, path: &str) -> Result<TargetName, ChannelError> {
    let role = slipway_signing::RoleName::Channel(channel.clone());
    TargetName::new(path).map_err(|error| {
        slipway_signing::SigningError::Metadata { role, source: Box::new(error) }.into()
    })
}
