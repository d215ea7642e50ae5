//! Unpacking: restores everything that the archive holds, and never leaves the directory.
//!
//! Each path is resolved by the kernel (`openat2` with `RESOLVE_BENEATH`), so that neither `..` nor a symlink that an
//! earlier member planted can lead out. Symlinks to directories that stay inside are followed, as `lib` → `usr/lib` is.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid,
};
use rustix::io::Errno;

use super::{ArchiveError, Member, MemberKind, Owner, Reader, decompress, display_path, xattr};

/// How an archive is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackOptions {
    /// `Keep` gives files the owners that the archive names, which takes root; `Root` leaves them to whoever unpacks.
    pub owner: Owner,
}

impl UnpackOptions {
    /// Restores owners when the process may do so.
    pub fn for_this_user() -> Self {
        let owner = if rustix::process::geteuid().is_root() { Owner::Keep } else { Owner::Root };
        Self { owner }
    }
}

/// Unpacks an archive file, compressed with zstd or not, into a directory, which is made when absent.
pub fn unpack_file(
    archive: &Utf8Path,
    dest: &Utf8Path,
    options: &UnpackOptions,
) -> Result<(), ArchiveError> {
    let file =
        fs_err::File::open(archive).map_err(|source| ArchiveError::ReadArchive { source })?;
    unpack(decompress(file)?, dest, options)
}

/// Unpacks an uncompressed archive into a directory, which is made when absent. Files that are there are replaced.
pub fn unpack(
    input: impl Read,
    dest: &Utf8Path,
    options: &UnpackOptions,
) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Write { path: dest.to_owned(), source };
    if !dest.is_dir() {
        fs_err::create_dir_all(dest).map_err(failed)?;
        rustix::fs::chmod(dest.as_str(), DIR_MODE).map_err(|errno| failed(errno.into()))?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(dest.as_str(), flags, Mode::empty())
        .map_err(|errno| failed(errno.into()))?;
    let mut unpacker = Unpacker { dest, root, options, parent: None, directories: BTreeMap::new() };
    let mut reader = Reader::new(input);
    let mut buffer = vec![0; 128 * 1024];
    while let Some(mut entry) = reader.next_entry()? {
        let member = entry.member().clone();
        unpacker.place(member, &mut entry, &mut buffer)?;
    }
    unpacker.finish()
}

const DIR_MODE: Mode = Mode::from_raw_mode(0o755);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

struct Unpacker<'a> {
    dest: &'a Utf8Path,
    root: OwnedFd,
    options: &'a UnpackOptions,
    /// Members come directory by directory, so the last parent is mostly the next.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Their modes and times are set last: a read-only one could not be filled.
    directories: BTreeMap<Vec<u8>, Member>,
}

