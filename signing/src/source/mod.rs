//! Where private keys are: files, variables, tokens. [`Source`] is what they have in common.

mod file;
mod token;
mod uri;
mod variable;

pub(crate) use file::{FileSource, make_dir, read_file, set_aside, write_file};
pub(crate) use token::TokenSource;
pub use uri::TokenUri;
pub(crate) use variable::VariableSource;

use crate::{KeyMark, Passphrase, SecretKey, SigningError};

/// A place where one private key is, or will be.
pub(crate) trait Source {
    /// Whether the key is there. A place that cannot be reached has no key.
    fn has(&self) -> bool;

    /// Opens the key.
    fn open(&self, passphrase: &mut Passphrase<'_>) -> Result<SecretKey, SigningError>;

    /// Makes the key, never over another one. `passphrase` encrypts a file, and is the PIN of a token.
    fn create(&self, mark: KeyMark, passphrase: Option<&str>) -> Result<SecretKey, SigningError>;

    /// Puts the key aside, so that a new one can be made; says where it is now. Nothing is deleted.
    fn retire(&self, passphrase: &mut Passphrase<'_>) -> Result<String, SigningError>;
}
