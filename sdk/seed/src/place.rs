//! Where things are in the cache, and the rules that keep half-made things from being used:
//! one process at a time builds, in a directory whose name starts with `tmp-`; a rename makes it count.
//!
//! ```text
//! <cache>/sdk/lock               held while something is built
//! <cache>/sdk/debs/<sha256>.deb
//! <cache>/sdk/newer/<id>         the id of the root that was made with newer packages than that lock has
//! <cache>/sdk/tmp-<id>-<n>/      a root being made
//! <cache>/sdk/<id>/root          a finished root
//! <cache>/sdk/<id>/ready         written last
//! ```

use std::{
    fs::{File, Permissions},
    io::{ErrorKind, Write as _},
    os::{fd::AsFd as _, unix::fs::PermissionsExt as _},
    sync::Arc,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::FlockOperation;

use crate::{
    error::{SeedError, file},
    event::{Events, SeedEvent},
    types::Sha256Digest,
};

/// A finished SDK root file system, to be used read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdkRoot {
    /// Its directory.
    pub dir: Utf8PathBuf,
    /// The digest of the lock and the setup that it was made from.
    pub id: String,
}

/// The layout of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    base: Utf8PathBuf,
}

/// Held while this process builds in the cache.
#[derive(Debug, Clone)]
pub(crate) struct BuildLock(
    #[expect(dead_code, reason = "held for its drop, which unlocks")] Arc<File>,
);

impl Place {
    pub(crate) fn new(cache_dir: &Utf8Path) -> Self {
        Self { base: cache_dir.join("sdk") }
    }

    pub(crate) fn debs(&self) -> Utf8PathBuf {
        self.base.join("debs")
    }

    pub(crate) fn deb(&self, digest: Sha256Digest) -> Utf8PathBuf {
        self.base.join(format!("debs/{digest}.deb"))
    }

    pub(crate) fn newer(&self, id: &str) -> Utf8PathBuf {
        self.base.join("newer").join(id)
    }

    /// Makes a directory to build in, one that nobody has used: a command of a killed bootstrap may still write into its.
    pub(crate) fn create_building(
        &self,
        _lock: &BuildLock,
        id: &str,
    ) -> Result<Utf8PathBuf, SeedError> {
        let mut number = 0;
        loop {
            let dir = self.base.join(format!("tmp-{id}-{number}"));
            match fs_err::create_dir(&dir) {
                Ok(()) => return Ok(dir),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(file("make the directory", dir)(error)),
            }
        }
    }

    pub(crate) fn finished(&self, id: &str) -> Utf8PathBuf {
        self.base.join(id)
    }

    /// The root of this id if it is ready: a look at one file.
    pub(crate) fn ready(&self, id: &str) -> Option<SdkRoot> {
        let dir = self.finished(id);
        dir.join("ready").is_file().then(|| SdkRoot { dir: dir.join("root"), id: id.to_owned() })
    }

    /// Makes the directories.
    pub(crate) fn create(&self) -> Result<(), SeedError> {
        for dir in [self.debs(), self.base.join("newer")] {
            fs_err::create_dir_all(&dir).map_err(file("make the directory", dir))?;
        }
        Ok(())
    }

