//! Merging trees by hard links: how a sysroot or a root file system is put together from packages.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
};
use rustix::io::Errno;

use crate::archive::display_path;
use crate::dir::{self, DirEntry};

/// How files get into the new tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkMode {
    /// As further names of the same files. Nobody may write to them.
    HardLink,
    /// As files of their own.
    Copy,
}

/// How a tree is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkOptions {
    /// How files get into the new tree.
    pub mode: LinkMode,
}

/// What was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// Directories that were not there before.
    pub directories: u64,
    /// Files that were linked.
    pub linked: u64,
    /// Files that were copied: on request, over a border of file systems, or for want of links.
    pub copied: u64,
    /// Symlinks that were not there before.
    pub symlinks: u64,
}

/// Why a tree cannot be merged into another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields name the file and the cause; the message says the rest"
)]
pub enum LinkError {
    /// Both trees have something at this path, and it is not a directory or the same symlink in both.
    #[error("`{path}` of `{from}` is in `{to}` already")]
    Collision { path: Utf8PathBuf, from: Utf8PathBuf, to: Utf8PathBuf },
    /// A file of the source cannot be read.
    #[error("cannot read `{path}`")]
    Read { path: Utf8PathBuf, source: io::Error },
    /// A file cannot be made.
    #[error("cannot make `{path}`")]
    Write { path: Utf8PathBuf, source: io::Error },
}

/// Makes `to` hold what `from` holds, besides what it holds already.
///
/// Directories are made with mode and owner, files hard-linked, symlinks made anew. Modes of directories that are there
/// stay. On an error the new tree is unfinished; throw it away.
pub fn link_tree(
    from: &Utf8Path,
    to: &Utf8Path,
    options: &LinkOptions,
) -> Result<LinkReport, LinkError> {
    let read = |errno: Errno| LinkError::Read { path: from.to_owned(), source: errno.into() };
    let write = |source| LinkError::Write { path: to.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from_dir = rustix::fs::open(from.as_str(), flags, Mode::empty()).map_err(read)?;
    fs_err::create_dir_all(to).map_err(write)?;
    let to_dir =
        rustix::fs::open(to.as_str(), flags, Mode::empty()).map_err(|errno| write(errno.into()))?;
    let to_root = to_dir.try_clone().map_err(write)?;
    let mut linker = Linker {
        from,
        to,
        to_root,
        copy: options.mode == LinkMode::Copy,
        privileged: rustix::process::geteuid().is_root(),
        copies: HashMap::new(),
        report: LinkReport::default(),
    };
    linker.merge(&from_dir, &to_dir, &mut Vec::new())?;
    Ok(linker.report)
}

struct Linker<'a> {
    from: &'a Utf8Path,
    to: &'a Utf8Path,
    to_root: OwnedFd,
    copy: bool,
    privileged: bool,
    /// Where files with several names were copied to, so that the copies share a file too.
    copies: HashMap<(u64, u64), Vec<u8>>,
    report: LinkReport,
}

