//! Where two files that should be bit-identical differ first, in terms that a person can act on.
//!
//! Concepts:
//!
//! - [`compare`] answers with a [`Difference`]: the way to it through what is inside of what, each step a [`Place`], and [`What`]
//!   differs there.
//! - What is inside of a file is told by its content, not by its name (`format`): zstd, tar, cpio, ELF, PE and GPT are taken apart,
//!   again and again. All else, and all that is damaged, is compared byte by byte.
//! - Bytes stay in their file (`content`): a disk of many GiB is never in memory.

mod content;
mod differ;
mod difference;
mod format;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

pub use difference::{Difference, Inside, Place, Side, What};

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("cannot compare `{first}` with `{second}`")]
pub struct CompareError {
    /// The first file.
    pub first: Utf8PathBuf,
    /// The second file.
    pub second: Utf8PathBuf,
    /// The cause.
    #[source]
    pub source: io::Error,
}

/// The first difference between two files, or none when they are bit-identical.
///
/// What was compressed is put into files without a name in `/var/tmp`.
///
/// # Errors
/// When a file cannot be read, or what is decompressed cannot be written. A damaged archive is no error.
pub fn compare(a: &Utf8Path, b: &Utf8Path) -> Result<Option<Difference>, CompareError> {
    let open = |path: &Utf8Path| content::Content::of_file(fs_err::File::open(path)?);
    open(a)
        .and_then(|first| differ::differ(&first, &open(b)?, differ::DEPTH))
        .map_err(|source| CompareError { first: a.to_owned(), second: b.to_owned(), source })
}
