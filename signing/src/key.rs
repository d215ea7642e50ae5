//! Key pairs: ed25519 (RFC 8032), kept as PKCS#8 (RFC 5958, RFC 8410).

use std::collections::HashMap;

use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
};
use tough::schema::{
    decoded::{Decoded, Hex},
    key::{Ed25519Key, Ed25519Scheme, Key},
};
use zeroize::Zeroizing;

use crate::{KeyName, SigningError, pem};

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyMark {
    /// Made for trying things out; refused for stable.
    Development,
    /// Made for releases.
    Release,
}

/// The field of a public key in the metadata that marks it as one for development. Clients may ignore it, people should not.
const DEVELOPMENT_FIELD: &str = "x-slipway-development";
/// The public half of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The point, as RFC 8032 encodes it.
    pub bytes: [u8; 32],
    /// What the key is good for.
    pub mark: KeyMark,
}

impl PublicKey {
    /// The key as TUF metadata has it (TUF 1.0, section 4.2).
    pub fn to_tuf(self) -> Key {
        let mut extra = HashMap::new();
        if self.mark == KeyMark::Development {
            extra.insert(DEVELOPMENT_FIELD.to_owned(), true.into());
        }
        Key::Ed25519 {
            keyval: Ed25519Key { public: self.bytes.to_vec().into(), _extra: HashMap::new() },
            scheme: Ed25519Scheme::Ed25519,
            _extra: extra,
        }
    }

    /// The key that TUF metadata has; `None` if it is of another kind than ours.
    pub fn from_tuf(key: &Key) -> Option<Self> {
        let Key::Ed25519 { keyval, .. } = key else { return None };
        let bytes = <[u8; 32]>::try_from(&*keyval.public).ok()?;
        let development = is_for_development(key);
        let mark = if development { KeyMark::Development } else { KeyMark::Release };
        Some(Self { bytes, mark })
    }

    /// The identifier of the key: the SHA-256 of its canonical JSON.
    pub fn id(self) -> Decoded<Hex> {
        key_id(&self.to_tuf())
    }
}

/// The identifier of a key: the SHA-256 of its canonical JSON (TUF 1.0, section 4.2).
pub fn key_id(key: &Key) -> Decoded<Hex> {
    #[expect(
        clippy::expect_used,
        reason = "a key consists of strings, which always have a JSON form"
    )]
    key.key_id().expect("a key has a JSON form")
}

/// Whether a key of some metadata is marked as one for development.
pub(crate) fn is_for_development(key: &Key) -> bool {
    let (Key::Ed25519 { _extra: extra, .. }
    | Key::Rsa { _extra: extra, .. }
    | Key::Ecdsa { _extra: extra, .. }
    | Key::EcdsaOld { _extra: extra, .. }) = key;
    extra.contains_key(DEVELOPMENT_FIELD)
}

