//! Signed statements that are no metadata of TUF: an envelope of DSSE 1.0 with one ed25519 signature.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{KeyMark, KeyName, PublicKey, SecretKey, SigningError, hex, key::verifies};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Signs a statement of a kind (a media type).
///
/// # Errors
/// When it has no JSON form.
pub fn seal(kind: &str, statement: &[u8], key: &SecretKey) -> Result<Vec<u8>, SigningError> {
    let envelope = Envelope {
        payload_type: kind.to_owned(),
        payload: STANDARD.encode(statement),
        signatures: vec![Signature {
            keyid: public_to_hex(&key.public()),
            sig: STANDARD.encode(key.sign(&signed(kind, statement))?),
        }],
    };
    let failed = |error: serde_json::Error| unusable(key.name(), error.to_string());
    let mut bytes = serde_json::to_vec_pretty(&envelope).map_err(failed)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The statement in an envelope, if it is of this kind and this key signed it. `name` is how errors call the key.
///
/// # Errors
/// When it is no envelope, of another kind, or not signed by the key.
pub fn unseal(
    kind: &str,
    envelope: &[u8],
    name: &KeyName,
    key: &PublicKey,
) -> Result<Vec<u8>, SigningError> {
    let wrong = |problem: &str| unusable(name, problem.to_owned());
    let envelope: Envelope =
        serde_json::from_slice(envelope).map_err(|error| unusable(name, error.to_string()))?;
    if envelope.payload_type != kind {
        return Err(wrong("it is a statement of another kind"));
    }
    let statement =
        STANDARD.decode(&envelope.payload).map_err(|error| unusable(name, error.to_string()))?;
    let message = signed(kind, &statement);
    let tuf = key.to_tuf();
    let good = envelope.signatures.iter().any(|signature| {
        STANDARD.decode(&signature.sig).is_ok_and(|sig| verifies(&tuf, &message, &sig))
    });
    if good { Ok(statement) } else { Err(wrong("its signature is not this key's")) }
}

/// What is signed: DSSE's pre-authentication encoding (DSSE 1.0, section "Signature Definition").
fn signed(kind: &str, statement: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len()).into_bytes();
    bytes.extend_from_slice(statement);
    bytes
}

fn unusable(key: &KeyName, problem: String) -> SigningError {
    SigningError::Statement { key: key.clone(), problem }
}

/// A public key as 64 hexadecimal digits.
pub fn public_to_hex(key: &PublicKey) -> String {
    hex(&key.bytes)
}

/// A public key of 64 hexadecimal digits, for releases.
pub fn public_from_hex(text: &str) -> Option<PublicKey> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(PublicKey { bytes, mark: KeyMark::Release })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "application/vnd.in-toto+json";

    fn key(name: &str) -> SecretKey {
        SecretKey::generate(name.parse().unwrap(), KeyMark::Release).unwrap()
    }

    #[test]
    fn a_statement_is_read_with_its_key_only() {
        let (one, two) = (key("one"), key("two"));
        let envelope = seal(KIND, b"so it is", &one).unwrap();
        let read = |kind, envelope: &[u8], key: &SecretKey| {
            unseal(kind, envelope, key.name(), &key.public())
        };
        assert_eq!(read(KIND, &envelope, &one).unwrap(), b"so it is");
        #[track_caller]
        fn check(result: Result<Vec<u8>, SigningError>, expected: &str) {
            let text = result.unwrap_err().to_string();
            assert!(text.ends_with(expected), "{text}");
        }
        check(read(KIND, &envelope, &two), "its signature is not this key's");
        check(read("text/plain", &envelope, &one), "it is a statement of another kind");
        let text = String::from_utf8(envelope).unwrap();
        let other = text.replace(&STANDARD.encode("so it is"), &STANDARD.encode("so it was"));
        check(read(KIND, other.as_bytes(), &one), "its signature is not this key's");
        assert!(read(KIND, b"{}", &one).is_err());
    }

    /// The example of the specification.
    #[test]
    fn what_is_signed_is_as_specified() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(signed("http://example.com/HelloWorld", b"hello world"), expected);
    }

    #[test]
    fn public_keys_are_written_and_read() {
        let public = key("one").public();
        assert_eq!(public_from_hex(&public_to_hex(&public)), Some(public));
        for wrong in ["", "00", &"g".repeat(64), &"ä".repeat(32), &"0".repeat(65)] {
            assert_eq!(public_from_hex(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        /// Nobody can write a statement without the key, whatever they try.
        #[test]
        fn any_bytes_are_refused(payload in ".{0,40}", sig in ".{0,90}", rest in ".{0,20}") {
            let one = key("one");
            let envelope = serde_json::json!({
                "payloadType": KIND,
                "payload": STANDARD.encode(&payload),
                "signatures": [{ "keyid": rest, "sig": sig }],
            });
            let envelope = envelope.to_string();
            for bytes in [envelope.as_bytes(), rest.as_bytes()] {
                proptest::prop_assert!(unseal(KIND, bytes, one.name(), &one.public()).is_err());
            }
        }

        #[test]
        fn a_public_key_is_64_digits(text in "[0-9a-g]{62,66}") {
            let known = public_from_hex(&text).map(|key| public_to_hex(&key));
            let sound = text.len() == 64 && !text.contains('g');
            proptest::prop_assert_eq!(known, sound.then_some(text));
        }
    }
}
