//! The signed release file of a suite. A [`Release`] exists only when its signature was good.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use pgp::{
    composed::{CleartextSignedMessage, Deserializable, SignedPublicKey},
    packet::{Signature, SignatureType},
    types::{KeyDetails, VerifyingKey},
};

use crate::{
    control::paragraphs,
    error::SeedError,
    http::Expected,
    spec::{KeyFile, SeedSpec},
};

/// A release file whose signature was good.
#[derive(Debug)]
pub(crate) struct Release {
    /// The suite's own version, for example `13.1`.
    pub(crate) version: String,
    /// When it was made, in seconds since 1970.
    pub(crate) epoch: u64,
    /// The fingerprint of the key that signed.
    pub(crate) signer: String,
    files: BTreeMap<String, Expected>,
}

impl Release {
    /// Verifies the signature of an `InRelease` at the time `now` (seconds since 1970) and reads what was signed.
    pub(crate) fn verify(
        text: &str,
        url: &str,
        spec: &SeedSpec,
        now: u64,
    ) -> Result<Self, SeedError> {
        let keys = spec.keys.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
        let not_signed =
            |source| SeedError::NotSigned { url: url.to_owned(), source: Box::new(source) };
        let (message, _) = CleartextSignedMessage::from_string(text).map_err(not_signed)?;
        // Only what the signature covers is read from here on.
        let signed = message.signed_text();
        let signer = check_signatures(message.signatures(), &keys, signed.as_bytes(), url, now)?;
        let release = Self::parse(&signed.replace("\r\n", "\n"), url, signer)?;
        release.check_usable(&signed, url, spec, now)?;
        Ok(release)
    }

    /// What a file of the suite must be.
    pub(crate) fn file(&self, path: &str, url: &str) -> Result<Expected, SeedError> {
        let why = || format!("it does not list `{path}`");
        self.files
            .get(path)
            .copied()
            .ok_or_else(|| SeedError::BadIndex { url: url.to_owned(), why: why() })
    }

    /// Reads a text whose signature somebody else has verified.
    pub(crate) fn of_signed_text(text: &str, url: &str) -> Result<Self, SeedError> {
        Self::parse(text, url, String::new())
    }

    fn parse(text: &str, url: &str, signer: String) -> Result<Self, SeedError> {
        let bad = |why: &str| SeedError::BadIndex { url: url.to_owned(), why: why.to_owned() };
        let paragraph = paragraphs(text).next().ok_or_else(|| bad("it is empty"))?;
        let date =
            paragraph.get("Date").and_then(parse_date).ok_or_else(|| bad("it has no `Date`"))?;
        let mut files = BTreeMap::new();
        for line in paragraph.get("SHA256").ok_or_else(|| bad("it has no `SHA256`"))?.lines() {
            let mut words = line.split_whitespace();
            let (Some(sha256), Some(size), Some(path)) = (words.next(), words.next(), words.next())
            else {
                return Err(bad("a line of `SHA256` is not digest, size and path"));
            };
            let size = size.parse().map_err(|_| bad("a size is no number"))?;
            let sha256 = sha256.parse().map_err(|_| bad("a digest is malformed"))?;
            files.insert(path.to_owned(), Expected { size, sha256 });
        }
        Ok(Self {
            version: paragraph.get("Version").unwrap_or("?").to_owned(),
            epoch: date,
            signer,
            files,
        })
    }

    fn check_usable(
        &self,
        text: &str,
        url: &str,
        spec: &SeedSpec,
        now: u64,
    ) -> Result<(), SeedError> {
        let refused = |why| SeedError::ReleaseRefused { url: url.to_owned(), why };
        let paragraph = paragraphs(text).next().unwrap_or_default();
        let names = [paragraph.get("Codename"), paragraph.get("Suite")];
        if !names.contains(&Some(spec.suite.as_str())) {
            let found = names[0].unwrap_or("nothing");
            return Err(refused(format!("it is for the suite `{found}`, not `{}`", spec.suite)));
        }
        if let Some(until) = paragraph.get("Valid-Until")
            && parse_date(until).is_none_or(|until| until < now)
        {
            return Err(refused(format!("it was valid until {until}")));
        }
        Ok(())
    }
}

/// For example `Sat, 06 Sep 2025 08:32:11 UTC`.
fn parse_date(text: &str) -> Option<u64> {
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix("+0000"))?.trim_end();
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S", text).ok()?;
    u64::try_from(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second()).ok()
}

