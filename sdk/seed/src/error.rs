//! What can go wrong while an SDK root is locked or made. Each error names the file, package or address.

use std::io;

use camino::Utf8PathBuf;

use crate::types::{PackageName, ParseNameError, Sha256Digest};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// A file operation failed; a full disk comes as this.
    #[error("could not {doing} `{path}`")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        path: Utf8PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A TOML file is malformed, or has a key that is not known.
    #[error("could not parse `{path}`")]
    ParseToml {
        /// The file.
        path: Utf8PathBuf,
        /// The reason, with the line.
        source: Box<toml::de::Error>,
    },
    /// A value in a file is not what it should be.
    #[error("bad value in `{path}`")]
    BadName {
        /// The file.
        path: Utf8PathBuf,
        /// The reason.
        source: ParseNameError,
    },
    /// A value in a configuration file is not accepted.
    #[error("`{key}` in `{path}` must be {expected}")]
    BadValue {
        /// The file.
        path: Utf8PathBuf,
        /// The key of the value.
        key: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
    /// The lock was made from another specification or other keys.
    #[error("`seed.lock` was not made from this `{what}`: run `cargo xtask sdk update`")]
    LockOutOfDate {
        /// The file or key set that changed.
        what: &'static str,
    },
    /// The host's APT configuration names no Debian mirror.
    #[error("no Debian mirror in the host's APT configuration: name one with `--mirror`")]
    NoMirror,
    /// The address of the mirror is not an address.
    #[error("`{text}` is not the address of a mirror: it must start with `http://` or `https://`")]
    BadMirror {
        /// The address.
        text: String,
    },
    /// The HTTP client cannot be set up.
    #[error("could not set up the HTTP client")]
    HttpClient {
        /// The reason.
        source: reqwest::Error,
    },
    /// The certificates of the host cannot be used.
    #[error("could not read certificates from `{path}`")]
    CaBundle {
        /// The certificate file.
        path: Utf8PathBuf,
        /// The reason.
        source: reqwest::Error,
    },
    /// A request failed.
    #[error("could not download `{url}`")]
    Download {
        /// The address.
        url: String,
        /// The reason.
        source: reqwest::Error,
    },
    /// The server refused a request.
    #[error("`{url}` was answered with status {status}")]
    HttpStatus {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A file has another size than it should have.
    #[error("`{url}` has {actual} bytes where {expected} were expected")]
    WrongSize {
        /// The address.
        url: String,
        /// The size that was promised.
        expected: u64,
        /// The size that arrived.
        actual: u64,
    },
    /// A file has other bytes than it should have.
    #[error("`{url}` has the digest {actual} where {expected} was expected")]
    WrongDigest {
        /// The address.
        url: String,
        /// The digest that was promised.
        expected: Sha256Digest,
        /// The digest of what arrived.
        actual: Sha256Digest,
    },
    /// A locked version has left the mirror.
    #[error(
        "the mirror no longer has the locked version {locked} of `{package}`{}: run `cargo xtask sdk update`",
        now_has(.available.as_deref())
    )]
    VersionGone {
        /// The package.
        package: PackageName,
        /// The version in the lock.
        locked: String,
        /// The version that the mirror has now, if it has any.
        available: Option<String>,
    },
    /// The mirror's newer packages need something that is not locked.
    #[error(
        "version {version} of `{package}` needs `{relation}`, which is not locked: run `cargo xtask sdk update`"
    )]
    NewerNeedsMore {
        /// The package.
        package: PackageName,
        /// Its version on the mirror.
        version: String,
        /// What it needs.
        relation: String,
    },
    /// A key file is not an OpenPGP key.
    #[error("could not read the OpenPGP key `{path}`")]
    BadKey {
        /// The key file.
        path: Utf8PathBuf,
        /// The reason.
        source: Box<pgp::errors::Error>,
    },
    /// The release file carries no signature.
    #[error("`{url}` is not signed")]
    NotSigned {
        /// The address of the release file.
        url: String,
        /// The reason.
        source: Box<pgp::errors::Error>,
    },
    /// No committed key made a signature of the release file.
    #[error("`{url}` is signed by {} and by none of the committed keys", .signers.join(", "))]
    UnknownSigner {
        /// The address of the release file.
        url: String,
        /// The key ids in the signatures.
        signers: Vec<String>,
    },
    /// The key that signed has expired or was revoked.
    #[error("`{url}` is signed by the key {key}, which is no longer valid: {why}")]
    KeyNotValid {
        /// The address of the release file.
        url: String,
        /// The key's fingerprint.
        key: String,
        /// What is wrong with the key.
        why: &'static str,
    },
    /// A signature does not fit the text.
    #[error("the signature of `{url}` by the key {key} is wrong")]
    WrongSignature {
        /// The address of the release file.
        url: String,
        /// The key's fingerprint.
        key: String,
        /// The reason.
        source: Box<pgp::errors::Error>,
    },
    /// A file of the mirror is malformed.
    #[error("`{url}` is malformed: {why}")]
    BadIndex {
        /// The address.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The release file is for another suite, or too old.
    #[error("`{url}` cannot be used: {why}")]
    ReleaseRefused {
        /// The address.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A wanted package does not exist in the suite.
    #[error("the package `{package}` in `seed.toml` does not exist in this suite")]
    UnknownPackage {
        /// The package.
        package: PackageName,
    },
    /// A dependency cannot be satisfied.
    #[error("`{package}` needs `{relation}`, which the suite does not have")]
    Unsatisfiable {
        /// The package that needs it.
        package: PackageName,
        /// What it needs.
        relation: String,
    },
    /// Two packages exclude each other.
    #[error("`{package}` excludes `{relation}`, but `{other}` is needed too")]
    Conflict {
        /// The package that excludes.
        package: PackageName,
        /// What it excludes.
        relation: String,
        /// The package that is excluded.
        other: PackageName,
    },
    /// A package file is malformed.
    #[error("the file of `{package}`, `{path}`, is malformed: {why}")]
    BadPackage {
        /// The package.
        package: PackageName,
        /// Its file in the cache.
        path: Utf8PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An entry of a package cannot be unpacked.
    #[error("could not unpack `{entry}` of `{package}`, `{path}`")]
    Unpack {
        /// The package.
        package: PackageName,
        /// Its file in the cache.
        path: Utf8PathBuf,
        /// The path inside of it.
        entry: String,
        /// The reason.
        source: io::Error,
    },
    /// A command in the tree failed.
    #[error("the step `{step}` failed in `{root}`")]
    Step {
        /// The name of the step.
        step: String,
        /// The tree.
        root: Utf8PathBuf,
        /// The reason.
        source: crate::configure::RunError,
    },
    /// dpkg left packages unconfigured.
    #[error("dpkg did not configure {}", .packages.join(", "))]
    NotConfigured {
        /// The packages.
        packages: Vec<String>,
    },
    /// Something is still mounted where a directory is about to be removed.
    #[error("`{mount}` is still mounted: unmount it, so that `{path}` can be removed")]
    StillMounted {
        /// The directory to remove.
        path: Utf8PathBuf,
        /// The mount point inside of it.
        mount: String,
    },
    /// A blocking task panicked or was cancelled.
    #[error("the task `{what}` did not finish")]
    Task {
        /// What it did.
        what: &'static str,
        /// The reason.
        source: tokio::task::JoinError,
    },
}

fn now_has(available: Option<&str>) -> String {
    available
        .map_or_else(|| " and has no other".to_owned(), |version| format!(" and has {version} now"))
}

/// Names the file in an error of the file system.
pub(crate) fn file(
    doing: &'static str,
    path: impl Into<Utf8PathBuf>,
) -> impl FnOnce(io::Error) -> SeedError {
    let path = path.into();
    move |source| SeedError::File { doing, path, source }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, SeedError> + Send + 'static,
) -> Result<T, SeedError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| SeedError::Task { what, source })?
}
