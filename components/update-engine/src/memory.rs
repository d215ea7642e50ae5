//! What survives a restart of the agent and of the machine.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use slipway_payload::Digest;

/// What is remembered. Versions go forward and back over the same file: fields that came later have defaults, so that an older file
/// can be read, and fields that nobody knows any more are passed over, so that a newer one can.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The version that was installed first.
    pub aleph_version: String,
    /// When the server was asked last, in seconds since 1970.
    pub last_checked: i64,
    /// An update that waits for its reboot, or was just booted.
    pub pending: Option<Pending>,
    /// The version before the running one, until the server knows.
    pub report_previous: Option<String>,
    /// Whether the server has to be told that a version was left again.
    pub report_rollback: bool,
    /// Versions that are not taken again, and why.
    pub failed: BTreeMap<String, String>,
    /// The only version that is taken.
    pub pin: Option<String>,
    /// A channel chosen by an administrator; it goes before the configured one.
    pub channel: Option<String>,
    /// A download that was interrupted.
    pub download: Option<Download>,
    /// Whether the server was reached by the version that is now the old one.
    pub network_seen: bool,
    /// Counters since the first boot.
    pub counters: Counters,
}

/// An update that waits for its reboot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its version.
    pub version: String,
    /// The version that installed it.
    pub from: String,
    /// The boot in which it was installed.
    pub boot_id: String,
}

/// A download that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The payload, by its head.
    pub head: Digest,
    /// How many frames are on the medium.
    pub frames: usize,
}

/// Counters for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Checks.
    pub checks: u64,
    /// Installations that were begun.
    pub attempts: u64,
    /// Installations that came to a reboot.
    pub installed: u64,
    /// Checks and installations that failed.
    pub failures: u64,
    /// Updates that were not taken.
    pub blocked: u64,
    /// Versions that were left again.
    pub rollbacks: u64,
    /// Bytes of payloads that came over the network.
    pub bytes: u64,
}

/// The file of the memory.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    path: PathBuf,
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file.
    #[error("the agent's memory cannot be read or written")]
    Io(#[source] io::Error),
    /// Its content.
    #[error("`{path}` is no memory of this agent")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

impl MemoryFile {
    /// The memory in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("state.json") }
    }

    /// What is remembered. A damaged file is put aside: an agent without memory still works, one that does not start updates nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self) -> Result<Memory, MemoryError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
            Err(error) => return Err(MemoryError::Io(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(memory) => Ok(memory),
            Err(_) => {
                fs::rename(&self.path, self.path.with_extension("damaged"))
                    .map_err(MemoryError::Io)?;
                Ok(Memory::default())
            }
        }
    }

    /// Remembers: written aside, flushed and renamed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, memory: &Memory) -> Result<(), MemoryError> {
        let bytes = serde_json::to_vec_pretty(memory)
            .map_err(|source| MemoryError::Json { path: self.path.clone(), source })?;
        self.write(&bytes).map_err(MemoryError::Io)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, &self.path)?;
        match self.path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_and_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let file = MemoryFile::new(folder.path());
        assert_eq!(file.load().unwrap(), Memory::default());
        let memory = Memory { pin: Some("4.1.0".to_owned()), last_checked: 7, ..Memory::default() };
        file.save(&memory).unwrap();
        assert_eq!(file.load().unwrap(), memory);
        fs::write(folder.path().join("state.json"), "{\"pin\":").unwrap();
        assert_eq!(file.load().unwrap(), Memory::default());
        assert!(folder.path().join("state.damaged").exists());
    }

    #[test]
    fn files_of_other_versions_are_read() {
        #[track_caller]
        fn check(text: &str) {
            let memory: Memory = serde_json::from_str(text).unwrap();
            assert_eq!(memory, Memory { last_checked: 5, ..Memory::default() });
        }
        check(r#"{"last_checked": 5}"#);
        check(r#"{"last_checked": 5, "counters": {"of_tomorrow": 1}, "of_tomorrow": true}"#);
    }
}
