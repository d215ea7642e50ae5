//! Signed data of PKCS #7 (RFC 2315, section 9), as firmware reads it: one signer, SHA-256, RSA.

use rsa::sha2::{Digest as _, Sha256};

use super::{
    BootError, BootKey, Certificate,
    der::{self, Reader, context, element, object, sequence},
    oid,
};

/// Signs content that lies elsewhere, without attributes.
pub(super) fn sign_detached(content: &[u8], key: &BootKey) -> Result<Vec<u8>, BootError> {
    let signature = key.sign(content)?;
    Ok(signed_data(&sequence(&[&object(oid::DATA)]), key, &[], &signature))
}

/// Signs content of a type, a sequence, which comes along. What is signed are attributes with its digest.
pub(super) fn sign_attached(
    content_type: &[u8],
    content: &[u8],
    key: &BootKey,
) -> Result<Vec<u8>, BootError> {
    // Tag and length of the content do not count (RFC 2315, section 9.3).
    let inside = Reader(content).any().map_or(content, |element| element.content);
    let mut attributes = [
        attribute(oid::CONTENT_TYPE, &object(content_type)),
        attribute(oid::MESSAGE_DIGEST, &element(der::OCTET_STRING, &[&Sha256::digest(inside)])),
    ];
    // DER sorts sets.
    attributes.sort();
    let attributes = attributes.concat();
    // They are signed as a set, and written as element 0.
    let signature = key.sign(&element(der::SET, &[&attributes]))?;
    let info = sequence(&[&object(content_type), &element(context(0), &[content])]);
    let attributes = element(context(0), &[&attributes]);
    Ok(signed_data(&info, key, &attributes, &signature))
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&object(kind), &element(der::SET, &[value])])
}

fn signed_data(info: &[u8], key: &BootKey, attributes: &[u8], signature: &[u8]) -> Vec<u8> {
    const VERSION: &[u8] = &[der::INTEGER, 1, 1];
    let signer = sequence(&[
        VERSION,
        &key.certificate().issuer_and_serial(),
        &der::sha256(),
        attributes,
        &der::algorithm(oid::RSA),
        &element(der::OCTET_STRING, &[signature]),
    ]);
    sequence(&[
        VERSION,
        &element(der::SET, &[&der::sha256()]),
        info,
        &element(context(0), &[key.certificate().der()]),
        &element(der::SET, &[&signer]),
    ])
}

/// Wraps signed data, saying that it is that.
pub(super) fn content_info(signed_data: &[u8]) -> Vec<u8> {
    sequence(&[&object(oid::SIGNED_DATA), &element(context(0), &[signed_data])])
}

/// Signed data that comes with its content.
pub(super) struct Signed<'a> {
    /// The content, a sequence.
    content: &'a [u8],
    signers: Reader<'a>,
}

impl<'a> Signed<'a> {
    /// Reads what [`content_info`] has written, or another program. `None` if the content is of another type.
    pub(super) fn read(bytes: &'a [u8], content_type: &[u8]) -> Option<Self> {
        let mut outside = Reader(bytes).enter(der::SEQUENCE)?;
        outside.is(oid::SIGNED_DATA)?;
        let mut fields = outside.enter(context(0))?.enter(der::SEQUENCE)?;
        let _version = fields.take(der::INTEGER)?;
        let _digests = fields.take(der::SET)?;
        let mut info = fields.enter(der::SEQUENCE)?;
        info.is(content_type)?;
        let content = info.enter(context(0))?.take(der::SEQUENCE)?;
        let _certificates = fields.take(context(0));
        let _revoked = fields.take(context(1));
        Some(Self { content: content.content, signers: fields.enter(der::SET)? })
    }

    /// The inside of the content.
    pub(super) fn content(&self) -> Reader<'a> {
        Reader(self.content)
    }

    /// Whether the key of a certificate is among the signers, and has signed this content.
    pub(super) fn is_by(&self, certificate: &Certificate, content_type: &[u8]) -> bool {
        let mut signers = self.signers;
        while let Some(signer) = signers.enter(der::SEQUENCE) {
            if self.check(signer, certificate, content_type).is_some() {
                return true;
            }
        }
        false
    }

    fn check(
        &self,
        mut signer: Reader<'_>,
        certificate: &Certificate,
        content_type: &[u8],
    ) -> Option<()> {
        let _version = signer.take(der::INTEGER)?;
        let by = signer.take(der::SEQUENCE)?;
        (by.whole == certificate.issuer_and_serial()).then_some(())?;
        let mut digest = signer.enter(der::SEQUENCE)?;
        digest.is(oid::SHA256)?;
        let attributes = signer.take(context(0))?;
        let _algorithm = signer.take(der::SEQUENCE)?;
        let signature = signer.take(der::OCTET_STRING)?;

        let digest = Sha256::digest(self.content);
        let value = |kind| attribute_value(attributes.content, kind);
        (value(oid::CONTENT_TYPE)? == content_type).then_some(())?;
        (value(oid::MESSAGE_DIGEST)? == digest.as_slice()).then_some(())?;
        let message = element(der::SET, &[attributes.content]);
        certificate.verifies(&message, signature.content).then_some(())
    }
}

/// The content of the only value of an attribute.
fn attribute_value<'a>(attributes: &'a [u8], kind: &[u8]) -> Option<&'a [u8]> {
    let mut attributes = Reader(attributes);
    while let Some(mut pair) = attributes.enter(der::SEQUENCE) {
        if pair.is(kind).is_some() {
            return Some(pair.enter(der::SET)?.any()?.content);
        }
    }
    None
}
