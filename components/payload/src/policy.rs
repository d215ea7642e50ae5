//! The policy of a channel: what it says beyond its releases.

use serde::{Deserialize, Serialize};
use slipway_packages_manifest::Version;

/// The form of the policy; a client that does not know it must not guess.
const SCHEMA: u32 = 1;

/// What a channel says beyond its releases. It is a target of TUF ([`policy_name`]), so an update server cannot change it: it can
/// delay an update, but neither skip a floor nor push what was revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPolicy {
    /// Versions that an older machine must not skip; ascending.
    pub floors: Vec<VersionNote>,
    /// Versions that are never to be installed; ascending.
    pub revoked: Vec<VersionNote>,
}

/// A version, and why it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionNote {
    /// The version.
    pub version: Version,
    /// Why, for people.
    pub reason: String,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not JSON of this form.
    #[error("the channel's policy is not of the form that this program knows")]
    Json(#[source] serde_json::Error),
    /// Of a form that came later, or never was.
    #[error("the channel's policy has form {0}, and this program knows {SCHEMA}; update it")]
    Schema(u32),
    /// A text that is no version.
    #[error("the channel's policy lists `{0}`, which is no version")]
    Version(String),
    /// A version that is listed twice.
    #[error("the channel's policy lists {0} twice; a floor cannot be revoked")]
    Twice(Version),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    schema: u32,
    #[serde(default)]
    floors: Vec<RawNote>,
    #[serde(default)]
    revoked: Vec<RawNote>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNote {
    version: String,
    reason: String,
}

impl ChannelPolicy {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// When a version is listed twice.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PolicyError> {
        let raw = |notes: &[VersionNote]| -> Vec<RawNote> {
            let mut notes: Vec<&VersionNote> = notes.iter().collect();
            notes.sort_by_key(|note| note.version);
            let raw = notes.into_iter().map(|note| RawNote {
                version: note.version.to_string(),
                reason: note.reason.clone(),
            });
            raw.collect()
        };
        self.check()?;
        let raw =
            RawPolicy { schema: SCHEMA, floors: raw(&self.floors), revoked: raw(&self.revoked) };
        let mut bytes = serde_json::to_vec_pretty(&raw).map_err(PolicyError::Json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads and validates a policy. Its digest must have been verified before.
    ///
    /// # Errors
    /// When it is none of this form, or contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PolicyError> {
        let raw: RawPolicy = serde_json::from_slice(bytes).map_err(PolicyError::Json)?;
        if raw.schema != SCHEMA {
            return Err(PolicyError::Schema(raw.schema));
        }
        let notes = |raw: Vec<RawNote>| -> Result<Vec<VersionNote>, PolicyError> {
            let note = |raw: RawNote| match raw.version.parse() {
                Ok(version) => Ok(VersionNote { version, reason: raw.reason }),
                Err(_) => Err(PolicyError::Version(raw.version)),
            };
            let mut notes: Vec<VersionNote> =
                raw.into_iter().map(note).collect::<Result<_, _>>()?;
            notes.sort_by_key(|note| note.version);
            Ok(notes)
        };
        let policy = Self { floors: notes(raw.floors)?, revoked: notes(raw.revoked)? };
        policy.check()?;
        Ok(policy)
    }

    /// Why a version is revoked, if it is.
    pub fn revoked(&self, version: Version) -> Option<&VersionNote> {
        self.revoked.iter().find(|note| note.version == version)
    }

    /// The first floor that a machine at `from` would skip if it went to `to`.
    pub fn skipped_floor(&self, from: Version, to: Version) -> Option<&VersionNote> {
        let skipped = self.floors.iter().filter(|note| note.version > from && note.version < to);
        skipped.min_by_key(|note| note.version)
    }

    fn check(&self) -> Result<(), PolicyError> {
        let mut all: Vec<Version> =
            self.floors.iter().chain(&self.revoked).map(|note| note.version).collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PolicyError::Twice(pair[0])),
            None => Ok(()),
        }
    }
}

/// The name of a channel's policy as a target of TUF. A channel without one has no floors and has revoked nothing.
pub fn policy_name(channel: &str) -> String {
    format!("{channel}/channel.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn policy() -> ChannelPolicy {
        let note = |text: &str, reason: &str| VersionNote {
            version: version(text),
            reason: reason.to_owned(),
        };
        ChannelPolicy {
            floors: vec![note("4.2.0", "new keys"), note("5.0.0", "new layout")],
            revoked: vec![note("4.1.3", "loses data")],
        }
    }

    #[test]
    fn bytes_and_back() {
        let policy = policy();
        assert_eq!(ChannelPolicy::from_bytes(&policy.to_bytes().unwrap()).unwrap(), policy);
        let empty = ChannelPolicy::from_bytes(b"{\"schema\": 1}").unwrap();
        assert_eq!(empty, ChannelPolicy::default());
    }

    #[test]
    fn what_a_machine_may_skip() {
        #[track_caller]
        fn check(from: &str, to: &str, expected: Option<&str>) {
            let policy = policy();
            let floor = policy.skipped_floor(version(from), version(to));
            assert_eq!(floor.map(|note| note.version), expected.map(version));
        }
        check("4.0.0", "4.1.0", None);
        check("4.0.0", "4.2.0", None);
        check("4.0.0", "4.2.1", Some("4.2.0"));
        check("4.0.0", "6.0.0", Some("4.2.0"));
        check("4.2.0", "6.0.0", Some("5.0.0"));
        check("6.0.0", "4.0.0", None);
    }

    #[test]
    fn revoked_is_what_is_listed() {
        assert_eq!(policy().revoked(version("4.1.3")).unwrap().reason, "loses data");
        assert!(policy().revoked(version("4.1.4")).is_none());
    }

    #[test]
    fn what_is_refused() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = ChannelPolicy::from_bytes(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let unknown = "the channel's policy is not of the form that this program knows";
        check("{}", unknown);
        check(r#"{"schema": 1, "more": 1}"#, unknown);
        check(
            r#"{"schema": 2}"#,
            "the channel's policy has form 2, and this program knows 1; update it",
        );
        check(
            r#"{"schema": 1, "floors": [{"version": "4.2", "reason": ""}]}"#,
            "the channel's policy lists `4.2`, which is no version",
        );
        check(
            r#"{"schema": 1, "floors": [{"version": "4.2.0", "reason": ""}],
                "revoked": [{"version": "4.2.0", "reason": ""}]}"#,
            "the channel's policy lists 4.2.0 twice; a floor cannot be revoked",
        );
    }
}
