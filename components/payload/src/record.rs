//! The release record: what a release is, by digests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_packages_manifest::Version;

use crate::Digest;

/// The form of the record; a client that does not know it must not guess.
const SCHEMA: u32 = 1;

/// A file of a release. Its bytes are in the repository as `blobs/AB/SHA256`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
}

impl Artefact {
    /// Its name in the repository.
    pub fn object(&self) -> String {
        let digest = self.sha256.to_string();
        format!("blobs/{}/{digest}", &digest[..2])
    }
}

/// A package of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageEntry {
    /// Category and name.
    pub name: String,
    /// Version with revision.
    pub version: String,
    /// The licences, as the ebuild says.
    pub licence: String,
}

/// A test that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRun {
    /// The digest of the disk that was tested.
    pub disk: Digest,
}

/// A payload of the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadEntry {
    /// What it is applied to.
    pub kind: PayloadKind,
    /// Its name in `artefacts`.
    pub artefact: String,
    /// The digest of its head ([`crate::Written::head`]).
    pub head: Digest,
}

/// What a payload is applied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PayloadKind {
    /// Nothing: it has everything.
    Full,
    /// The system that a host runs.
    Delta {
        /// Its version, for people.
        base: String,
        /// The root hash of its `/usr`: what decides.
        base_usr_root_hash: Digest,
    },
}

/// What a release is. The same bytes go from channel to channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// The form of the record.
    pub schema: u32,
    /// The version, three numbers.
    pub version: String,
    /// The architecture, as Debian and Go call it.
    pub arch: String,
    /// The image, such as `production`.
    pub image: String,
    /// The key of the action that made the disk: a digest of everything that went into it.
    pub inputs: String,
    /// The root hash of `/usr`, in hexadecimal.
    pub usr_root_hash: String,
    /// The files, by name.
    pub artefacts: BTreeMap<String, Artefact>,
    /// The payloads for hosts that update themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<PayloadEntry>,
    /// The packages, by name.
    pub packages: Vec<PackageEntry>,
    /// Tests that passed, by name.
    pub tests: BTreeMap<String, TestRun>,
    /// The release before it in the channel that it was first published to.
    pub previous: Option<String>,
}

/// Why a release record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of this form.
    #[error("the release record is not of the form that this program knows")]
    Json(#[source] serde_json::Error),
    /// Of a form that came later, or never was.
    #[error("the release record has form {0}, and this program knows {SCHEMA}; update it")]
    Schema(u32),
    /// A payload that is not among the artefacts.
    #[error("the release record names the payload `{0}` but has no such artefact")]
    NoArtefact(String),
}

impl ReleaseRecord {
    /// The number of the present form.
    pub const SCHEMA: u32 = SCHEMA;

    /// The bytes that are signed.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(RecordError::Json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a record. Its digest must have been verified before.
    ///
    /// # Errors
    /// When it is none of this form, or speaks of payloads that are no artefacts.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(bytes).map_err(RecordError::Json)?;
        if record.schema != SCHEMA {
            return Err(RecordError::Schema(record.schema));
        }
        for payload in &record.payloads {
            if !record.artefacts.contains_key(&payload.artefact) {
                return Err(RecordError::NoArtefact(payload.artefact.clone()));
            }
        }
        Ok(record)
    }

    /// The payloads with their files, in the order of the record.
    pub fn payloads(&self) -> impl Iterator<Item = (&PayloadEntry, &Artefact)> {
        self.payloads.iter().filter_map(|entry| Some((entry, self.artefacts.get(&entry.artefact)?)))
    }
}

/// The name of a record as a target of TUF.
pub fn record_name(channel: &str, version: Version, arch: &str) -> String {
    format!("{channel}/{version}/{arch}/release.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ReleaseRecord {
        let sha256 = Digest::of_bytes(b"p");
        let kind = PayloadKind::Delta { base: "4.0.0".to_owned(), base_usr_root_hash: sha256 };
        ReleaseRecord {
            schema: SCHEMA,
            version: "4.1.0".to_owned(),
            arch: "amd64".to_owned(),
            image: "production".to_owned(),
            inputs: "i".to_owned(),
            usr_root_hash: sha256.to_string(),
            artefacts: [("d.payload".to_owned(), Artefact { sha256, length: 1 })].into(),
            payloads: vec![PayloadEntry { kind, artefact: "d.payload".to_owned(), head: sha256 }],
            packages: Vec::new(),
            tests: BTreeMap::new(),
            previous: None,
        }
    }

    #[test]
    fn bytes_and_back() {
        let record = record();
        let bytes = record.to_bytes().unwrap();
        assert_eq!(ReleaseRecord::from_bytes(&bytes).unwrap(), record);
        assert_eq!(record.payloads().count(), 1);
    }

    /// Records of before there were payloads stay what they were, byte by byte.
    #[test]
    fn a_record_without_payloads_is_what_it_was() {
        let mut record = record();
        record.payloads.clear();
        let bytes = record.to_bytes().unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("payloads"));
        assert_eq!(ReleaseRecord::from_bytes(&bytes).unwrap(), record);
    }

    #[test]
    fn what_is_refused() {
        let check = |change: &dyn Fn(&mut ReleaseRecord), expected: &str| {
            let mut record = record();
            change(&mut record);
            let bytes = record.to_bytes().unwrap();
            assert_eq!(ReleaseRecord::from_bytes(&bytes).unwrap_err().to_string(), expected);
        };
        check(
            &|record| record.schema = 2,
            "the release record has form 2, and this program knows 1; update it",
        );
        check(
            &|record| record.artefacts.clear(),
            "the release record names the payload `d.payload` but has no such artefact",
        );
    }
}
