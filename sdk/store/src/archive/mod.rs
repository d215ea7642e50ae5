//! Tar archives: equal trees give equal bytes, and unpacking gives the tree back.
//!
//! Concepts:
//!
//! - A [`Member`] is one entry, as [`Writer`] writes and [`Reader`] reads it.
//! - [`write_tree`] packs a directory: members in the order of their names, POSIX pax format, extended headers only where
//!   a plain one cannot hold a value, no access or change times, no user names, modification times clamped.
//! - [`unpack`] restores mode, owner, links, devices, extended attributes and times, and never leaves its directory.
//!
//! The reader and the writer are our own: that of the crate `tar`, which gives us the header fields, loses extended
//! attributes whose binary value holds a newline, as `security.capability` may.

mod reader;
mod tree;
mod unpack;
mod writer;
mod xattr;

use std::collections::BTreeMap;
use std::io;

use camino::Utf8PathBuf;

pub use reader::{Entry, Reader, decompress};
pub use tree::{Compress, HardLinks, Owner, TarOptions, write_tree};
pub use unpack::{UnpackOptions, unpack, unpack_file};
pub use writer::Writer;
pub(crate) use xattr::copy as copy_xattrs;

/// One entry of an archive, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path, relative, without `./` in front or `/` behind.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Modification time, in seconds since 1970.
    pub mtime: i64,
    /// The part of the modification time below a second. Never written by us.
    pub mtime_nanoseconds: u32,
    /// Size of the content; zero for all but regular files.
    pub size: u64,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an entry of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File,
    /// Another name of the file at this path in the archive.
    HardLink(Vec<u8>),
    /// A symbolic link with this text.
    Symlink(Vec<u8>),
    /// A directory.
    Directory,
    /// A character device with major and minor number.
    CharDevice(u32, u32),
    /// A block device with major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

impl Member {
    /// A regular file of root, mode 0644, at the epoch.
    pub fn file(path: &str, size: u64) -> Self {
        Self {
            path: path.as_bytes().to_vec(),
            kind: MemberKind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 0,
            mtime_nanoseconds: 0,
            size,
            xattrs: BTreeMap::new(),
        }
    }
}

/// Why an archive cannot be written, read or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields name the file and the cause; the message says the rest"
)]
pub enum ArchiveError {
    /// A file of the tree cannot be read.
    #[error("cannot read `{path}`")]
    ReadFile { path: Utf8PathBuf, source: io::Error },
    /// A file has changed while it was packed.
    #[error("`{path}` changed while it was read")]
    Changed { path: Utf8PathBuf },
    /// Sockets and the like have no place in an archive.
    #[error("`{path}` is of a type that an archive cannot hold")]
    UnsupportedFile { path: Utf8PathBuf },
    /// The archive cannot be written.
    #[error("cannot write the archive, at `{path}`")]
    WriteArchive { path: Utf8PathBuf, source: io::Error },
    /// The archive cannot be opened or decompressed.
    #[error("cannot read the archive")]
    ReadArchive { source: io::Error },
    /// The archive is not a tar archive, or damaged.
    #[error("the archive is damaged: {reason}")]
    Malformed { reason: &'static str },
    /// The archive uses something that we do not read.
    #[error("`{path}` in the archive is of type `{kind}`, which is not supported")]
    UnsupportedMember { path: Utf8PathBuf, kind: char },
    /// The archive would write outside of the directory.
    #[error("`{path}` in the archive leads out of the directory")]
    Escapes { path: Utf8PathBuf },
    /// A file of the archive cannot be made.
    #[error("cannot unpack `{path}`")]
    Write { path: Utf8PathBuf, source: io::Error },
}

impl ArchiveError {
    /// Whether a file system was full.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::WriteArchive { source, .. } | Self::Write { source, .. } => {
                crate::error::is_no_space(source)
            }
            _ => false,
        }
    }
}

/// A path of any bytes as text for an error message.
pub(crate) fn display_path(path: &[u8]) -> Utf8PathBuf {
    Utf8PathBuf::from(String::from_utf8_lossy(path).into_owned())
}
