//! X.509 certificates (RFC 5280): how firmware wants to be given a public key.

use pkcs8::LineEnding;
use rsa::{
    RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    pkcs8::{DecodePublicKey as _, Document, EncodePublicKey as _},
    sha2::{Digest as _, Sha256},
    signature::Verifier as _,
};

use super::{
    BootError, BootRole,
    der::{self, Reader, element, object, sequence},
    oid,
};
use crate::{KeyMark, SigningError};

/// Firmware has no clock that can be trusted, and does not look; RFC 5280, section 4.1.2.5, has the second one for "never".
const NOT_BEFORE: &[u8] = b"200101000000Z";
const NOT_AFTER: &[u8] = b"99991231235959Z";

/// A certificate of an RSA key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    name: String,
    key: RsaPublicKey,
}

impl Certificate {
    /// Reads a certificate, DER or PEM.
    ///
    /// # Errors
    /// When it is none, or one of another kind of key.
    pub fn parse(bytes: &[u8]) -> Result<Self, BootError> {
        let pem = std::str::from_utf8(bytes).ok().and_then(|text| Document::from_pem(text).ok());
        let der = match pem {
            Some(("CERTIFICATE", document)) => document.into_vec(),
            _ => bytes.to_vec(),
        };
        Self::from_der(der).ok_or(BootError::Certificate)
    }

    /// The names and the key (RFC 5280, section 4.1).
    fn from_der(der: Vec<u8>) -> Option<Self> {
        let mut outside = Reader(&der);
        let mut fields = outside.enter(der::SEQUENCE)?.enter(der::SEQUENCE)?;
        let _version = fields.take(der::context(0));
        let serial = fields.take(der::INTEGER)?;
        let _algorithm = fields.take(der::SEQUENCE)?;
        let issuer = fields.take(der::SEQUENCE)?;
        let _validity = fields.take(der::SEQUENCE)?;
        let subject = fields.take(der::SEQUENCE)?;
        let key = fields.take(der::SEQUENCE)?;
        if !outside.0.is_empty() {
            return None;
        }
        Some(Self {
            issuer: issuer.whole.to_vec(),
            serial: serial.whole.to_vec(),
            name: common_name(subject.content).unwrap_or_default(),
            key: RsaPublicKey::from_public_key_der(key.whole).ok()?,
            der,
        })
    }

    /// The certificate of a key, signed by itself. Everything in it follows from the key and its role.
    pub(super) fn of_key(
        role: BootRole,
        mark: KeyMark,
        key: &RsaPublicKey,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SigningError>,
    ) -> Result<Self, SigningError> {
        let bad = |problem: String| SigningError::Key { key: role.key_name(), problem };
        let public = key.to_public_key_der().map_err(|error| bad(error.to_string()))?;
        let digest = Sha256::digest(public.as_bytes());
        let name = match mark {
            KeyMark::Release => format!("Slipway Secure Boot {role}"),
            KeyMark::Development => format!("Slipway Secure Boot {role} for development"),
        };
        let name = name_of(&name);
        let algorithm = der::algorithm(oid::SHA256_WITH_RSA);
        let fields = sequence(&[
            &element(der::context(0), &[&[der::INTEGER, 1, 2]]),
            &element(der::INTEGER, &[&serial(&digest)]),
            &algorithm,
            &name,
            &sequence(&[
                &element(der::UTC_TIME, &[NOT_BEFORE]),
                &element(der::GENERALIZED_TIME, &[NOT_AFTER]),
            ]),
            &name,
            public.as_bytes(),
            &element(der::context(3), &[&extensions(&digest)]),
        ]);
        let signature = sign(&fields)?;
        let signature = element(der::BIT_STRING, &[&[0], &signature]);
        let der = sequence(&[&fields, &algorithm, &signature]);
        Self::from_der(der).ok_or_else(|| bad("its certificate cannot be read".to_owned()))
    }