fn read_key(key: &KeyFile) -> Result<SignedPublicKey, SeedError> {
    let bad = |source| SeedError::BadKey { path: key.path.clone(), source: Box::new(source) };
    let (key, _) = SignedPublicKey::from_string(&key.armored).map_err(bad)?;
    // A sub-key counts only because the primary key says so.
    key.verify_bindings().map_err(bad)?;
    Ok(key)
}

/// The first good signature by a valid key decides; else the error that says most.
fn check_signatures(
    signatures: &[Signature],
    keys: &[SignedPublicKey],
    signed: &[u8],
    url: &str,
    now: u64,
) -> Result<String, SeedError> {
    let mut worst = None;
    for signature in signatures {
        for key in keys {
            match check_signature(signature, key, signed, url, now) {
                Some(Ok(signer)) => return Ok(signer),
                Some(Err(error)) => worst = Some(error),
                None => {}
            }
        }
    }
    Err(worst.unwrap_or_else(|| SeedError::UnknownSigner {
        url: url.to_owned(),
        signers: signatures
            .iter()
            .flat_map(Signature::issuer_fingerprint)
            .map(|print| format!("{print:X}"))
            .collect(),
    }))
}

/// Nothing when the signature is not by this key.
fn check_signature(
    signature: &Signature,
    key: &SignedPublicKey,
    signed: &[u8],
    url: &str,
    now: u64,
) -> Option<Result<String, SeedError>> {
    if made_by(signature, &key.primary_key) {
        return Some(verify(signature, &key.primary_key, signed, url).and_then(|signer| {
            let why = primary_problem(key, now).or_else(|| signature_problem(signature, now));
            valid_or(why, signer, url)
        }));
    }
    let sub_key = key.public_subkeys.iter().find(|sub_key| made_by(signature, &sub_key.key))?;
    Some(verify(signature, &sub_key.key, signed, url).and_then(|signer| {
        let why = primary_problem(key, now)
            .or_else(|| {
                sub_key_problem(
                    &sub_key.signatures,
                    u64::from(sub_key.key.created_at().as_secs()),
                    now,
                )
            })
            .or_else(|| signature_problem(signature, now));
        valid_or(why, signer, url)
    }))
}

fn made_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_fingerprint().contains(&&key.fingerprint())
        || (signature.issuer_fingerprint().is_empty()
            && signature.issuer_key_id().contains(&&key.legacy_key_id()))
}

fn verify(
    signature: &Signature,
    key: &impl VerifyingKey,
    signed: &[u8],
    url: &str,
) -> Result<String, SeedError> {
    let fingerprint = format!("{:X}", key.fingerprint());
    match signature.verify(key, signed) {
        Ok(()) => Ok(fingerprint),
        Err(source) => Err(SeedError::WrongSignature {
            url: url.to_owned(),
            key: fingerprint,
            source: Box::new(source),
        }),
    }
}

fn valid_or(why: Option<&'static str>, signer: String, url: &str) -> Result<String, SeedError> {
    match why {
        None => Ok(signer),
        Some(why) => Err(SeedError::KeyNotValid { url: url.to_owned(), key: signer, why }),
    }
}

fn primary_problem(key: &SignedPublicKey, now: u64) -> Option<&'static str> {
    if !key.details.revocation_signatures.is_empty() {
        return Some("it was revoked");
    }
    let users = key.details.users.iter().flat_map(|user| &user.signatures);
    let own = users
        .chain(&key.details.direct_signatures)
        .filter(|signature| made_by(signature, &key.primary_key));
    expired(own, u64::from(key.primary_key.created_at().as_secs()), now)
}

fn sub_key_problem(signatures: &[Signature], created: u64, now: u64) -> Option<&'static str> {
    if signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Some("it was revoked");
    }
    if !signatures.iter().any(|signature| signature.key_flags().sign()) {
        return Some("it may not sign");
    }
    expired(signatures.iter(), created, now)
}

/// The newest signature on a key says until when it is valid.
fn expired<'a>(
    signatures: impl Iterator<Item = &'a Signature>,
    created: u64,
    now: u64,
) -> Option<&'static str> {
    let newest = signatures.max_by_key(|signature| signature.created().map(|time| time.as_secs()));
    let lifetime =
        newest.and_then(Signature::key_expiration_time).map_or(0, |time| u64::from(time.as_secs()));
    (lifetime != 0 && created + lifetime <= now).then_some("it has expired")
}

fn signature_problem(signature: &Signature, now: u64) -> Option<&'static str> {
    let created = u64::from(signature.created()?.as_secs());
    let lifetime =
        signature.signature_expiration_time().map_or(0, |time| u64::from(time.as_secs()));
    (lifetime != 0 && created + lifetime <= now).then_some("its signature has expired")
}
