//! What a channel shall say next. No I/O, no clock: the same question has the same answer.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp as Time;
use slipway_packages_manifest::Version;
use slipway_payload::record_name;
use slipway_signing::{ChannelName, ChannelTargets, hex};
use slipway_store::Digest;
use tough::{
    TargetName,
    schema::{Hashes, Target},
};

use crate::{
    Channel, ChannelError, ReleaseRecord, State,
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

/// How strict a promotion is.
#[derive(Clone, Copy, Debug)]
pub struct PromoteOptions {
    /// When it is.
    pub now: Time,
    /// Whether the channel may go back to an older release.
    pub allow_downgrade: bool,
}

/// Adds a release that was just built.
///
/// # Errors
/// When the channel takes its releases from another one, or has the version with other content.
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
    let version = version_of(record)?;
    add(state, channel, version, &record.arch, &record.to_bytes()?.into(), now)
}

/// Takes a release to the next channel: the same bytes, signed by others.
///
/// # Errors
/// When a channel would be skipped, the release has not soaked or is not tested, or machines would go back.
pub fn promote(
    state: &State,
    from: &ChannelName,
    to: &Channel,
    release: &Release,
    (record, bytes): (&ReleaseRecord, &Bytes),
    options: PromoteOptions,
) -> Result<Change, ChannelError> {
    let Some(promotion) = to.promotion.as_ref().filter(|promotion| promotion.from == *from) else {
        let expected = to.promotion.as_ref();
        return Err(ChannelError::Skips {
            to: to.name.clone(),
            expected: expected.map_or("a build".to_owned(), |p| format!("`{}`", p.from)),
            given: format!("`{from}`"),
        });
    };
    let wanted = i64::from(promotion.soak_days) * 24;
    let since = release.released.map(|released| options.now.duration_since(released).as_hours());
    let hours = since.unwrap_or(0);
    if hours < wanted {
        return Err(ChannelError::NotSoaked {
            version: release.version,
            from: from.clone(),
            to: to.name.clone(),
            hours,
            wanted,
        });
    }
    if let Some(test) = promotion.tests.iter().find(|test| !record.tests.contains_key(*test)) {
        return Err(ChannelError::Untested {
            version: release.version,
            channel: to.name.clone(),
            test: test.clone(),
        });
    }
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

fn version_of(record: &ReleaseRecord) -> Result<Version, ChannelError> {
    record.version.parse().map_err(ChannelError::RecordVersion)
}

fn add(
    state: &State,
    channel: &Channel,
    version: Version,
    arch: &str,
    bytes: &Bytes,
    now: Time,
) -> Result<Change, ChannelError> {
    let name = &channel.name;
    let mut targets =
        state.channels.get(name).map_or_else(HashMap::new, |role| role.content().targets.clone());
    let digest = Digest::of_bytes(bytes);
    let mut summary = Vec::new();
    let known = state.releases(name);
    if let Some(there) = known.iter().find(|r| r.version == version && r.arch == arch) {
        if hex(&there.target.hashes.sha256) != digest.to_string() {
            return Err(ChannelError::Exists { channel: name.clone(), version });
        }
        return Ok(Change { channel: name.clone(), targets, objects: Vec::new(), summary });
    }
    let target = Target {
        length: bytes.len() as u64,
        hashes: Hashes { sha256: digest.as_bytes().to_vec().into(), _extra: HashMap::new() },
        custom: [(RELEASED.to_owned(), now.to_string().into())].into(),
        _extra: HashMap::new(),
    };
    let objects = vec![(target_object(name, version, arch, &target), bytes.clone())];
    summary.push(format!("{name}: add {version} ({arch}), record {digest}"));
    targets.insert(parse_name(name, version, arch)?, target);
    // The oldest ones of the architecture go when there are too many; a downgrade that was asked for stays.
    let older: Vec<&Release> = known.iter().filter(|r| r.arch == arch).collect();
    let surplus = (older.len() + 1).saturating_sub(channel.keep);
    for release in older.into_iter().take(surplus) {
        summary.push(format!("{name}: no longer list {}", release.version));
        targets.remove(&parse_name(name, release.version, arch)?);
    }
    Ok(Change { channel: name.clone(), targets, objects, summary })
}

fn parse_name(
    channel: &ChannelName,
    version: Version,
    arch: &str,
) -> Result<TargetName, ChannelError> {
    let role = slipway_signing::RoleName::Channel(channel.clone());
    TargetName::new(record_name(channel.as_str(), version, arch)).map_err(|error| {
        slipway_signing::SigningError::Metadata { role, source: Box::new(error) }.into()
    })
}
