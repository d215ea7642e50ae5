//! The scratch folder: one locked folder per run, and the sweep of those whose owner is dead.
//!
//! ```text
//! <scratch>/.lock            held while a run's folder is made or the dead are swept
//! <scratch>/<id>/.lock       held as long as the run's owner lives
//! <scratch>/<id>/.kept       exists when the run is to be kept
//! <scratch>/<id>/…           what the engine puts there
//! ```

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

const LOCK: &str = ".lock";
const KEPT: &str = ".kept";

/// Tells the runs of this process apart, also when the folder of an earlier one is gone already.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// The folder of one run, locked as long as this value lives and removed with it, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct RunDir {
    /// The unique name of the run.
    pub(crate) id: String,
    /// The folder.
    pub(crate) path: Utf8PathBuf,
    kept: AtomicBool,
    _lock: fs::File,
}

impl RunDir {
    /// Makes a folder with a fresh name that starts with `name`.
    pub(crate) fn create(scratch: &Utf8Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(scratch)?;
        let _guard = lock(&scratch.join(LOCK))?;
        loop {
            let id =
                format!("{name}-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
            let path = scratch.join(&id);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let lock = lock(&path.join(LOCK))?;
                    return Ok(Self { id, path, kept: AtomicBool::new(false), _lock: lock });
                }
                // Another process of this number has left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Marks the folder as one that a sweep leaves alone.
    pub(crate) fn keep(&self) -> io::Result<()> {
        self.kept.store(true, Ordering::Relaxed);
        fs::write(self.path.join(KEPT), "")
    }

    /// Removes the folder and tells when that fails, which dropping cannot.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.kept.store(true, Ordering::Relaxed);
        fs::remove_dir_all(&self.path)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            let _left_for_the_sweep = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes the folders of dead runs and returns their names; `before` is called with each name first.
pub(crate) fn sweep(scratch: &Utf8Path, mut before: impl FnMut(&str)) -> io::Result<Vec<String>> {
    if !scratch.exists() {
        return Ok(Vec::new());
    }
    let _guard = lock(&scratch.join(LOCK))?;
    let mut swept = Vec::new();
    for path in scratch.read_dir_utf8()? {
        let path = path?.into_path();
        let Some(id) = path.file_name() else { continue };
        if path.is_dir() && is_dead(&path)? {
            before(id);
            fs::remove_dir_all(&path)?;
            swept.push(id.to_owned());
        }
    }
    Ok(swept)
}

/// Whether a run of this name neither lives nor was kept.
pub(crate) fn is_gone(scratch: &Utf8Path, id: &str) -> io::Result<bool> {
    let path = scratch.join(id);
    Ok(!path.is_dir() || is_dead(&path)?)
}

/// A folder without a lock is none of ours, so it is left alone.
fn is_dead(run: &Utf8Path) -> io::Result<bool> {
    if run.join(KEPT).exists() {
        return Ok(false);
    }
    let file = match fs::File::open(run.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

fn lock(path: &Utf8Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Utf8Path::from_path(dir.path()).unwrap().join("scratch");
        assert!(sweep(&scratch, |_| ()).unwrap().is_empty());

        let live = RunDir::create(&scratch, "a").unwrap();
        let second = RunDir::create(&scratch, "a").unwrap();
        assert_ne!(live.id, second.id);
        let second_path = second.path.clone();
        drop(second);
        assert!(!second_path.exists());
        let dead = "a-0-0".to_owned();
        fs::create_dir(scratch.join(&dead)).unwrap();
        fs::write(scratch.join(&dead).join(LOCK), "").unwrap();
        let kept = RunDir::create(&scratch, "kept").unwrap();
        kept.keep().unwrap();
        drop(kept);
        fs::create_dir(scratch.join("foreign")).unwrap();

        assert!(is_gone(&scratch, &dead).unwrap() && !is_gone(&scratch, &live.id).unwrap());
        let mut seen = Vec::new();
        let swept = sweep(&scratch, |id| seen.push(id.to_owned())).unwrap();
        assert_eq!(swept, [dead]);
        assert_eq!(seen, swept);
        assert!(live.path.exists() && scratch.join("foreign").exists());
        live.remove().unwrap();
    }
}
