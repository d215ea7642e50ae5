//! Which version is taken: a decision without I/O. The server proposes; signed metadata and the machine's owner decide.

use std::collections::BTreeMap;

use slipway_payload::{ChannelPolicy, Digest, PayloadKind, ReleaseRecord, Version};

/// What is known when a version is proposed.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The version that runs.
    pub running: Version,
    /// The root hash of its `/usr`.
    pub usr_root_hash: Digest,
    /// The architecture of the machine.
    pub arch: &'a str,
    /// The channel.
    pub channel: &'a str,
    /// What the channel's signers say.
    pub policy: &'a ChannelPolicy,
    /// Versions that failed here.
    pub failed: &'a BTreeMap<String, String>,
    /// The only version that may be taken.
    pub pin: Option<Version>,
}

/// Why a version is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a version of this channel.
    #[error(
        "the server offers {version}, which the signed metadata of `{channel}` does not have for {arch}"
    )]
    Unsigned {
        /// The version.
        version: Version,
        /// The channel.
        channel: String,
        /// The machine's architecture.
        arch: String,
    },
    /// A record that says something else than its name.
    #[error("the signed record of {version} is for {found}, not for {wanted}")]
    OtherRecord {
        /// The version.
        version: Version,
        /// What the record says.
        found: String,
        /// What it should say.
        wanted: String,
    },
    /// An older version.
    #[error("{version} is older than the {running} that runs; only `rollback` goes back")]
    Older {
        /// The version.
        version: Version,
        /// The version that runs.
        running: Version,
    },
    /// A version that must not be skipped.
    #[error("{version} cannot be reached at once: {floor} must come first ({reason})")]
    Floor {
        /// The version.
        version: Version,
        /// The floor.
        floor: Version,
        /// What the channel's signers say.
        reason: String,
    },
    /// A version that was called back.
    #[error("{version} was revoked ({reason})")]
    Revoked {
        /// The version.
        version: Version,
        /// What the channel's signers say.
        reason: String,
    },
    /// A version that failed on this machine.
    #[error(
        "{version} failed on this machine ({reason}); a newer one is taken, or this one after `reset`"
    )]
    Failed {
        /// The version.
        version: Version,
        /// What was seen.
        reason: String,
    },
    /// Another version is pinned.
    #[error("this machine is pinned to {pin}, and {version} is offered")]
    Pinned {
        /// The version.
        version: Version,
        /// The pinned one.
        pin: Version,
    },
    /// A release without any payload for this machine.
    #[error("{0} has no payload for this machine")]
    NoPayload(Version),
}

impl Refusal {
    /// Whether the offer is wrong, and not only unwelcome: then the server is told of an error.
    pub fn is_attack(&self) -> bool {
        matches!(self, Self::Unsigned { .. } | Self::OtherRecord { .. })
    }

    /// The number that the server is told: policies of the host are 35 and 36, an answer that cannot be right is 34.
    pub fn code(&self) -> u32 {
        match self {
            Self::Unsigned { .. } | Self::OtherRecord { .. } | Self::NoPayload(_) => 34,
            Self::Pinned { .. } | Self::Failed { .. } => 35,
            _ => 36,
        }
    }
}

/// A payload that may be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The digest of its head.
    pub head: Digest,
    /// Its digest.
    pub sha256: Digest,
    /// Its name in the repository.
    pub object: String,
    /// Its length in bytes.
    pub length: u64,
    /// Whether it needs the running version.
    pub kind: CandidateKind,
}

/// Full or delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// It has everything.
    Full,
    /// It is what differs from the running version.
    Delta,
}

/// What is to be installed, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The version.
    pub version: Version,
    /// The root hash of its `/usr`.
    pub usr_root_hash: Digest,
    /// Payloads, the best one first: deltas that match before the full one.
    pub candidates: Vec<Candidate>,
}

/// Decides about a version that was proposed. `record` is what the signed metadata says of it.
///
/// # Errors
/// When it is not taken, and why.
pub fn decide(
    facts: &Facts<'_>,
    version: Version,
    record: Option<&ReleaseRecord>,
) -> Result<Plan, Refusal> {
    let Some(record) = record else {
        let (channel, arch) = (facts.channel.to_owned(), facts.arch.to_owned());
        return Err(Refusal::Unsigned { version, channel, arch });
    };
    let found = format!("{} ({})", record.version, record.arch);
    let wanted = format!("{version} ({})", facts.arch);
    if found != wanted {
        return Err(Refusal::OtherRecord { version, found, wanted });
    }
    if let Some(pin) = facts.pin.filter(|pin| *pin != version) {
        return Err(Refusal::Pinned { version, pin });
    }
    if version < facts.running {
        return Err(Refusal::Older { version, running: facts.running });
    }
    if let Some(note) = facts.policy.revoked(version) {
        return Err(Refusal::Revoked { version, reason: note.reason.clone() });
    }
    if let Some(note) = facts.policy.skipped_floor(facts.running, version) {
        return Err(Refusal::Floor { version, floor: note.version, reason: note.reason.clone() });
    }
    if let Some(reason) = facts.failed.get(&version.to_string()) {
        return Err(Refusal::Failed { version, reason: reason.clone() });
    }
    let usr_root_hash = record.usr_root_hash.parse().map_err(|_| Refusal::NoPayload(version))?;
    let candidates = candidates(facts, record);
    match candidates.is_empty() {
        true => Err(Refusal::NoPayload(version)),
        false => Ok(Plan { version, usr_root_hash, candidates }),
    }
}

