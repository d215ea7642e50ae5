//! Temporary files of this process, and the removal of those that dead processes left behind.
//!
//! Each opened store has a directory of its own under `tmp/` and holds a `flock` on it. The kernel drops that lock when
//! the process dies, however it dies, so a directory whose lock can be taken belongs to nobody. Unlike process ids this
//! holds across PID namespaces and reboots.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, Mode};

use crate::dir;
use crate::error::StoreError;

pub(crate) struct TempArea {
    root: Utf8PathBuf,
    session: Mutex<Option<Session>>,
    counter: AtomicU64,
}

struct Session {
    dir: Utf8PathBuf,
    _lock: OwnedFd,
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(dir::remove(&self.dir));
    }
}

/// A path for a temporary file or directory, removed on drop unless it was renamed away.
pub(crate) struct TempPath {
    path: Utf8PathBuf,
}

impl TempPath {
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        drop(dir::remove(&self.path));
    }
}

impl TempArea {
    pub(crate) fn new(root: Utf8PathBuf) -> Self {
        Self { root, session: Mutex::new(None), counter: AtomicU64::new(0) }
    }

    /// Names a new temporary path, on the file system of the store.
    pub(crate) fn path(&self) -> Result<TempPath, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = match &*session {
            Some(session) => session.dir.clone(),
            None => session.insert(self.begin()?).dir.clone(),
        };
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        Ok(TempPath { path: dir.join(count.to_string()) })
    }

    /// Makes a new temporary file.
    pub(crate) fn file(&self) -> Result<(TempPath, fs_err::File), StoreError> {
        let temp = self.path()?;
        let file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(temp.path())
            .map_err(|source| StoreError::write(temp.path(), source))?;
        Ok((temp, file))
    }

    fn begin(&self) -> Result<Session, StoreError> {
        let pid = rustix::process::getpid().as_raw_nonzero();
        (0_u64..)
            .find_map(|n| try_begin(self.root.join(format!("{pid}-{n}"))).transpose())
            .expect("the range of session numbers does not end")
            .map_err(|source| StoreError::write(&self.root, source))
    }

    /// Removes what dead processes left behind. A failure is not one of the caller: the next open tries again.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for entry in fs_err::read_dir(&self.root)? {
            let Ok(path) = Utf8PathBuf::from_path_buf(entry?.path()) else { continue };
            let Ok(dir) = dir::open_dir(rustix::fs::CWD, path.as_str()) else { continue };
            if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
                dir::remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Makes and locks a session directory; `None` when the name is taken, or a sweeper was faster than our lock.
fn try_begin(path: Utf8PathBuf) -> io::Result<Option<Session>> {
    match rustix::fs::mkdir(path.as_str(), Mode::RWXU) {
        Err(rustix::io::Errno::EXIST) => return Ok(None),
        result => result?,
    }
    let Ok(lock) = dir::open_dir(rustix::fs::CWD, path.as_str()) else { return Ok(None) };
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    let ours = rustix::fs::fstat(&lock)?;
    let same = rustix::fs::lstat(path.as_str()).is_ok_and(|named| named.st_ino == ours.st_ino);
    Ok(same.then(|| Session { dir: path, _lock: lock }))
}