    /// Waits until no other process builds in this cache.
    pub(crate) async fn lock(&self, events: &dyn Events) -> Result<BuildLock, SeedError> {
        let path = self.base.join("lock");
        let handle = fs_err::File::create(&path).map_err(file("open", &path))?.into_parts().0;
        let mut told = false;
        loop {
            match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(BuildLock(Arc::new(handle))),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(file("lock", path)(error.into())),
            }
            if !told {
                events.event(SeedEvent::WaitingForLock);
                told = true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Removes what killed bootstraps left. Only while holding the lock: what is found then belongs to nobody.
    pub(crate) fn sweep(&self, _lock: &BuildLock, events: &dyn Events) -> Result<(), SeedError> {
        for dir in [&self.base, &self.debs()] {
            for entry in fs_err::read_dir(dir).map_err(file("list", dir))? {
                let entry = entry.map_err(file("list", dir))?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if name.starts_with("tmp-") {
                    match remove_tree(&dir.join(&name)) {
                        Ok(()) => events.event(SeedEvent::LeftoverRemoved { name }),
                        // Nobody will use it, so it may wait for the next time.
                        Err(error) => events
                            .event(SeedEvent::LeftoverKept { name, reason: error.to_string() }),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Removes a file or a whole directory, but never through a mount: that would empty a directory of the host.
pub(crate) fn remove_tree(path: &Utf8Path) -> Result<(), SeedError> {
    refuse_mounts(path)?;
    let removed = match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(file("remove", path))
}

fn refuse_mounts(path: &Utf8Path) -> Result<(), SeedError> {
    let table = fs_err::read_to_string("/proc/self/mountinfo")
        .map_err(file("read", "/proc/self/mountinfo"))?;
    let real = path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    // A blank in a mount point is written as `\040`; only ASCII blanks and backslashes are escaped.
    let points = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| point.replace("\\040", " "));
    match points.into_iter().find(|point| Utf8Path::new(point).starts_with(&real)) {
        Some(mount) => Err(SeedError::StillMounted { path: path.to_owned(), mount }),
        None => Ok(()),
    }
}

/// Writes a file so that after a crash it has either the old or the new bytes.
pub(crate) fn write_atomically(path: &Utf8Path, bytes: &[u8]) -> Result<(), SeedError> {
    let dir = path.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let temporary = dir.join(format!("tmp-{}", path.file_name().unwrap_or("file")));
    let written = (|| {
        let mut handle = fs_err::File::create(&temporary)?;
        handle.write_all(bytes)?;
        handle.sync_all()
    })();
    let moved = written.and_then(|()| fs_err::rename(&temporary, path));
    if let Err(source) = moved {
        // The first error is the one to tell.
        drop(fs_err::remove_file(&temporary));
        return Err(file("write", path)(source));
    }
    sync_dir(dir)
}

/// Writes a new file that can be executed.
pub(crate) fn write_executable(path: &Utf8Path, text: &str) -> Result<(), SeedError> {
    fs_err::write(path, text).map_err(file("write", path))?;
    fs_err::set_permissions(path, Permissions::from_mode(0o755)).map_err(file("write", path))
}

/// Makes a rename in this directory last.
pub(crate) fn sync_dir(dir: &Utf8Path) -> Result<(), SeedError> {
    let handle = fs_err::File::open(dir).map_err(file("open", dir))?;
    handle.sync_all().map_err(file("write", dir))
}

/// Makes all of the file system that holds this directory last.
pub(crate) fn sync_file_system(dir: &Utf8Path) -> Result<(), SeedError> {
    let handle = fs_err::File::open(dir).map_err(file("open", dir))?;
    rustix::fs::syncfs(handle.file().as_fd()).map_err(|error| file("write", dir)(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_swept_and_results_stay() {
        let temporary = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(temporary.path()).unwrap();
        let place = Place::new(cache);
        place.create().unwrap();
        fs_err::write(place.debs().join("tmp-1"), "").unwrap();
        fs_err::create_dir_all(place.finished("b").join("root")).unwrap();
        assert_eq!(place.ready("b"), None);
        fs_err::write(place.finished("b").join("ready"), "").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let lock = runtime.block_on(place.lock(&|_| ())).unwrap();
        let old = place.create_building(&lock, "a").unwrap();
        fs_err::create_dir_all(old.join("root/x")).unwrap();
        assert_ne!(place.create_building(&lock, "a").unwrap(), old);
        place.sweep(&lock, &|_| ()).unwrap();
        assert!(!old.exists() && !place.debs().join("tmp-1").exists());
        assert_eq!(place.ready("b").unwrap().dir, cache.join("sdk/b/root"));
    }

    #[test]
    fn mounts_are_not_removed_through() {
        let error = remove_tree("/".into()).unwrap_err();
        assert!(error.to_string().contains("still mounted"), "{error}");
    }
}