fn candidates(facts: &Facts<'_>, record: &ReleaseRecord) -> Vec<Candidate> {
    let of = |(entry, artefact): (&slipway_payload::PayloadEntry, &slipway_payload::Artefact)| {
        let kind = match &entry.kind {
            PayloadKind::Full => CandidateKind::Full,
            PayloadKind::Delta { base_usr_root_hash, .. }
                if *base_usr_root_hash == facts.usr_root_hash =>
            {
                CandidateKind::Delta
            }
            PayloadKind::Delta { .. } => return None,
        };
        Some(Candidate {
            head: entry.head,
            sha256: artefact.sha256,
            object: artefact.object(),
            length: artefact.length,
            kind,
        })
    };
    let mut all: Vec<Candidate> = record.payloads().filter_map(of).collect();
    all.sort_by_key(|candidate| (candidate.kind == CandidateKind::Full, candidate.length));
    all
}

#[cfg(test)]
mod tests {
    use slipway_payload::{Artefact, PayloadEntry, VersionNote};

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn digest(text: &str) -> Digest {
        Digest::of_bytes(text.as_bytes())
    }

    fn record(text: &str) -> ReleaseRecord {
        let artefact =
            |name: &str, length| (name.to_owned(), Artefact { sha256: digest(name), length });
        let entry = |kind, name: &str| PayloadEntry {
            kind,
            artefact: name.to_owned(),
            head: digest(&format!("head of {name}")),
        };
        let delta = |base: &str| PayloadKind::Delta {
            base: "4.0.0".to_owned(),
            base_usr_root_hash: digest(base),
        };
        ReleaseRecord {
            schema: ReleaseRecord::SCHEMA,
            version: text.to_owned(),
            arch: "amd64".to_owned(),
            image: "production".to_owned(),
            inputs: String::new(),
            usr_root_hash: digest(text).to_string(),
            artefacts: [artefact("full", 100), artefact("mine", 10), artefact("other", 5)].into(),
            payloads: vec![
                entry(PayloadKind::Full, "full"),
                entry(delta("running"), "mine"),
                entry(delta("not running"), "other"),
            ],
            packages: Vec::new(),
            tests: BTreeMap::new(),
            previous: None,
        }
    }

    fn check(offer: &str, change: impl Fn(&mut ReleaseRecord), expected: &str) {
        let note = |text: &str, reason: &str| VersionNote {
            version: version(text),
            reason: reason.to_owned(),
        };
        let policy = ChannelPolicy {
            floors: vec![note("5.0.0", "new keys")],
            revoked: vec![note("4.2.0", "loses data")],
        };
        let failed = [("4.3.0".to_owned(), "did not come up".to_owned())].into();
        let facts = Facts {
            running: version("4.1.0"),
            usr_root_hash: digest("running"),
            arch: "amd64",
            channel: "stable",
            policy: &policy,
            failed: &failed,
            pin: None,
        };
        let mut record = record(offer);
        change(&mut record);
        let said = match decide(&facts, version(offer), Some(&record)) {
            Ok(plan) => {
                let lengths: Vec<u64> = plan.candidates.iter().map(|c| c.length).collect();
                format!("{} from {lengths:?}", plan.version)
            }
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(said, expected);
        let pinned = Facts { pin: Some(version("4.9.9")), ..facts };
        let refusal = decide(&pinned, version(offer), Some(&record));
        assert!(refusal.is_err());
        let unsigned = decide(&facts, version(offer), None).unwrap_err();
        assert!(unsigned.is_attack());
    }

    #[test]
    fn what_is_taken_and_what_is_not() {
        check("4.4.0", |_| {}, "4.4.0 from [10, 100]");
        check("5.0.0", |_| {}, "5.0.0 from [10, 100]");
        check("5.0.1", |_| {}, "5.0.1 cannot be reached at once: 5.0.0 must come first (new keys)");
        check("4.2.0", |_| {}, "4.2.0 was revoked (loses data)");
        check(
            "4.0.0",
            |_| {},
            "4.0.0 is older than the 4.1.0 that runs; only `rollback` goes back",
        );
        check(
            "4.3.0",
            |_| {},
            "4.3.0 failed on this machine (did not come up); a newer one is taken, or this one after `reset`",
        );
        check(
            "4.4.0",
            |record| record.arch = "arm64".to_owned(),
            "the signed record of 4.4.0 is for 4.4.0 (arm64), not for 4.4.0 (amd64)",
        );
        check(
            "4.4.0",
            |record| record.version = "4.0.0".to_owned(),
            "the signed record of 4.4.0 is for 4.0.0 (amd64), not for 4.4.0 (amd64)",
        );
        check(
            "4.4.0",
            |record| record.payloads.retain(|entry| entry.artefact == "other"),
            "4.4.0 has no payload for this machine",
        );
        check(
            "4.4.0",
            |record| record.payloads.retain(|entry| entry.artefact != "mine"),
            "4.4.0 from [100]",
        );
    }
}