impl Unpacker<'_> {
    fn place(
        &mut self,
        member: Member,
        content: &mut impl Read,
        buffer: &mut [u8],
    ) -> Result<(), ArchiveError> {
        if member.path.is_empty() {
            return self.place_root(member);
        }
        let (parent, name) = split(&member.path);
        self.enter(parent)?;
        let Some((_, dir)) = &self.parent else { return Ok(()) };
        if member.kind == MemberKind::Directory {
            if self.make_directory(dir, name).map_err(|errno| self.error(&member.path, errno))? {
                self.directories.insert(member.path.clone(), member);
                // What was cached may have been replaced by it.
                self.parent = None;
            }
            return Ok(());
        }
        if let MemberKind::HardLink(target) = &member.kind {
            let (target_parent, target_name) = split(target);
            let target_dir = self.open_below(target_parent)?;
            let link = || rustix::fs::linkat(&target_dir, target_name, dir, name, AtFlags::empty());
            return replacing(dir, name, link).map_err(|errno| self.error(&member.path, errno));
        }
        let made = if member.kind == MemberKind::File {
            self.make_file(dir, name, &member, content, buffer)?
        } else {
            self.make_special(dir, name, &member)
        };
        made.map_err(|source| ArchiveError::Write { path: self.shown(&member.path), source })
    }

    /// The directory itself. Anything else of that name is nonsense.
    fn place_root(&mut self, member: Member) -> Result<(), ArchiveError> {
        if member.kind != MemberKind::Directory {
            return Err(ArchiveError::Malformed { reason: "a member has no name" });
        }
        self.directories.insert(Vec::new(), member);
        Ok(())
    }

    /// Opens the parent of what comes next.
    fn enter(&mut self, parent: &[u8]) -> Result<(), ArchiveError> {
        if self.parent.as_ref().is_none_or(|(path, _)| path != parent) {
            self.parent = Some((parent.to_vec(), self.open_below(parent)?));
        }
        Ok(())
    }

    /// Opens a directory inside, making what is missing on the way.
    fn open_below(&self, path: &[u8]) -> Result<OwnedFd, ArchiveError> {
        let open = |path: &[u8]| {
            let path = if path.is_empty() { b"." } else { path };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat2(&self.root, path, flags, Mode::empty(), BENEATH)
        };
        match open(path) {
            Err(Errno::NOENT) if !path.is_empty() => {
                let (parent, name) = split(path);
                let parent = self.open_below(parent)?;
                self.make_directory(&parent, name).map_err(|errno| self.error(path, errno))?;
                open(path)
            }
            opened => opened,
        }
        .map_err(|errno| self.error(path, errno))
    }

    /// Whether the directory is really one, and its mode ours to set: not a symlink to one.
    fn make_directory(&self, parent: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
        match rustix::fs::mkdirat(parent, name, DIR_MODE) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(true),
            // Resolved again, and confined, by whoever goes through it.
            FileType::Symlink => Ok(false),
            _ => {
                rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
                rustix::fs::mkdirat(parent, name, DIR_MODE).map(|()| true)
            }
        }
    }

    /// The outer error is the archive's, the inner one the file's.
    fn make_file(
        &self,
        dir: &OwnedFd,
        name: &[u8],
        member: &Member,
        content: &mut impl Read,
        buffer: &mut [u8],
    ) -> Result<io::Result<()>, ArchiveError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR);
        let file = match replacing(dir, name, open) {
            Ok(file) => file,
            Err(errno) => return Ok(Err(errno.into())),
        };
        loop {
            let read =
                content.read(buffer).map_err(|source| ArchiveError::ReadArchive { source })?;
            if read == 0 {
                break;
            }
            if let Err(source) = write_all(&file, &buffer[..read]) {
                return Ok(Err(source));
            }
        }
        Ok(self.finish_open(&file, member))
    }

    fn make_special(&self, dir: &OwnedFd, name: &[u8], member: &Member) -> io::Result<()> {
        let mode = Mode::from_raw_mode(member.mode);
        let make = |kind, major, minor| {
            let device = rustix::fs::makedev(major, minor);
            replacing(dir, name, || rustix::fs::mknodat(dir, name, kind, mode, device))?;
            rustix::fs::chmodat(dir, name, mode, AtFlags::empty())
        };
        match &member.kind {
            MemberKind::Symlink(target) => {
                replacing(dir, name, || rustix::fs::symlinkat(target.as_slice(), dir, name))?;
            }
            MemberKind::CharDevice(major, minor) => {
                make(FileType::CharacterDevice, *major, *minor)?;
            }
            MemberKind::BlockDevice(major, minor) => make(FileType::BlockDevice, *major, *minor)?,
            _ => make(FileType::Fifo, 0, 0)?,
        }
        let (uid, gid) = self.owner(member)?;
        if uid.is_some() {
            rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(rustix::fs::utimensat(dir, name, &times(member), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Owner first: changing it takes away set-uid bits and capabilities.
    fn finish_open(&self, file: impl AsFd, member: &Member) -> io::Result<()> {
        let (uid, gid) = self.owner(member)?;
        if uid.is_some() {
            rustix::fs::fchown(&file, uid, gid)?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(member.mode))?;
        xattr::set(&file, &member.xattrs)?;
        Ok(rustix::fs::futimens(&file, &times(member))?)
    }

    fn owner(&self, member: &Member) -> io::Result<(Option<Uid>, Option<Gid>)> {
        if self.options.owner == Owner::Root {
            return Ok((None, None));
        }
        let invalid = |_| io::Error::from(Errno::INVAL);
        let uid = Uid::from_raw(u32::try_from(member.uid).map_err(invalid)?);
        let gid = Gid::from_raw(u32::try_from(member.gid).map_err(invalid)?);
        Ok((Some(uid), Some(gid)))
    }

    fn finish(self) -> Result<(), ArchiveError> {
        // The innermost first: a parent may become unreadable.
        for (path, member) in self.directories.iter().rev() {
            let path = if path.is_empty() { &b"."[..] } else { path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let dir = match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), BENEATH) {
                Ok(dir) => dir,
                // A later member has taken its place.
                Err(Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(self.error(path, errno)),
            };
            self.finish_open(&dir, member)
                .map_err(|source| ArchiveError::Write { path: self.shown(path), source })?;
        }
        Ok(())
    }

    fn error(&self, path: &[u8], errno: Errno) -> ArchiveError {
        match errno {
            Errno::XDEV | Errno::LOOP => ArchiveError::Escapes { path: display_path(path) },
            errno => ArchiveError::Write { path: self.shown(path), source: errno.into() },
        }
    }

    fn shown(&self, path: &[u8]) -> Utf8PathBuf {
        self.dest.join(display_path(path))
    }
}

/// Makes something; takes away what has that name, but only when there is something.
fn replacing<T>(
    dir: &OwnedFd,
    name: &[u8],
    make: impl Fn() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
            make()
        }
        made => made,
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn times(member: &Member) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: member.mtime,
            tv_nsec: member.mtime_nanoseconds.into(),
        },
    }
}

fn write_all(file: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
