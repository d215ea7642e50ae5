//! Packing a directory, so that equal trees give equal bytes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::{ArchiveError, Member, MemberKind, Writer, display_path, xattr};
use crate::dir::{self, DirEntry};

/// Whose the members of an archive are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// As in the tree.
    Keep,
    /// All of them root's, for trees made by an ordinary user.
    Root,
}

/// What becomes of files with several names in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardLinks {
    /// The first name in order is the file, the others are links to it.
    Keep,
    /// Each name is a file of its own: for trees whose links come from how they were put together.
    AsFiles,
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Not at all.
    None,
    /// With zstd at a level, on one thread: what comes out does not depend on the machine.
    Zstd(i32),
}

/// How a directory is packed.
#[derive(Clone, Copy)]
pub struct TarOptions<'a> {
    /// Later modification times become this one, in seconds since 1970.
    pub mtime_clamp: i64,
    /// Whose the members are.
    pub owner: Owner,
    /// What becomes of files with several names.
    pub hard_links: HardLinks,
    /// How the archive is compressed.
    pub compress: Compress,
    /// Takes a path relative to the directory; a directory that is left out takes its content along.
    pub filter: Option<&'a dyn Fn(&Path) -> bool>,
}

impl TarOptions<'_> {
    /// Everything, owners and hard links kept, not compressed.
    pub fn plain(mtime_clamp: i64) -> Self {
        Self {
            mtime_clamp,
            owner: Owner::Keep,
            hard_links: HardLinks::Keep,
            compress: Compress::None,
            filter: None,
        }
    }
}

/// Packs what is in a directory. The directory itself is not a member: its mode is often an accident.
pub fn write_tree(
    dir: &Utf8Path,
    out: impl Write,
    options: &TarOptions<'_>,
) -> Result<(), ArchiveError> {
    let out = BufWriter::with_capacity(128 * 1024, out);
    let failed = |source| ArchiveError::WriteArchive { path: dir.to_owned(), source };
    match options.compress {
        Compress::None => write_members(dir, out, options).map(drop),
        Compress::Zstd(level) => {
            let mut encoder = zstd::Encoder::new(out, level).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            // Fixed blocks in, so that what comes out cannot depend on how files were read.
            let encoder =
                write_members(dir, BufWriter::with_capacity(128 * 1024, encoder), options)?;
            let encoder = encoder.into_inner().map_err(|error| failed(error.into_error()))?;
            encoder.finish().and_then(|mut out| out.flush()).map_err(failed)
        }
    }
}