    /// The certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as text.
    ///
    /// # Errors
    /// When it is too long for that.
    pub fn to_pem(&self) -> Result<String, BootError> {
        Document::try_from(self.der.as_slice())
            .and_then(|document| document.to_pem("CERTIFICATE", LineEnding::LF))
            .map_err(|_| BootError::Certificate)
    }

    /// The common name of the subject.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Issuer and serial number: how a signature names its signer (RFC 2315, section 6.7).
    pub(super) fn issuer_and_serial(&self) -> Vec<u8> {
        sequence(&[&self.issuer, &self.serial])
    }

    /// Whether `signature` is the key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = VerifyingKey::<Sha256>::new(self.key.clone());
        Signature::try_from(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }
}

/// A name that has a common name only.
fn name_of(text: &str) -> Vec<u8> {
    let name =
        sequence(&[&object(oid::COMMON_NAME), &element(der::UTF8_STRING, &[text.as_bytes()])]);
    sequence(&[&element(der::SET, &[&name])])
}

fn common_name(name: &[u8]) -> Option<String> {
    let mut parts = Reader(name);
    while let Some(mut part) = parts.enter(der::SET) {
        let mut pair = part.enter(der::SEQUENCE)?;
        if pair.is(oid::COMMON_NAME).is_some() {
            return String::from_utf8(pair.any()?.content.to_vec()).ok();
        }
    }
    None
}

/// A serial number: positive, and 16 bytes long (RFC 5280, section 4.1.2.2, wants at most 20).
fn serial(digest: &[u8]) -> Vec<u8> {
    let mut serial = digest[..16].to_vec();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// The key signs, and nothing else signs on its behalf.
fn extensions(digest: &[u8]) -> Vec<u8> {
    let critical: &[u8] = &[der::BOOLEAN, 1, 0xff];
    let extension = |oid: &[u8], critical: &[u8], value: &[u8]| {
        sequence(&[&object(oid), critical, &element(der::OCTET_STRING, &[value])])
    };
    let key_id = element(der::OCTET_STRING, &[&digest[..20]]);
    sequence(&[
        &extension(oid::BASIC_CONSTRAINTS, critical, &sequence(&[])),
        // The first bit: digitalSignature.
        &extension(oid::KEY_USAGE, critical, &[der::BIT_STRING, 2, 7, 0x80]),
        &extension(oid::SUBJECT_KEY_IDENTIFIER, &[], &key_id),
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::BootKey;

    #[test]
    fn a_certificate_is_signed_by_itself_and_survives_its_text() {
        let key = BootKey::generate(BootRole::Kek, KeyMark::Release).unwrap();
        let certificate = key.certificate();
        assert_eq!(certificate.name(), "Slipway Secure Boot KEK");
        let text = certificate.to_pem().unwrap();
        assert_eq!(Certificate::parse(text.as_bytes()).unwrap(), *certificate);
        assert_eq!(Certificate::parse(certificate.der()).unwrap(), *certificate);
        let mut fields = Reader(certificate.der()).enter(der::SEQUENCE).unwrap();
        let signed = fields.take(der::SEQUENCE).unwrap();
        let signature = fields.any().and_then(|_| fields.take(der::BIT_STRING)).unwrap();
        assert!(certificate.verifies(signed.whole, &signature.content[1..]));
        assert!(!certificate.verifies(b"something else", &signature.content[1..]));
        assert!(!certificate.verifies(signed.whole, &signature.content[2..]));
    }

    #[test]
    fn a_serial_number_is_positive_and_has_no_leading_zero() {
        for first in [0x00, 0x40, 0x7f, 0x80, 0xff] {
            let serial = serial(&[first; 32]);
            assert!((0x40..0x80).contains(&serial[0]), "{serial:x?}");
            assert_eq!(serial.len(), 16);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            prop_assert!(Certificate::parse(&bytes).is_err());
        }
    }
}
