//! The errors of this crate.

use camino::Utf8PathBuf;

use crate::{KeyName, RoleName};

/// Something about keys, roles or signatures that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("cannot read `{file}`")]
    Parse {
        /// The file, as the caller named it.
        file: String,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value of `roles.toml` that breaks a rule.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// The file, as the caller named it.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A key file that others can read.
    #[error(
        "the key file `{path}` can be read by others (mode {mode:o}); run `chmod 600` on it, and think of who saw it"
    )]
    Exposed {
        /// The file.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key that is there already.
    #[error("`{place}` is there already; a key is never written over")]
    Exists {
        /// The file, or the key on a token.
        place: String,
    },
    /// A file that could not be read or written.
    #[error("cannot {operation} the key `{key}`")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The key.
        key: KeyName,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A variable that is not set.
    #[error("the key `{key}` is expected in the variable `{variable}`, which is not set")]
    NoVariable {
        /// The key.
        key: KeyName,
        /// The variable.
        variable: String,
    },
    /// No key in what should be one, or the wrong passphrase.
    #[error("`{key}` is not a usable key: {problem}")]
    Key {
        /// The key.
        key: KeyName,
        /// What is wrong.
        problem: String,
    },
    /// A module for tokens that is not named, or cannot be loaded.
    #[error("the key `{key}` is on a token, and its PKCS#11 module cannot be loaded: {problem}")]
    Module {
        /// The key.
        key: KeyName,
        /// Why not, and what would help.
        problem: String,
    },
    /// A token that is not there or does not do what it should.
    #[error("the token of the key `{key}` cannot {operation}")]
    Token {
        /// The key.
        key: KeyName,
        /// What was tried.
        operation: &'static str,
        /// Why not.
        #[source]
        source: Box<cryptoki::error::Error>,
    },
    /// A statement that cannot be believed or written.
    #[error("the statement of `{key}` is not to be believed: {problem}")]
    Statement {
        /// The key that should have signed it.
        key: KeyName,
        /// What is wrong.
        problem: String,
    },
    /// A passphrase was needed and none was given.
    #[error("the key `{key}` is encrypted, and there is no passphrase for it")]
    NoPassphrase {
        /// The key.
        key: KeyName,
    },
    /// A key for development where it must not be.
    #[error("the key `{key}` is marked as one for development; `{role}` cannot be signed with it")]
    Development {
        /// The key.
        key: KeyName,
        /// The role.
        role: RoleName,
    },
    /// A role that does not exist.
    #[error("there is no role `{role}`; there are {known}")]
    NoRole {
        /// What was asked for.
        role: String,
        /// All roles.
        known: String,
    },
    /// A signer that the role does not know.
    #[error("the key {key_id} is none of the keys of `{role}`")]
    NotOfRole {
        /// The identifier of the key.
        key_id: String,
        /// The role.
        role: RoleName,
    },
    /// Too few signatures.
    #[error("`{role}` has {valid} of {threshold} signatures; missing are some of {missing}")]
    Threshold {
        /// The role.
        role: RoleName,
        /// How many valid ones there are.
        valid: u64,
        /// How many there must be.
        threshold: u64,
        /// The identifiers of keys that have not signed.
        missing: String,
    },
    /// Metadata that cannot be read or written.
    #[error("the metadata of `{role}` cannot be used")]
    Metadata {
        /// The role.
        role: RoleName,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No random numbers for a new key.
    #[error("the system's random numbers cannot be read")]
    Random {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl SigningError {
    pub(crate) fn invalid(file: &str, problem: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), problem: problem.into() }
    }

    pub(crate) fn metadata(
        role: &RoleName,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Metadata { role: role.clone(), source: source.into() }
    }
}
