//! The errors of reading the cargo workspace.

use camino::Utf8PathBuf;

/// Why no part of the cargo workspace can be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A file cannot be read; the cause names it.
    #[error("cannot read a file of the cargo workspace")]
    Read {
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A manifest is not TOML.
    #[error("`{path}` is not TOML")]
    Manifest {
        /// The manifest.
        path: Utf8PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A manifest says something that a part of the workspace could not keep.
    #[error("`{path}` cannot be reduced to what a package needs: {problem}")]
    Unsupported {
        /// The manifest, or a folder.
        path: Utf8PathBuf,
        /// What it is.
        problem: String,
    },
    /// The lock file is not as cargo writes it.
    #[error("line {line} of `Cargo.lock` is not understood; let cargo write the file anew")]
    Lock {
        /// The line, from 1.
        line: usize,
    },
    /// Nothing in the lock file is what a package depends on.
    #[error(
        "`Cargo.lock` has no `{dependency}`, which `{package}` needs; run `cargo check` to bring it up to date"
    )]
    NotLocked {
        /// What is missing, as the lock file says it.
        dependency: String,
        /// Whose dependency it is.
        package: String,
    },
    /// A crate that comes from elsewhere than the registry.
    #[error(
        "the crate `{package}` comes from `{origin}`: only crates of one registry can be vendored"
    )]
    Origin {
        /// The crate.
        package: String,
        /// Where it comes from.
        origin: String,
    },
    /// No member of the workspace has the name.
    #[error("no crate of the workspace is called `{name}`")]
    NoCrate {
        /// The name.
        name: String,
    },
}
