//! Blobs: how content comes into the store, and how it is verified on its way out.
//!
//! A blob is immutable: mode 0444 and a fixed modification time. Any write moves that time, so that a blob whose size,
//! time and inode are as remembered was not touched since it was verified.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Mode, Timespec, Timestamps};

use crate::archive::{self, TarOptions};
use crate::digest::{Digest, Hasher};
use crate::error::StoreError;
use crate::memory::Identity;
use crate::store::{Store, rename_into_place};
use crate::temp::TempPath;

const BLOB_MODE: u32 = 0o444;
const BLOB_MTIME: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
    last_modification: Timespec { tv_sec: 1, tv_nsec: 0 },
};

/// What becomes of a file that is put into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingest {
    /// It stays; the store has a copy, sharing extents where the file system can.
    Copy,
    /// It goes into the store, by a rename where possible.
    Move,
}

impl Store {
    /// Stores bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of_bytes(bytes);
        if self.blob(&digest)?.is_none() {
            let (temp, mut file) = self.inner().temp.file()?;
            file.write_all(bytes)
                .map_err(|source| StoreError::write(&self.blob_path(&digest), source))?;
            self.install(&temp, file.file(), &digest)?;
        }
        Ok(digest)
    }

    /// Stores a regular file.
    pub fn put_file(&self, path: &Utf8Path, ingest: Ingest) -> Result<Digest, StoreError> {
        let failed = |source| StoreError::Ingest { path: path.to_owned(), source };
        let metadata = fs_err::symlink_metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(StoreError::NotAFile { path: path.to_owned() });
        }
        // A second name of the file would let others write to the blob.
        if ingest == Ingest::Move
            && metadata.nlink() == 1
            && let Some(digest) = self.put_by_rename(path)?
        {
            return Ok(digest);
        }
        let mut source = fs_err::File::open(path).map_err(failed)?;
        let (temp, mut file) = self.inner().temp.file()?;
        let digest = copy_and_hash(&mut source, &mut file).map_err(|error| match error {
            CopyError::Read(source) => failed(source),
            CopyError::Write(source) => full_or(source, path, failed),
        })?;
        self.install_unless_present(&temp, file.file(), &digest)?;
        if ingest == Ingest::Move {
            fs_err::remove_file(path).map_err(failed)?;
        }
        Ok(digest)
    }

    /// Packs a directory into a deterministic archive and stores that.
    pub fn put_tree(&self, dir: &Utf8Path, options: &TarOptions<'_>) -> Result<Digest, StoreError> {
        let (temp, file) = self.inner().temp.file()?;
        let mut out = HashingWriter { out: file, hasher: Hasher::new() };
        archive::write_tree(dir, &mut out, options)
            .map_err(|source| StoreError::Archive { path: dir.to_owned(), source })?;
        let HashingWriter { out, hasher } = out;
        let digest = hasher.finish();
        self.install_unless_present(&temp, out.file(), &digest)?;
        Ok(digest)
    }

    /// Finds a blob and verifies it. A damaged one is set aside and counts as absent.
    ///
    /// The content is hashed when the file is seen for the first time, or was touched since.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Utf8PathBuf>, StoreError> {
        let path = self.blob_path(digest);
        let metadata = match fs_err::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::read(&path, source)),
        };
        if !metadata.is_file() {
            self.quarantine(&path, digest)?;
            return Ok(None);
        }
        let sealed = metadata.mode() & 0o7777 == BLOB_MODE;
        let identity = Identity::of_blob(&metadata);
        if sealed && self.inner().memory.remembered(&path, &identity) == Some(*digest) {
            return Ok(Some(path));
        }
        self.verify(path, digest)
    }

    /// Whether a blob of that name is there. Cheap, and says nothing about its content.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        fs_err::symlink_metadata(self.blob_path(digest)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Hashes every blob again, whatever is remembered, and returns those that were damaged and set aside.
    pub fn scrub(&self) -> Result<Vec<Digest>, StoreError> {
        let mut damaged = Vec::new();
        for digest in self.blob_digests()? {
            if self.verify(self.blob_path(&digest), &digest)?.is_none() {
                damaged.push(digest);
            }
        }
        Ok(damaged)
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> Utf8PathBuf {
        sharded(&self.root().join("blobs"), digest)
    }

    /// All blobs by name, sorted.
    pub(crate) fn blob_digests(&self) -> Result<Vec<Digest>, StoreError> {
        list_sharded(&self.root().join("blobs"))
    }

    fn verify(
        &self,
        path: Utf8PathBuf,
        digest: &Digest,
    ) -> Result<Option<Utf8PathBuf>, StoreError> {
        let hashed = seal(&path).and_then(|()| {
            let file = fs_err::File::open(&path)?;
            let identity = Identity::of_blob(&file.metadata()?);
            // The plain file, as the wrapper's errors hide their number.
            Ok((Digest::of_regular_file(file.file())?, identity))
        });
        match hashed {
            Ok((found, identity)) if found == *digest => {
                self.inner().memory.remember(&path, identity, found);
                Ok(Some(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error()) => {
                Err(StoreError::read(&path, error))
            }
            Ok(_) | Err(_) => self.quarantine(&path, digest).map(|()| None),
        }
    }

    /// Moves a damaged blob out of the way, for a human to look at. Cleaning removes it.
    fn quarantine(&self, path: &Utf8Path, digest: &Digest) -> Result<(), StoreError> {
        let to = self.root().join("quarantine").join(digest.to_string());
        let moved = crate::dir::remove(&to).and_then(|()| {
            match rustix::fs::rename(path.as_str(), to.as_str()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        });
        moved.map_err(|source| StoreError::Quarantine { path: path.to_owned(), source })
    }

    /// `None` when the file is on another file system.
    fn put_by_rename(&self, path: &Utf8Path) -> Result<Option<Digest>, StoreError> {
        let failed = |source| StoreError::Ingest { path: path.to_owned(), source };
        let temp = self.inner().temp.path()?;
        match rustix::fs::rename(path.as_str(), temp.path().as_str()) {
            Ok(()) => {}
            Err(rustix::io::Errno::XDEV) => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        }
        let stored = fs_err::File::open(temp.path()).map_err(failed).and_then(|file| {
            let digest = hash_and_flush(file.file()).map_err(|e| full_or(e, path, failed))?;
            self.install_unless_present(&temp, file.file(), &digest)?;
            Ok(digest)
        });
        if stored.is_err() {
            // The caller still owns the file; its error matters more than that of moving it back.
            rustix::fs::rename(temp.path().as_str(), path.as_str()).ok();
        }
        stored.map(Some)
    }

    pub(crate) fn install_unless_present(
        &self,
        temp: &TempPath,
        file: impl AsFd,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        if self.blob(digest)?.is_none() { self.install(temp, file, digest) } else { Ok(()) }
    }

    /// Gives a finished temporary file its final mode, time and name.
    fn install(&self, temp: &TempPath, file: impl AsFd, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob_path(digest);
        seal_file(&file).map_err(|source| StoreError::write(&path, source))?;
        rename_into_place(temp, &path)?;
        let metadata =
            fs_err::symlink_metadata(&path).map_err(|source| StoreError::read(&path, source))?;
        self.inner().memory.remember(&path, Identity::of_blob(&metadata), *digest);
        Ok(())
    }
}

/// Takes the digest of a file while its content goes to the disk: sealing it then has little to wait for.
fn hash_and_flush(file: &File) -> io::Result<Digest> {
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| rustix::fs::fdatasync(file));
        let digest = Digest::of_regular_file(file);
        // What the kernel says here about a failed write, it does not say again.
        flush
            .join()
            .map_err(|_| io::Error::other("the thread that writes to the disk panicked"))??;
        digest
    })
}

