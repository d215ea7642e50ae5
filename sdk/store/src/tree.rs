//! Trees: archives unpacked once, verified before use.
//!
//! Hashing thousands of files for each use would cost more than it saves. A stamp holds the fingerprint of everything
//! that a walk with `stat` can see: names, types, modes, owners, sizes, modification times, symlinks, device numbers. A
//! tree that differs was damaged, by a crash or by somebody who wrote through a hard link, and is unpacked again.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::PoisonError;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use crate::archive::{UnpackOptions, unpack_file};
use crate::digest::{Digest, Hasher};
use crate::dir;
use crate::error::StoreError;
use crate::store::{Store, rename_into_place};
use crate::temp::TempPath;

const STAMP: &str = "slipway-tree 1";

impl Store {
    /// The content of an archive blob (tar, compressed with zstd or not) as a directory, unpacked on first use.
    ///
    /// It is shared: link or mount it read-only, and do not write to it. As root, owners are as in the archive. It is
    /// verified once for each process, and unpacked again when it is not what it was.
    pub fn tree(&self, archive: &Digest) -> Result<Utf8PathBuf, StoreError> {
        let place = self.tree_path(archive);
        let root = place.join("root");
        if self.tree_seen(archive) && root.is_dir() {
            return Ok(root);
        }
        let _one_at_a_time = self.lock_tree(&archive.to_string()[..2])?;
        if !is_sound(&place).map_err(|source| StoreError::read(&place, source))? {
            self.unpack_tree(archive, &place)?;
        }
        self.inner().trees_seen.lock().unwrap_or_else(PoisonError::into_inner).insert(*archive);
        Ok(root)
    }

    pub(crate) fn tree_path(&self, archive: &Digest) -> Utf8PathBuf {
        self.root().join("trees").join(archive.to_string())
    }

    fn tree_seen(&self, archive: &Digest) -> bool {
        self.inner().trees_seen.lock().unwrap_or_else(PoisonError::into_inner).contains(archive)
    }

    fn unpack_tree(&self, archive: &Digest, place: &Utf8Path) -> Result<(), StoreError> {
        let blob = self.blob(archive)?.ok_or(StoreError::MissingArchive { digest: *archive })?;
        let temp = self.inner().temp.path()?;
        let failed = |source| StoreError::write(place, source);
        fs_err::create_dir(temp.path()).map_err(failed)?;
        let root = temp.path().join("root");
        unpack_file(&blob, &root, &UnpackOptions::for_this_user())
            .map_err(|source| StoreError::Archive { path: place.to_owned(), source })?;
        write_stamp(temp.path(), &root).map_err(failed)?;
        self.discard(place)?;
        rename_into_place(&temp, place)
    }

    /// Moves an entry away before removing it, so that nobody meets one half removed.
    fn discard(&self, path: &Utf8Path) -> Result<(), StoreError> {
        let away: TempPath = self.inner().temp.path()?;
        match rustix::fs::rename(path.as_str(), away.path().as_str()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(errno) => {
                Err(StoreError::Quarantine { path: path.to_owned(), source: errno.into() })
            }
        }
    }
}

fn write_stamp(place: &Utf8Path, root: &Utf8Path) -> io::Result<()> {
    // Not synced, as the files are not: what a power cut tears does not match, and is unpacked again.
    fs_err::write(place.join("stamp"), format!("{STAMP} {}\n", fingerprint(root)?))
}

fn is_sound(place: &Utf8Path) -> io::Result<bool> {
    let stamp = match fs_err::read(place.join("stamp")) {
        Ok(stamp) => stamp,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    match fingerprint(&place.join("root")) {
        Ok(found) => Ok(stamp == format!("{STAMP} {found}\n").as_bytes()),
        // Unreadable is damaged: unpacking again settles it, or fails with a better error.
        Err(_) => Ok(false),
    }
}

fn fingerprint(root: &Utf8Path) -> io::Result<Digest> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(root.as_str(), flags, Mode::empty())?;
    let mut hasher = Hasher::new();
    add_dir(&mut hasher, &root)?;
    Ok(hasher.finish())
}

fn add_dir(hasher: &mut Hasher, dir: &OwnedFd) -> io::Result<()> {
    for entry in dir::list(dir)? {
        let name = entry.name.as_c_str();
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        hasher.update(name.to_bytes_with_nul());
        // The size of a directory is a matter of its file system.
        let size = if kind == FileType::Directory { 0 } else { stat.st_size };
        for number in [
            i64::from(stat.st_mode),
            i64::from(stat.st_uid),
            i64::from(stat.st_gid),
            size,
            stat.st_mtime,
            stat.st_mtime_nsec.cast_signed(),
            stat.st_rdev.cast_signed(),
        ] {
            hasher.update(&number.to_le_bytes());
        }
        match kind {
            FileType::Directory => add_dir(hasher, &dir::open_dir(dir, name)?)?,
            FileType::Symlink => {
                hasher.update(rustix::fs::readlinkat(dir, name, Vec::new())?.to_bytes_with_nul());
            }
            _ => {}
        }
    }
    // A name cannot be empty, so this ends the directory.
    hasher.update(b"\0");
    Ok(())
}