impl Linker<'_> {
    fn merge(&mut self, from: &OwnedFd, to: &OwnedFd, path: &mut Vec<u8>) -> Result<(), LinkError> {
        let entries = dir::list(from).map_err(|source| LinkError::Read {
            path: self.from.join(display_path(path)),
            source,
        })?;
        for entry in entries {
            let parent = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name.to_bytes());
            match entry.kind {
                FileType::Directory => self.directory(from, to, &entry, path)?,
                FileType::Symlink => {
                    self.symlink(from, to, &entry).map_err(|errno| self.error(path, errno))?;
                }
                _ if self.copy => self.copy(from, to, &entry, path)?,
                _ => self.link(from, to, &entry, path)?,
            }
            path.truncate(parent);
        }
        Ok(())
    }

    fn directory(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        entry: &DirEntry,
        path: &mut Vec<u8>,
    ) -> Result<(), LinkError> {
        let name = entry.name.as_c_str();
        let inner_from = dir::open_dir(from, name).map_err(|source| LinkError::Read {
            path: self.from.join(display_path(path)),
            source,
        })?;
        let made = match rustix::fs::mkdirat(to, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(self.error(path, errno)),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inner_to =
            rustix::fs::openat(to, name, flags, Mode::empty()).map_err(|errno| match errno {
                Errno::NOTDIR | Errno::LOOP => self.error(path, Errno::EXIST),
                errno => self.error(path, errno),
            })?;
        self.merge(&inner_from, &inner_to, path)?;
        if made {
            self.report.directories += 1;
            self.take_mode(&inner_from, &inner_to).map_err(|errno| self.error(path, errno))?;
        }
        Ok(())
    }

    fn take_mode(&self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
        let stat = rustix::fs::fstat(from)?;
        self.take_owner_and_mode(&stat, to)
    }

    fn take_owner_and_mode(&self, stat: &Stat, to: &OwnedFd) -> Result<(), Errno> {
        if self.privileged && (stat.st_uid, stat.st_gid) != (0, 0) {
            rustix::fs::fchown(
                to,
                Some(Uid::from_raw(stat.st_uid)),
                Some(Gid::from_raw(stat.st_gid)),
            )?;
        }
        rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))
    }

    fn symlink(&mut self, from: &OwnedFd, to: &OwnedFd, entry: &DirEntry) -> Result<(), Errno> {
        let name = entry.name.as_c_str();
        let target = rustix::fs::readlinkat(from, name, Vec::new())?;
        match rustix::fs::symlinkat(target.as_c_str(), to, name) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                return match rustix::fs::readlinkat(to, name, Vec::new()) {
                    Ok(other) if other == target => Ok(()),
                    _ => Err(Errno::EXIST),
                };
            }
            Err(errno) => return Err(errno),
        }
        self.report.symlinks += 1;
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if self.privileged && (stat.st_uid, stat.st_gid) != (0, 0) {
            let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
            rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn link(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        entry: &DirEntry,
        path: &[u8],
    ) -> Result<(), LinkError> {
        let name = entry.name.as_c_str();
        match rustix::fs::linkat(from, name, to, name, AtFlags::empty()) {
            Ok(()) => {
                self.report.linked += 1;
                Ok(())
            }
            Err(Errno::XDEV) => {
                // It will not be different for the others.
                self.copy = true;
                self.copy(from, to, entry, path)
            }
            Err(Errno::MLINK) => self.copy(from, to, entry, path),
            Err(errno) => Err(self.error(path, errno)),
        }
    }

    fn copy(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        entry: &DirEntry,
        path: &[u8],
    ) -> Result<(), LinkError> {
        let name = entry.name.as_c_str();
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| {
            LinkError::Read { path: self.from.join(display_path(path)), source: errno.into() }
        })?;
        self.report.copied += 1;
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.copies.get(&inode) {
                return rustix::fs::linkat(
                    &self.to_root,
                    first.as_slice(),
                    to,
                    name,
                    AtFlags::empty(),
                )
                .map_err(|errno| self.error(path, errno));
            }
            self.copies.insert(inode, path.to_vec());
        }
        let copied = match entry.kind {
            FileType::RegularFile => self.copy_file(from, to, entry, &stat),
            kind => self.copy_special(to, entry, kind, &stat).map_err(io::Error::from),
        };
        copied.map_err(|source| match Errno::from_io_error(&source) {
            Some(errno) => self.error(path, errno),
            None => LinkError::Write { path: self.to.join(display_path(path)), source },
        })
    }

    fn copy_file(
        &self,
        from: &OwnedFd,
        to: &OwnedFd,
        entry: &DirEntry,
        stat: &Stat,
    ) -> io::Result<()> {
        let name = entry.name.as_c_str();
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let source = rustix::fs::openat(from, name, read, Mode::empty())?;
        let copy = rustix::fs::openat(to, name, write, Mode::RUSR | Mode::WUSR)?;
        let copy = if rustix::fs::ioctl_ficlone(&copy, &source).is_ok() {
            copy
        } else {
            let mut file = std::fs::File::from(copy);
            io::copy(&mut std::fs::File::from(source.try_clone()?), &mut file)?;
            file.into()
        };
        self.take_owner_and_mode(stat, &copy)?;
        crate::archive::copy_xattrs(&source, &copy)?;
        Ok(rustix::fs::futimens(&copy, &times(stat))?)
    }

    fn copy_special(
        &self,
        to: &OwnedFd,
        entry: &DirEntry,
        kind: FileType,
        stat: &Stat,
    ) -> Result<(), Errno> {
        let name = entry.name.as_c_str();
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::mknodat(to, name, kind, mode, stat.st_rdev)?;
        if self.privileged {
            let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
            rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::chmodat(to, name, mode, AtFlags::empty())?;
        rustix::fs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn error(&self, path: &[u8], errno: Errno) -> LinkError {
        let path = display_path(path);
        match errno {
            Errno::EXIST => {
                LinkError::Collision { path, from: self.from.to_owned(), to: self.to.to_owned() }
            }
            errno => LinkError::Write { path: self.to.join(path), source: errno.into() },
        }
    }
}

fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ },
    }
}