fn seal_file(file: &impl AsFd) -> io::Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(BLOB_MODE))?;
    rustix::fs::futimens(file, &BLOB_MTIME)?;
    Ok(rustix::fs::fsync(file)?)
}

/// Brings mode and time of a file back to those of a blob, where they differ.
fn seal(path: &Utf8Path) -> io::Result<()> {
    let metadata = fs_err::symlink_metadata(path)?;
    if metadata.mode() & 0o7777 != BLOB_MODE {
        rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(BLOB_MODE))?;
    }
    if (metadata.mtime(), metadata.mtime_nsec()) != (1, 0) {
        rustix::fs::utimensat(
            rustix::fs::CWD,
            path.as_str(),
            &BLOB_MTIME,
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    Ok(())
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies by sharing extents where the file system can; the digest is that of what was written, in either case.
fn copy_and_hash(source: &mut fs_err::File, to: &mut fs_err::File) -> Result<Digest, CopyError> {
    if rustix::fs::ioctl_ficlone(&*to, &*source).is_ok() {
        return Digest::of_regular_file(to.file()).map_err(CopyError::Read);
    }
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
    }
}

fn full_or(
    source: io::Error,
    path: &Utf8Path,
    other: impl Fn(io::Error) -> StoreError,
) -> StoreError {
    if crate::error::is_no_space(&source) {
        StoreError::NoSpace { path: path.to_owned(), source }
    } else {
        other(source)
    }
}

struct HashingWriter {
    out: fs_err::File,
    hasher: Hasher,
}

impl io::Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `parent/ab/abcdef…`
pub(crate) fn sharded(parent: &Utf8Path, digest: &Digest) -> Utf8PathBuf {
    let hex = digest.to_string();
    parent.join(&hex[..2]).join(hex)
}

/// The digests that name files in a sharded directory, sorted. Other names are not ours, and are skipped.
pub(crate) fn list_sharded(parent: &Utf8Path) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    let failed = |source| StoreError::read(parent, source);
    for shard in fs_err::read_dir(parent).map_err(failed)? {
        let shard = shard.map_err(failed)?;
        if !shard.file_type().map_err(failed)?.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(shard.path()).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            digests.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
        }
    }
    digests.sort_unstable();
    Ok(digests)
}
