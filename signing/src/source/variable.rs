//! Keys in variables: the text of a key file, for CI.

use zeroize::Zeroizing;

use super::Source;
use crate::{KeyMark, KeyName, Passphrase, SecretKey, SigningError};

/// A variable with the text of a key file.
pub(crate) struct VariableSource<'a> {
    pub(crate) name: &'a KeyName,
    pub(crate) variable: &'a str,
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl VariableSource<'_> {
    /// The text.
    pub(crate) fn text(&self) -> Result<Zeroizing<String>, SigningError> {
        (self.environment)(self.variable).map(Zeroizing::new).ok_or_else(|| {
            SigningError::NoVariable { key: self.name.clone(), variable: self.variable.to_owned() }
        })
    }

    fn refuse(&self, problem: &str) -> SigningError {
        SigningError::Key { key: self.name.clone(), problem: problem.to_owned() }
    }
}

impl Source for VariableSource<'_> {
    fn has(&self) -> bool {
        (self.environment)(self.variable).is_some()
    }

    fn open(&self, passphrase: &mut Passphrase<'_>) -> Result<SecretKey, SigningError> {
        SecretKey::from_pem(self.name, &self.text()?, passphrase)
    }

    fn create(&self, _mark: KeyMark, _passphrase: Option<&str>) -> Result<SecretKey, SigningError> {
        Err(self.refuse("its source is a variable, so it is not made here"))
    }

    fn retire(&self, _passphrase: &mut Passphrase<'_>) -> Result<String, SigningError> {
        Err(self.refuse("its source is a variable, so it is not replaced here"))
    }
}
