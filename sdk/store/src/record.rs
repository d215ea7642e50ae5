//! Action records: which blobs an action made, from what, and how long it took.
//!
//! A record file is a checksum over key and text, a newline, and the record as JSON. Anything that does not parse or
//! does not match its checksum reads as absent, so that the action runs again.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW};
use serde::{Deserialize, Serialize};

use crate::blob::{list_sharded, sharded};
use crate::digest::{Digest, Hasher, Key};
use crate::error::StoreError;
use crate::store::{Store, rename_into_place};

/// What is known about an action that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRecord {
    /// The kind of action, such as `package`.
    pub kind: String,
    /// What it was about, such as a package's name and version. With the kind it finds the record of the last run.
    pub name: String,
    /// The blobs that it made, by the names of its declared outputs.
    pub outputs: BTreeMap<String, Digest>,
    /// How long it took.
    pub seconds: f64,
    /// When it ended, as seconds since 1970.
    pub unix_time: u64,
    /// Its inputs by name, with their digests or values as text, to explain a later rebuild.
    pub inputs: BTreeMap<String, String>,
}

impl Store {
    /// Remembers what an action made. Put the outputs first.
    pub fn record(&self, key: &Key, record: &ActionRecord) -> Result<(), StoreError> {
        let path = self.record_path(key);
        let bytes = encode(key, record)
            .map_err(|source| StoreError::Encode { path: path.clone(), source })?;
        self.write_small(&path, &bytes)?;
        self.write_small(
            &self.latest_path(&record.kind, &record.name),
            format!("{key}\n").as_bytes(),
        )
    }

    /// Finds the record of an action whose outputs are all here and sound.
    pub fn lookup(&self, key: &Key) -> Result<Option<ActionRecord>, StoreError> {
        let Some(record) = self.recorded(key)? else { return Ok(None) };
        for digest in record.outputs.values() {
            if self.blob(digest)?.is_none() {
                return Ok(None);
            }
        }
        // The record's time says when it was last of use. A store that cannot be written to is of use all the same.
        let path = self.record_path(key);
        rustix::fs::utimensat(rustix::fs::CWD, path.as_str(), &NOW, AtFlags::SYMLINK_NOFOLLOW).ok();
        Ok(Some(record))
    }

    /// Finds the record of an action, whether or not its outputs are still here.
    pub fn recorded(&self, key: &Key) -> Result<Option<ActionRecord>, StoreError> {
        let path = self.record_path(key);
        Ok(read_small(&path)?.and_then(|bytes| decode(key, &bytes)))
    }

    /// Finds the last recorded action of a kind and name, to tell what changed since and how long it took.
    pub fn latest(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<(Key, ActionRecord)>, StoreError> {
        let Some(bytes) = read_small(&self.latest_path(kind, name))? else { return Ok(None) };
        let Some(key) =
            std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse::<Key>().ok())
        else {
            return Ok(None);
        };
        Ok(self.recorded(&key)?.map(|record| (key, record)))
    }

    /// The keys of all records, sorted.
    pub fn keys(&self) -> Result<Vec<Key>, StoreError> {
        Ok(list_sharded(&self.root().join("actions"))?.into_iter().map(Key::new).collect())
    }

    pub(crate) fn record_path(&self, key: &Key) -> Utf8PathBuf {
        sharded(&self.root().join("actions"), key.digest())
    }

    fn latest_path(&self, kind: &str, name: &str) -> Utf8PathBuf {
        sharded(
            &self.root().join("latest"),
            &Digest::of_bytes(format!("{kind}\0{name}").as_bytes()),
        )
    }

    fn write_small(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), StoreError> {
        let (temp, mut file) = self.inner().temp.file()?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|source| StoreError::write(path, source))?;
        rename_into_place(&temp, path)
    }
}

const NOW: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
};

fn read_small(path: &Utf8Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) =>
        {
            Ok(None)
        }
        Err(source) => Err(StoreError::read(path, source)),
    }
}

fn checksum(key: &Key, json: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(key.digest().as_bytes());
    hasher.update(json);
    hasher.finish()
}

pub(crate) fn encode(key: &Key, record: &ActionRecord) -> Result<Vec<u8>, serde_json::Error> {
    // JSON has no infinities; a time that nobody can have measured must not make the record unreadable.
    let seconds = if record.seconds.is_finite() { record.seconds } else { 0.0 };
    let json = serde_json::to_vec(&ActionRecord { seconds, ..record.clone() })?;
    let mut bytes = format!("{}\n", checksum(key, &json)).into_bytes();
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Option<ActionRecord> {
    let newline = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, json) = (&bytes[..newline], &bytes[newline + 1..]);
    let expected: Digest = std::str::from_utf8(head).ok()?.parse().ok()?;
    if checksum(key, json) != expected {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Key {
        Key::new(Digest::of_bytes(&[n]))
    }

    fn sample() -> ActionRecord {
        ActionRecord {
            kind: "package".to_owned(),
            name: "sys-apps/sed".to_owned(),
            outputs: BTreeMap::from([("gpkg".to_owned(), Digest::of_bytes(b"gpkg"))]),
            seconds: 12.25,
            unix_time: 1_700_000_000,
            inputs: BTreeMap::from([(
                "ebuild".to_owned(),
                Digest::of_bytes(b"ebuild").to_string(),
            )]),
        }
    }

    #[test]
    fn a_record_belongs_to_its_key() {
        let bytes = encode(&key(1), &sample()).unwrap();
        assert_eq!(decode(&key(1), &bytes), Some(sample()));
        assert_eq!(decode(&key(2), &bytes), None);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = br#"{"kind":"a","name":"b","outputs":{},"seconds":0.0,"unix_time":0,"inputs":{},"more":1}"#;
        let mut bytes = format!("{}\n", checksum(&key(1), json)).into_bytes();
        bytes.extend_from_slice(json);
        assert_eq!(decode(&key(1), &bytes), None);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(position: prop::sample::Index, bit in 0_u8..8) {
            let mut bytes = encode(&key(1), &sample()).unwrap();
            let at = position.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(decode(&key(1), &bytes), None);
        }

        #[test]
        fn any_time_survives(seconds: f64) {
            let record = ActionRecord { seconds, ..sample() };
            let bytes = encode(&key(1), &record).unwrap();
            prop_assert!(decode(&key(1), &bytes).is_some());
        }
    }
}