fn write_members<W: Write>(
    dir: &Utf8Path,
    out: W,
    options: &TarOptions<'_>,
) -> Result<W, ArchiveError> {
    let read_failed = |source| ArchiveError::ReadFile { path: dir.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(dir.as_str(), flags, Mode::empty())
        .map_err(|errno| read_failed(errno.into()))?;
    let mut packer =
        Packer { root: dir, options, writer: Writer::new(out), first_names: HashMap::new() };
    packer.pack_dir(&root, &[])?;
    packer
        .writer
        .finish()
        .map_err(|source| ArchiveError::WriteArchive { path: dir.to_owned(), source })
}

struct Packer<'a, W> {
    root: &'a Utf8Path,
    options: &'a TarOptions<'a>,
    writer: Writer<W>,
    first_names: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Packer<'_, W> {
    fn pack_dir(&mut self, dir: &OwnedFd, prefix: &[u8]) -> Result<(), ArchiveError> {
        for entry in dir::list(dir).map_err(|source| self.read_error(prefix, source))? {
            let mut path = prefix.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name.as_bytes());
            let wanted = self
                .options
                .filter
                .is_none_or(|filter| filter(Path::new(OsStr::from_bytes(&path))));
            if wanted {
                self.pack(dir, &entry, path)?;
            }
        }
        Ok(())
    }

    fn pack(&mut self, dir: &OwnedFd, entry: &DirEntry, path: Vec<u8>) -> Result<(), ArchiveError> {
        let name = entry.name.as_c_str();
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.read_error(&path, errno.into()))?;
        let device = || (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        if let Some(first) = self.first_name(&stat, &path) {
            return self.append(&self.member(path, MemberKind::HardLink(first), &stat));
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.pack_file(dir, entry, path),
            FileType::Directory => {
                let inner =
                    dir::open_dir(dir, name).map_err(|source| self.read_error(&path, source))?;
                let mut member = self.member(path, MemberKind::Directory, &stat);
                member.xattrs =
                    xattr::read(&inner).map_err(|source| self.read_error(&member.path, source))?;
                self.append(&member)?;
                self.pack_dir(&inner, &member.path)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())
                    .map_err(|errno| self.read_error(&path, errno.into()))?;
                self.append(&self.member(path, MemberKind::Symlink(target.into_bytes()), &stat))
            }
            FileType::CharacterDevice => {
                let (major, minor) = device();
                self.append(&self.member(path, MemberKind::CharDevice(major, minor), &stat))
            }
            FileType::BlockDevice => {
                let (major, minor) = device();
                self.append(&self.member(path, MemberKind::BlockDevice(major, minor), &stat))
            }
            FileType::Fifo => self.append(&self.member(path, MemberKind::Fifo, &stat)),
            _ => Err(ArchiveError::UnsupportedFile { path: self.shown(&path) }),
        }
    }

    fn pack_file(
        &mut self,
        dir: &OwnedFd,
        entry: &DirEntry,
        path: Vec<u8>,
    ) -> Result<(), ArchiveError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(dir, entry.name.as_c_str(), flags, Mode::empty())
            .map_err(|errno| self.read_error(&path, errno.into()))?;
        let stat =
            rustix::fs::fstat(&file).map_err(|errno| self.read_error(&path, errno.into()))?;
        let mut member = self.member(path, MemberKind::File, &stat);
        member.size = stat.st_size.unsigned_abs();
        member.xattrs =
            xattr::read(file.as_fd()).map_err(|source| self.read_error(&member.path, source))?;
        let mut file = std::fs::File::from(file);
        self.writer.append(&member, &mut file).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                ArchiveError::Changed { path: self.shown(&member.path) }
            }
            _ => ArchiveError::WriteArchive { path: self.shown(&member.path), source },
        })
    }

    /// The name under which a file was packed already. Remembers this one when it is the first.
    fn first_name(&mut self, stat: &Stat, path: &[u8]) -> Option<Vec<u8>> {
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_dir || stat.st_nlink < 2 || self.options.hard_links == HardLinks::AsFiles {
            return None;
        }
        let first =
            self.first_names.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.to_vec());
        (first != path).then(|| first.clone())
    }

    fn member(&self, path: Vec<u8>, kind: MemberKind, stat: &Stat) -> Member {
        let (uid, gid) = match self.options.owner {
            Owner::Keep => (stat.st_uid.into(), stat.st_gid.into()),
            Owner::Root => (0, 0),
        };
        Member {
            path,
            kind,
            mode: stat.st_mode & 0o7777,
            uid,
            gid,
            mtime: stat.st_mtime.min(self.options.mtime_clamp).max(0),
            mtime_nanoseconds: 0,
            size: 0,
            xattrs: Default::default(),
        }
    }

    fn append(&mut self, member: &Member) -> Result<(), ArchiveError> {
        self.writer
            .append(member, io::empty())
            .map_err(|source| ArchiveError::WriteArchive { path: self.shown(&member.path), source })
    }

    fn read_error(&self, path: &[u8], source: io::Error) -> ArchiveError {
        ArchiveError::ReadFile { path: self.shown(path), source }
    }

    fn shown(&self, path: &[u8]) -> Utf8PathBuf {
        self.root.join(display_path(path))
    }
}
