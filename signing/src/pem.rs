//! The text of a key file: PKCS#8 (RFC 5958) in PEM, encrypted if there is a passphrase, and marked if it is for development.

use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo, SecretDocument};
use zeroize::Zeroizing;

use crate::{KeyMark, KeyName, Passphrase, SigningError};

/// The first line of a key file for development.
const DEVELOPMENT_LINE: &str = "Slipway development key. Not for releases.\n";
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// The text for a key, encrypted if there is a passphrase (PBES2 with scrypt and AES-256).
pub(crate) fn write(
    name: &KeyName,
    mark: KeyMark,
    key: &SecretDocument,
    passphrase: Option<&str>,
) -> Result<Zeroizing<String>, SigningError> {
    let bad =
        |problem: String| SigningError::Key { key: name.clone(), problem: problem.to_string() };
    let pem = match passphrase {
        None => key.to_pem(PLAIN, LineEnding::LF).map_err(|error| bad(error.to_string()))?,
        Some(passphrase) => PrivateKeyInfo::try_from(key.as_bytes())
            .and_then(|key| key.encrypt(pkcs8::rand_core::OsRng, passphrase))
            .and_then(|key| Ok(key.to_pem(ENCRYPTED, LineEnding::LF)?))
            .map_err(|error| bad(error.to_string()))?,
    };
    Ok(match mark {
        KeyMark::Release => pem,
        KeyMark::Development => Zeroizing::new(format!("{DEVELOPMENT_LINE}{}", *pem)),
    })
}

/// The key that is in a text, and its mark; asks for the passphrase if it is encrypted.
pub(crate) fn read(
    name: &KeyName,
    text: &str,
    passphrase: &mut Passphrase<'_>,
) -> Result<(KeyMark, SecretDocument), SigningError> {
    let (mark, pem) = match text.strip_prefix(DEVELOPMENT_LINE) {
        Some(rest) => (KeyMark::Development, rest),
        None => (KeyMark::Release, text),
    };
    let bad = |problem: &str| SigningError::Key { key: name.clone(), problem: problem.to_owned() };
    match SecretDocument::from_pem(pem.trim()) {
        Ok((PLAIN, key)) => Ok((mark, key)),
        Ok((ENCRYPTED, key)) => {
            let passphrase =
                passphrase(name).ok_or_else(|| SigningError::NoPassphrase { key: name.clone() })?;
            let key = EncryptedPrivateKeyInfo::try_from(key.as_bytes())
                .and_then(|key| key.decrypt(passphrase.as_bytes()))
                .map_err(|_| bad("the passphrase is wrong, or the file is damaged"))?;
            Ok((mark, key))
        }
        _ => Err(bad("no PKCS#8 key is in it")),
    }
}
