//! What can go wrong in the store, one variant per operation.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::ArchiveError;
use crate::digest::Digest;

/// An operation on the store that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields name the file and the cause; the message says the rest"
)]
pub enum StoreError {
    /// The store's directories cannot be made or read.
    #[error("cannot open the store at `{root}`")]
    Open { root: Utf8PathBuf, source: io::Error },
    /// The store was written by another version.
    #[error("the store at `{root}` has format `{found}`, which this version does not know")]
    UnknownFormat { root: Utf8PathBuf, found: String },
    /// The directory holds something else.
    #[error("`{root}` is not empty and not a store")]
    NotAStore { root: Utf8PathBuf },
    /// The store's file system, or the user's share of it, is full.
    #[error("no space left to write `{path}`")]
    NoSpace { path: Utf8PathBuf, source: io::Error },
    /// A file of the store cannot be written.
    #[error("cannot write `{path}`")]
    Write { path: Utf8PathBuf, source: io::Error },
    /// A file that was to be stored cannot be read or moved.
    #[error("cannot take `{path}` into the store")]
    Ingest { path: Utf8PathBuf, source: io::Error },
    /// Only regular files can be stored.
    #[error("cannot take `{path}` into the store: it is not a regular file")]
    NotAFile { path: Utf8PathBuf },
    /// A file cannot be hashed.
    #[error("cannot take the digest of `{path}`")]
    Hash { path: Utf8PathBuf, source: io::Error },
    /// A blob, record or tree cannot be read, although it is there.
    #[error("cannot read `{path}`")]
    Read { path: Utf8PathBuf, source: io::Error },
    /// A damaged entry cannot be set aside.
    #[error("cannot set aside the damaged `{path}`")]
    Quarantine { path: Utf8PathBuf, source: io::Error },
    /// A tree was asked for, but its archive is absent or damaged.
    #[error("the archive `{digest}` is not in the store")]
    MissingArchive { digest: Digest },
    /// An archive cannot be unpacked, or a directory not packed.
    #[error("cannot convert between the archive and the tree at `{path}`")]
    Archive { path: Utf8PathBuf, source: ArchiveError },
    /// A record cannot be encoded.
    #[error("cannot encode the record `{path}`")]
    Encode { path: Utf8PathBuf, source: serde_json::Error },
    /// A lock name would not be a plain file name.
    #[error("`{name}` cannot name a lock: use letters, digits, `-`, `_` and `.`")]
    LockName { name: String },
    /// A lock cannot be taken for another reason than a holder.
    #[error("cannot lock `{path}`")]
    Lock { path: Utf8PathBuf, source: io::Error },
    /// An entry cannot be listed or removed while cleaning.
    #[error("cannot clean `{path}`")]
    Clean { path: Utf8PathBuf, source: io::Error },
}

impl StoreError {
    /// What the user can do about it, to be shown on a line of its own.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownFormat { .. } => Some(
                "use the version that made it, name another store directory, or remove this one: it can be rebuilt",
            ),
            Self::NotAStore { .. } => Some("name an empty or a new directory for the store"),
            Self::NoSpace { .. } => {
                Some("free space on that file system, or clean the store of what is no longer used")
            }
            Self::MissingArchive { .. } => Some("the action that makes it has to run again"),
            Self::Archive { source, .. } if source.is_no_space() => {
                Some("free space on that file system, or clean the store of what is no longer used")
            }
            _ => None,
        }
    }

    pub(crate) fn write(path: &Utf8Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_no_space(&source) {
            Self::NoSpace { path, source }
        } else {
            Self::Write { path, source }
        }
    }

    pub(crate) fn read(path: &Utf8Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