/// Whether `signature` is the key's over `message`. Keys of other kinds than ed25519 are never ours, and sign nothing here.
pub(crate) fn verifies(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    let Key::Ed25519 { keyval, .. } = key else { return false };
    let (Ok(point), Ok(signature)) =
        (<[u8; 32]>::try_from(&*keyval.public), ed25519_dalek::Signature::from_slice(signature))
    else {
        return false;
    };
    VerifyingKey::from_bytes(&point).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// What makes the signatures of a key: the key itself, or a device that does not give it away.
pub(crate) trait Signer: Send + Sync {
    /// The public half.
    fn public(&self) -> [u8; 32];

    /// Signs a message.
    fn sign(&self, name: &KeyName, message: &[u8]) -> Result<Vec<u8>, SigningError>;

    /// The private half, if it can leave.
    fn secret(&self) -> Option<&SigningKey>;
}

impl Signer for SigningKey {
    fn public(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign(&self, _name: &KeyName, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        Ok(ed25519_dalek::Signer::sign(self, message).to_bytes().to_vec())
    }

    fn secret(&self) -> Option<&SigningKey> {
        Some(self)
    }
}

/// A key that signs. Its bytes, if they are here at all, are wiped when it is dropped.
pub struct SecretKey {
    name: KeyName,
    signer: Box<dyn Signer>,
    mark: KeyMark,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SecretKey {
    /// Makes a key from the system's random numbers.
    ///
    /// # Errors
    /// When there are none.
    pub fn generate(name: KeyName, mark: KeyMark) -> Result<Self, SigningError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|error| SigningError::Random { source: error.into() })?;
        Ok(Self::new(name, mark, Box::new(SigningKey::from_bytes(&seed))))
    }

    pub(crate) fn new(name: KeyName, mark: KeyMark, signer: Box<dyn Signer>) -> Self {
        Self { name, signer, mark }
    }

    /// The name in `roles.toml`.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { bytes: self.signer.public(), mark: self.mark }
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.signer.sign(&self.name, message)
    }

    /// The text of a key file: PEM, encrypted if there is a passphrase (PBES2 with scrypt and AES-256).
    ///
    /// # Errors
    /// When it cannot be encrypted, or the key is on a token, which it never leaves.
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, SigningError> {
        let bad = |problem: String| SigningError::Key { key: self.name.clone(), problem };
        let key =
            self.signer.secret().ok_or_else(|| bad("it does not leave its token".to_owned()))?;
        let key = key.to_pkcs8_der().map_err(|error| bad(error.to_string()))?;
        pem::write(&self.name, self.mark, &key, passphrase)
    }

    /// Reads the text of a key file; asks for the passphrase if it is encrypted.
    ///
    /// # Errors
    /// When there is no ed25519 key in it, the passphrase is wrong, or there is none.
    pub fn from_pem(
        name: &KeyName,
        text: &str,
        passphrase: &mut dyn FnMut(&KeyName) -> Option<Zeroizing<String>>,
    ) -> Result<Self, SigningError> {
        let (mark, key) = pem::read(name, text, passphrase)?;
        let key = SigningKey::from_pkcs8_der(key.as_bytes()).map_err(|_| SigningError::Key {
            key: name.clone(),
            problem: "it is no ed25519 key".to_owned(),
        })?;
        Ok(Self::new(name.clone(), mark, Box::new(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> KeyName {
        "key-1".parse().unwrap()
    }

    #[test]
    fn a_key_survives_its_file() {
        #[track_caller]
        fn check(mark: KeyMark, passphrase: Option<&str>) {
            let key = SecretKey::generate(name(), mark).unwrap();
            let text = key.to_pem(passphrase).unwrap();
            let mut give = |_: &KeyName| passphrase.map(|p| Zeroizing::new(p.to_owned()));
            let again = SecretKey::from_pem(&name(), &text, &mut give).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(again.sign(b"x").unwrap(), key.sign(b"x").unwrap());
        }
        check(KeyMark::Release, None);
        check(KeyMark::Release, Some("correct horse"));
        check(KeyMark::Development, Some("correct horse"));
    }

    #[test]
    fn what_is_no_key_says_so() {
        #[track_caller]
        fn check(text: &str, passphrase: Option<&str>, expected: &str) {
            let mut give = |_: &KeyName| passphrase.map(|p| Zeroizing::new(p.to_owned()));
            let error = SecretKey::from_pem(&name(), text, &mut give).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let key = SecretKey::generate(name(), KeyMark::Release).unwrap();
        let encrypted = key.to_pem(Some("right")).unwrap();
        check("", None, "`key-1` is not a usable key: no PKCS#8 key is in it");
        check(&encrypted, None, "the key `key-1` is encrypted, and there is no passphrase for it");
        check(
            &encrypted,
            Some("wrong"),
            "`key-1` is not a usable key: the passphrase is wrong, or the file is damaged",
        );
    }

    #[test]
    fn a_key_for_development_has_another_identifier() {
        let key = SecretKey::generate(name(), KeyMark::Release).unwrap().public();
        let marked = PublicKey { mark: KeyMark::Development, ..key };
        assert_ne!(key.id(), marked.id());
        for key in [key, marked] {
            assert_eq!(PublicKey::from_tuf(&key.to_tuf()), Some(key));
        }
    }
}
