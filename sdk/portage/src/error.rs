//! The errors of this crate.

use std::io;

use camino::Utf8PathBuf;
use slipway_store::archive::ArchiveError;

/// What can go wrong between Portage and us.
#[derive(Debug, thiserror::Error)]
pub enum PortageError {
    /// Portage cannot find packages for what is asked. The text is Portage's own reason.
    #[error("Portage cannot resolve the packages\n{reason}")]
    Unresolvable {
        /// What Portage said, without its decoration.
        reason: String,
    },
    /// The resolver printed something else than its document.
    #[error("the resolver's answer is not what was agreed")]
    Answer {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// An ebuild that was asked for is not there or not valid. The text is Portage's own reason.
    #[error("the ebuilds cannot be read: {reason}")]
    Unreadable {
        /// What Portage said.
        reason: String,
    },
    /// A Manifest that is not one.
    #[error("`{path}`, line {line}: {problem}")]
    Manifest {
        /// The file.
        path: Utf8PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// pkgcheck printed something else than its findings.
    #[error("pkgcheck's answer cannot be read: `{line}`")]
    Findings {
        /// The line.
        line: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A file of the ebuild repository cannot be read or written.
    #[error("cannot use the ebuild repository at `{path}`")]
    Overlay {
        /// The folder or file.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A binary package that is not one.
    #[error("`{path}` is not a binary package: {problem}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An archive in or around a binary package cannot be read or written.
    #[error("cannot read the binary package `{path}`")]
    Archive {
        /// The file.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
    /// A file cannot be read or written; the cause names it.
    #[error("cannot repack the binary package `{path}`")]
    Repack {
        /// The file.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A package puts files where the system has none.
    #[error("`{package}` installs outside of `/usr`: {}", paths.join(", "))]
    OutsideUsr {
        /// The package.
        package: String,
        /// The first such paths.
        paths: Vec<String>,
    },
}
