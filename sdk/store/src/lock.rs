//! Named locks: one process at a time, and the others can say for whom they wait.
//!
//! The lock is a `flock`, so it ends with its process. The file's text names the holder; its modification time says since
//! when. The file stays when the lock is released, as removing it would let two processes lock two files of one name.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::StoreError;
use crate::store::Store;

/// A lock that is held until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct StoreLock {
    file: fs_err::File,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, in its own PID namespace.
    pub pid: u32,
    /// Its command line, as the shell would take it.
    pub command: String,
    /// When it took the lock, as seconds since 1970.
    pub since: u64,
}

/// What came of an attempt to lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock is ours.
    Acquired(StoreLock),
    /// Another has it; who that is may be unknown for a moment.
    Held(Option<Holder>),
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // An old name in a free lock would be wrong, but harms nobody.
        drop(self.file.set_len(0));
    }
}

impl Store {
    /// Takes a lock, waiting for whoever holds it.
    pub fn lock(&self, name: &str) -> Result<StoreLock, StoreError> {
        let path = self.lock_path(name)?;
        let failed = |source| StoreError::Lock { path: path.clone(), source };
        let file = open(&path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(failed)?;
        sign(file).map_err(|source| StoreError::write(&path, source))
    }

    /// Takes a lock if it is free, or says who holds it.
    pub fn try_lock(&self, name: &str) -> Result<LockAttempt, StoreError> {
        let path = self.lock_path(name)?;
        let failed = |source| StoreError::Lock { path: path.clone(), source };
        let mut file = open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => sign(file)
                .map(LockAttempt::Acquired)
                .map_err(|source| StoreError::write(&path, source)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                read_holder(&mut file).map(LockAttempt::Held).map_err(failed)
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// A lock without a name in it, for short waits inside the store.
    pub(crate) fn lock_tree(&self, shard: &str) -> Result<fs_err::File, StoreError> {
        let path = self.root().join("locks/trees").join(shard);
        let failed = |source| StoreError::Lock { path: path.clone(), source };
        let file = open(&path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(failed)?;
        Ok(file)
    }

    fn lock_path(&self, name: &str) -> Result<Utf8PathBuf, StoreError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 200 || !name.bytes().all(plain) {
            return Err(StoreError::LockName { name: name.to_owned() });
        }
        Ok(self.root().join("locks").join(format!("{name}.lock")))
    }
}

fn open(path: &Utf8Path) -> io::Result<fs_err::File> {
    fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn flock(file: &fs_err::File, operation: FlockOperation) -> io::Result<()> {
    loop {
        match rustix::fs::flock(file, operation) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Writes who we are into a lock that we have.
fn sign(mut file: fs_err::File) -> io::Result<StoreLock> {
    let pid = rustix::process::getpid().as_raw_nonzero();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{pid}\n{}\n", command_line()).as_bytes())?;
    Ok(StoreLock { file })
}

fn command_line() -> String {
    let bytes = fs_err::read("/proc/self/cmdline").unwrap_or_default();
    let arguments = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    arguments
        .map(|argument| quote(&String::from_utf8_lossy(argument)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''").replace('\n', " "))
}

/// Reads who holds a lock. It may just have been taken, so an empty file gets a few more looks.
fn read_holder(file: &mut fs_err::File) -> io::Result<Option<Holder>> {
    for _ in 0..10 {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        let since = u64::try_from(file.metadata()?.mtime()).unwrap_or(0);
        if let Some(holder) = parse_holder(&text, since) {
            return Ok(Some(holder));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}

fn parse_holder(text: &str, since: u64) -> Option<Holder> {
    let (pid, command) = text.strip_suffix('\n')?.split_once('\n')?;
    Some(Holder { pid: pid.parse().ok()?, command: command.to_owned(), since })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_text() {
        let holder = Holder { pid: 42, command: "xtask build-image".to_owned(), since: 7 };
        assert_eq!(parse_holder("42\nxtask build-image\n", 7), Some(holder));
        assert_eq!(parse_holder("", 7), None);
        assert_eq!(parse_holder("42\nxtask bui", 7), None);
    }

    #[test]
    fn arguments_are_quoted() {
        assert_eq!(quote("--jobs=2"), "--jobs=2");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
