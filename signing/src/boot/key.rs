//! RSA keys for Secure Boot: firmware knows no other kind everywhere (UEFI specification 2.10, section 32.2.4).

use std::fmt;

use rsa::{
    RsaPrivateKey, RsaPublicKey,
    pkcs1v15::SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
    rand_core::OsRng,
    sha2::Sha256,
    signature::{RandomizedSigner as _, SignatureEncoding as _},
    traits::PublicKeyParts as _,
};
use zeroize::Zeroizing;

use super::{BootError, Certificate};
use crate::{KeyMark, KeyName, Passphrase, SigningError, pem};

/// Bits of the modulus. Firmware in the field stops at 2048.
const BITS: usize = 2048;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BootRole {
    /// The platform key: says who owns the machine, and signs changes of the key exchange keys.
    Pk,
    /// A key exchange key: signs changes of the database.
    Kek,
    /// In the database: signs programs.
    Db,
}

impl BootRole {
    /// All roles, the owner first.
    pub const ALL: [Self; 3] = [Self::Pk, Self::Kek, Self::Db];

    /// The role that signs changes of what this one's variable has.
    pub fn signed_by(self) -> Self {
        match self {
            Self::Pk | Self::Kek => Self::Pk,
            Self::Db => Self::Kek,
        }
    }

    /// The name of the key, as questions and files have it.
    pub fn key_name(self) -> KeyName {
        #[expect(clippy::expect_used, reason = "the names are constants, and valid")]
        format!("secure-boot-{self}").to_lowercase().parse().expect("a valid name")
    }

    /// The role of a key by its name.
    pub fn of_key(name: &KeyName) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.key_name() == *name)
    }
}

/// As the firmware calls the variable.
impl fmt::Display for BootRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pk => "PK",
            Self::Kek => "KEK",
            Self::Db => "db",
        })
    }
}

/// A key of Secure Boot. It is wiped when it is dropped.
pub struct BootKey {
    role: BootRole,
    mark: KeyMark,
    key: SigningKey<Sha256>,
    certificate: Certificate,
}

impl fmt::Debug for BootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootKey").field("role", &self.role).finish_non_exhaustive()
    }
}

impl BootKey {
    /// Makes a key from the system's random numbers. It takes about a second.
    ///
    /// # Errors
    /// When there are none.
    pub fn generate(role: BootRole, mark: KeyMark) -> Result<Self, SigningError> {
        let key = RsaPrivateKey::new(&mut OsRng, BITS)
            .map_err(|error| bad(role, &format!("it cannot be made: {error}")))?;
        Self::new(role, mark, key)
    }

    /// Reads the text of a key file; asks for the passphrase if it is encrypted.
    ///
    /// # Errors
    /// When there is no RSA key of 2048 bits in it, the passphrase is wrong, or there is none.
    pub fn from_pem(
        role: BootRole,
        text: &str,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<Self, SigningError> {
        let (mark, key) = pem::read(&role.key_name(), text, passphrase)?;
        let key = RsaPrivateKey::from_pkcs8_der(key.as_bytes());
        let key = key.ok().filter(|key| key.n().bits() == BITS);
        Self::new(role, mark, key.ok_or_else(|| bad(role, "it is no RSA key of 2048 bits"))?)
    }

    /// The text of a key file: PEM, encrypted if there is a passphrase (PBES2 with scrypt and AES-256).
    ///
    /// # Errors
    /// When it cannot be encrypted.
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, SigningError> {
        let key = self.key.as_ref().to_pkcs8_der();
        let key = key.map_err(|error| bad(self.role, &error.to_string()))?;
        pem::write(&self.role.key_name(), self.mark, &key, passphrase)
    }

    fn new(role: BootRole, mark: KeyMark, key: RsaPrivateKey) -> Result<Self, SigningError> {
        let public = RsaPublicKey::from(&key);
        let key = SigningKey::new(key);
        let certificate = Certificate::of_key(role, mark, &public, |message| {
            sign(role, &key, message).map_err(|error| bad(role, &error.to_string()))
        })?;
        Ok(Self { role, mark, key, certificate })
    }

    /// What the key is for.
    pub fn role(&self) -> BootRole {
        self.role
    }

    /// What the key is good for.
    pub fn mark(&self) -> KeyMark {
        self.mark
    }

    /// The certificate of the key: the same bytes whenever it is asked for.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a message: RSA with PKCS #1 padding and SHA-256 (RFC 8017, section 8.2). The same message has the same signature.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BootError> {
        sign(self.role, &self.key, message)
    }
}

fn sign(role: BootRole, key: &SigningKey<Sha256>, message: &[u8]) -> Result<Vec<u8>, BootError> {
    // Random numbers blind the computation; they do not change its result.
    let signature = key.try_sign_with_rng(&mut OsRng, message);
    Ok(signature.map_err(|source| BootError::Sign { role, source })?.to_vec())
}

fn bad(role: BootRole, problem: &str) -> SigningError {
    SigningError::Key { key: role.key_name(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn a_key_and_its_certificate_survive_the_file() {
        let key = BootKey::generate(BootRole::Db, KeyMark::Development).unwrap();
        let text = key.to_pem(Some("secret")).unwrap();
        let mut secret = |_: &KeyName| Some(Zeroizing::new("secret".to_owned()));
        let again = BootKey::from_pem(BootRole::Db, &text, &mut secret).unwrap();
        assert_eq!(again.certificate(), key.certificate());
        assert_eq!(again.mark(), KeyMark::Development);
        assert_eq!(again.sign(b"x").unwrap(), key.sign(b"x").unwrap());
        assert_ne!(again.sign(b"x").unwrap(), key.sign(b"y").unwrap());
        // The same key in another role has another name, and so another certificate.
        let other = BootKey::from_pem(BootRole::Kek, &text, &mut secret).unwrap();
        assert_ne!(other.certificate(), key.certificate());
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let key = SecretKey::generate("alpha".parse().unwrap(), KeyMark::Release).unwrap();
        let text = key.to_pem(None).unwrap();
        let error = BootKey::from_pem(BootRole::Pk, &text, &mut |_| None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`secure-boot-pk` is not a usable key: it is no RSA key of 2048 bits"
        );
    }

    #[test]
    fn roles_are_found_by_the_names_of_their_keys() {
        for role in BootRole::ALL {
            assert_eq!(BootRole::of_key(&role.key_name()), Some(role));
        }
        assert_eq!(BootRole::of_key(&"secure-boot".parse().unwrap()), None);
    }
}
