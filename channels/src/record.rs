//! The release record: what a release is, by digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipway_packages_manifest::Version;
use slipway_signing::ChannelName;
use slipway_store::Digest;

use crate::ChannelError;

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
    /// The packages, by name.
    pub packages: Vec<PackageEntry>,
    /// Tests that passed, by name.
    pub tests: BTreeMap<String, TestRun>,
    /// The release before it in the channel that it was first published to.
    pub previous: Option<String>,
}

impl ReleaseRecord {
    /// The number of the present form.
    pub const SCHEMA: u32 = SCHEMA;

    /// The bytes that are signed.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn to_bytes(&self) -> Result<Bytes, ChannelError> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|source| ChannelError::Record { source })?;
        bytes.push(b'\n');
        Ok(bytes.into())
    }

    /// Reads a record. Its digest must have been verified before.
    ///
    /// # Errors
    /// When it is none of this form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChannelError> {
        let record: Self =
            serde_json::from_slice(bytes).map_err(|source| ChannelError::Record { source })?;
        if record.schema != SCHEMA {
            let problem = format!("its form is {}, and this program knows {SCHEMA}", record.schema);
            let source = <serde_json::Error as serde::de::Error>::custom(problem);
            return Err(ChannelError::Record { source });
        }
        Ok(record)
    }
}

/// The name of a record as a target of TUF.
pub fn target_name(channel: &ChannelName, version: Version, arch: &str) -> String {
    format!("{channel}/{version}/{arch}/release.json")
}
