//! Logs: one file per run of an action, the one before kept as `.1`.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;

use crate::node::NodeId;

/// How much of the end of a log is looked at for its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// The log file of one run of an action. Cloneable: the clones write to the same file, each write in one piece.
#[derive(Clone, Debug)]
pub struct LogWriter {
    path: Utf8PathBuf,
    file: Arc<Mutex<File>>,
}

/// Why a log cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder of logs cannot be made.
    #[error("cannot make the folder of logs")]
    Folder {
        /// The cause, which names the folder.
        #[source]
        source: io::Error,
    },
    /// The log of the run before cannot be put aside.
    #[error("cannot keep the previous log")]
    Rotate {
        /// The cause, which names the files.
        #[source]
        source: io::Error,
    },
    /// The log cannot be opened.
    #[error("cannot open a log")]
    Open {
        /// The cause, which names the file.
        #[source]
        source: io::Error,
    },
    /// The log cannot be read.
    #[error("cannot read a log")]
    Read {
        /// The cause, which names the file.
        #[source]
        source: io::Error,
    },
}

impl LogWriter {
    /// Begins a new log of the action `id` in the folder `logs`.
    pub fn create(logs: &Utf8Path, id: &NodeId) -> Result<Self, LogError> {
        fs_err::create_dir_all(logs).map_err(|source| LogError::Folder { source })?;
        let path = path(logs, id);
        let previous = Utf8PathBuf::from(format!("{path}.1"));
        match fs_err::rename(&path, &previous) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(LogError::Rotate { source });
            }
            Err(_) | Ok(()) => {}
        }
        let file = File::create(&path).map_err(|source| LogError::Open { source })?;
        Ok(Self { path, file: Arc::new(Mutex::new(file)) })
    }

    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Appends bytes as they are.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    /// Appends a line.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.write(format!("{text}\n").as_bytes())
    }

    /// The last lines of the log.
    pub fn last_lines(&self, count: usize) -> Result<Vec<String>, LogError> {
        last_lines(&self.path, count)
    }
}

/// The log file of an action in the folder `logs`.
pub(crate) fn path(logs: &Utf8Path, id: &NodeId) -> Utf8PathBuf {
    logs.join(format!("{}.log", id.file_name()))
}

/// The last `count` lines of a log file, oldest first. Bytes that are no UTF-8 are replaced, and of a huge line only the
/// end is given.
pub fn last_lines(path: &Utf8Path, count: usize) -> Result<Vec<String>, LogError> {
    let (bytes, cut) = tail(path).map_err(|source| LogError::Read { source })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if cut && lines.len() > 1 {
        lines.remove(0);
    }
    let start = lines.len().saturating_sub(count);
    Ok(lines[start..].iter().map(|line| (*line).to_owned()).collect())
}

/// The end of a file, and whether something stands before it.
fn tail(path: &Utf8Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, start > 0))
}
