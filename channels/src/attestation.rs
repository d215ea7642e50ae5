//! The word of those who built a release again and found the same bits.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipway_signing::{KeyName, PublicKey, SecretKey, public_to_hex, seal, unseal};
use slipway_store::Created;

use crate::{ChannelError, Rebuilds, ReleaseRecord, Repository};

/// The kind of the statement, and of what it says.
const KIND: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "urn:slipway:rebuild:1";

/// No attestation is larger, in bytes.
const LIMIT: u64 = 1 << 20;

/// What a rebuild says: an in-toto statement (version 1) about the files that came out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Sha256,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256 {
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    /// The digest of the release record.
    record: String,
    version: String,
    arch: String,
}

/// Those files of a release that a rebuild must find: what the build graph makes of the sources alone. Payloads stand on what was
/// released before, the bill and the provenance are descriptions, and what enrols keys (`.auth`) is their holders' word.
pub fn rebuilt_files(record: &ReleaseRecord) -> BTreeMap<String, String> {
    let payload = |name: &str| record.payloads.iter().any(|payload| payload.artefact == name);
    record
        .artefacts
        .iter()
        .filter(|(name, _)| !payload(name) && !name.ends_with(".json") && !name.ends_with(".auth"))
        .map(|(name, artefact)| (name.clone(), artefact.sha256.to_string()))
        .collect()
}

/// Compares what a rebuild found with a release.
///
/// # Errors
/// When a file differs or was not built: all of them are named.
pub fn compare_rebuild(
    record: &ReleaseRecord,
    found: &BTreeMap<String, String>,
) -> Result<(), ChannelError> {
    let wanted = rebuilt_files(record);
    let differ: Vec<&str> = wanted
        .iter()
        .filter(|(name, digest)| found.get(*name) != Some(*digest))
        .map(|(name, _)| name.as_str())
        .collect();
    if differ.is_empty() && !wanted.is_empty() {
        return Ok(());
    }
    Err(ChannelError::Differs { version: record.version.clone(), files: differ.join(", ") })
}

fn object(record: &Bytes, key: &PublicKey) -> String {
    let digest = slipway_store::Digest::of_bytes(record);
    format!("attestations/{digest}/{}.json", public_to_hex(key))
}

impl Repository {
    /// Publishes the word of a key's holder that a rebuild found the files of a release. Gives the object.
    ///
    /// # Errors
    /// When the files differ, or the exchange fails.
    pub async fn attest(
        &self,
        (record, bytes): (&ReleaseRecord, &Bytes),
        found: &BTreeMap<String, String>,
        key: &SecretKey,
    ) -> Result<String, ChannelError> {
        compare_rebuild(record, found)?;
        let subject = rebuilt_files(record).into_iter();
        let statement = Statement {
            kind: STATEMENT.to_owned(),
            subject: subject
                .map(|(name, sha256)| Subject { name, digest: Sha256 { sha256 } })
                .collect(),
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                record: slipway_store::Digest::of_bytes(bytes).to_string(),
                version: record.version.clone(),
                arch: record.arch.clone(),
            },
        };
        let statement =
            serde_json::to_vec(&statement).map_err(slipway_payload::RecordError::Json)?;
        let envelope = Bytes::from(seal(KIND, &statement, key)?);
        let name = object(bytes, &key.public());
        match self.remote.create(&name, envelope).await.map_err(ChannelError::remote)? {
            Created::New | Created::Same => Ok(name),
            Created::Other => Err(ChannelError::Conflict),
        }
    }

    /// Those of the listed holders whose word is there, and good.
    ///
    /// # Errors
    /// When one is there that is not good, or the exchange fails.
    pub async fn attested(
        &self,
        (record, bytes): (&ReleaseRecord, &Bytes),
        rebuilds: &Rebuilds,
    ) -> Result<Vec<KeyName>, ChannelError> {
        let mut good = Vec::new();
        for (name, key) in &rebuilds.keys {
            let envelope = self.remote.read(&object(bytes, key), LIMIT).await;
            let Some(envelope) = envelope.map_err(ChannelError::remote)? else { continue };
            check((record, bytes), &unseal(KIND, &envelope, name, key)?, name)?;
            good.push(name.clone());
        }
        Ok(good)
    }
}

/// Whether a statement is about this record, and says of its files what it says.
fn check(
    (record, bytes): (&ReleaseRecord, &Bytes),
    statement: &[u8],
    name: &KeyName,
) -> Result<(), ChannelError> {
    let wrong = |problem: String| -> ChannelError {
        slipway_signing::SigningError::Statement { key: name.clone(), problem }.into()
    };
    let statement: Statement =
        serde_json::from_slice(statement).map_err(|error| wrong(error.to_string()))?;
    let digest = slipway_store::Digest::of_bytes(bytes).to_string();
    let ours = statement.kind == STATEMENT
        && statement.predicate_type == PREDICATE
        && statement.predicate.record == digest;
    if !ours {
        return Err(wrong("it is about something else".to_owned()));
    }
    let found = statement.subject.into_iter().map(|s| (s.name, s.digest.sha256)).collect();
    compare_rebuild(record, &found)
}
