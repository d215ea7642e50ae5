//! `channels/NAME.toml`: what a channel is.

use std::{collections::BTreeMap, num::NonZeroUsize};

use serde::Deserialize;
use slipway_packages_manifest::Version;
use slipway_payload::{ChannelPolicy, VersionNote};
use slipway_signing::{ChannelName, KeyName, Lifetime, PublicKey};

use crate::ChannelError;

/// Where a channel's releases come from, and what must be true of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The channel before it.
    pub from: ChannelName,
    /// How long a release must have been there, in days.
    pub soak_days: u32,
    /// Tests that must have passed.
    pub tests: Vec<String>,
    /// Who must have rebuilt it.
    pub rebuilds: Option<Rebuilds>,
}

/// Who must have built a release again and found the same bits, before it is promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilds {
    /// How many of them.
    pub threshold: NonZeroUsize,
    /// Those whose word counts, by name.
    pub keys: BTreeMap<KeyName, PublicKey>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, which is also its role's.
    pub name: ChannelName,
    /// One line for people.
    pub description: String,
    /// How many releases stay listed.
    pub keep: usize,
    /// From how many releases before it a new one can be reached by a delta.
    pub deltas: usize,
    /// `None`: releases come straight from the build.
    pub promotion: Option<Promotion>,
    /// What it says beyond its releases.
    pub policy: ChannelPolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChannel {
    description: String,
    keep: usize,
    #[serde(default)]
    deltas: usize,
    promotion: Option<RawPromotion>,
    #[serde(default)]
    floors: Vec<RawNote>,
    #[serde(default)]
    revoked: Vec<RawNote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNote {
    version: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPromotion {
    from: ChannelName,
    soak: Option<Lifetime>,
    #[serde(default)]
    tests: Vec<String>,
    rebuilds: Option<RawRebuilds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRebuilds {
    threshold: usize,
    keys: BTreeMap<KeyName, String>,
}

impl Channel {
    /// Parses and validates the text of a channel's file; `file` is how errors call it.
    ///
    /// # Errors
    /// When it is no TOML of this form, or the channel would promote from itself.
    pub fn parse(name: ChannelName, file: &str, text: &str) -> Result<Self, ChannelError> {
        let raw: RawChannel = toml::from_str(text).map_err(|source| ChannelError::Parse {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let invalid =
            |problem: String| Err(ChannelError::Invalid { file: file.to_owned(), problem });
        if raw.keep == 0 {
            return invalid("`keep` is 0; a channel keeps at least its newest release".to_owned());
        }
        if raw.promotion.as_ref().is_some_and(|promotion| promotion.from == name) {
            return invalid(format!("`{name}` cannot take its releases from itself"));
        }
        let policy = ChannelPolicy { floors: notes(raw.floors)?, revoked: notes(raw.revoked)? };
        // A policy that contradicts itself has no bytes.
        policy.to_bytes()?;
        let promotion = match raw.promotion {
            Some(raw) => Some(Promotion {
                from: raw.from,
                soak_days: raw.soak.map_or(0, |soak| soak.days),
                tests: raw.tests,
                rebuilds: raw.rebuilds.map(|raw| rebuilds(file, raw)).transpose()?,
            }),
            None => None,
        };
        let RawChannel { description, keep, deltas, .. } = raw;
        Ok(Self { name, description, keep, deltas, promotion, policy })
    }
}

fn notes(raw: Vec<RawNote>) -> Result<Vec<VersionNote>, ChannelError> {
    raw.into_iter()
        .map(|raw| match raw.version.parse::<Version>() {
            Ok(version) => Ok(VersionNote { version, reason: raw.reason }),
            Err(_) => Err(slipway_payload::PolicyError::Version(raw.version).into()),
        })
        .collect()
}

fn rebuilds(file: &str, raw: RawRebuilds) -> Result<Rebuilds, ChannelError> {
    let invalid = |problem: String| ChannelError::Invalid { file: file.to_owned(), problem };
    let mut keys = BTreeMap::new();
    for (name, text) in raw.keys {
        let key = slipway_signing::public_from_hex(&text).ok_or_else(|| {
            invalid(format!("the key of `{name}` is no ed25519 key of 64 hexadecimal digits"))
        })?;
        if let Some((other, _)) = keys.iter().find(|(_, known)| **known == key) {
            return Err(invalid(format!("`{other}` and `{name}` have the same key")));
        }
        keys.insert(name, key);
    }
    let threshold = NonZeroUsize::new(raw.threshold).filter(|n| n.get() <= keys.len());
    let threshold = threshold.ok_or_else(|| {
        let (given, count) = (raw.threshold, keys.len());
        invalid(format!("the threshold of `rebuilds` is {given}, and it has {count} keys"))
    })?;
    Ok(Rebuilds { threshold, keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_valid() {
        #[track_caller]
        fn check(name: &str, text: &str, from: Option<&str>) {
            let channel = Channel::parse(name.parse().unwrap(), name, text).unwrap();
            assert_eq!(channel.promotion.as_ref().map(|p| p.from.as_str()), from);
        }
        check("alpha", include_str!("../alpha.toml"), None);
        check("beta", include_str!("../beta.toml"), Some("alpha"));
        check("stable", include_str!("../stable.toml"), Some("beta"));
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = Channel::parse("beta".parse().unwrap(), "beta.toml", text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error} {}", source.unwrap_or_default());
            assert!(text.contains(expected), "{text}");
        }
        check("description = ''\nkeep = 0", "`keep` is 0");
        check("description = ''\nkeep = 1\n[promotion]\nfrom = 'beta'", "from itself");
        check("description = ''\nkeep = 1\n[promotion]\nfrom = 'a'\nsoak = '1h'", "lifetime");
        check("description = ''\nkeep = 1\ncolour = 'red'", "colour");
        check("keep = 1", "description");
        let start = "description = ''\nkeep = 1\n";
        let note = |version: &str| format!("[{{ version = '{version}', reason = '' }}]");
        check(&format!("{start}floors = {}", note("4.2")), "lists `4.2`, which is no version");
        let both = format!("{start}floors = {0}\nrevoked = {0}", note("4.2.0"));
        check(&both, "lists 4.2.0 twice");
        let rebuilds = format!("{start}[promotion]\nfrom = 'a'\n[promotion.rebuilds]\n");
        let key = slipway_signing::SecretKey::generate(
            "k".parse().unwrap(),
            slipway_signing::KeyMark::Release,
        );
        let key = slipway_signing::public_to_hex(&key.unwrap().public());
        check(&format!("{rebuilds}threshold = 1\nkeys = {{ a = 'x' }}"), "the key of `a` is no");
        let twice = format!("{rebuilds}threshold = 1\nkeys = {{ a = '{key}', b = '{key}' }}");
        check(&twice, "`a` and `b` have the same key");
        let few = format!("{rebuilds}threshold = 2\nkeys = {{ a = '{key}' }}");
        check(&few, "the threshold of `rebuilds` is 2, and it has 1 keys");
    }
}
