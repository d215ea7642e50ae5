//! The errors of this crate.

use std::io;

use camino::Utf8PathBuf;
use slipway_store::{LinkError, archive::ArchiveError};

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Two packages install the same file, or a file cannot be linked.
    #[error("cannot compose the package `{package}` into the image")]
    Compose {
        /// The package.
        package: String,
        /// The cause, which names the file.
        #[source]
        source: LinkError,
    },
    /// A file or folder of the work tree cannot be read or written; the cause names it.
    #[error("cannot compose the image in `{path}`")]
    Work {
        /// The work tree.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The composed tree cannot be packed.
    #[error("cannot pack `{path}`")]
    Pack {
        /// The tree.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
    /// The content of a partition is larger than the image allows. The table names the largest packages.
    #[error("{0}")]
    Budget(crate::BudgetReport),
}
