//! Public keys of an issuer (JWK, RFC 7517), and signatures by them (JWA, RFC 7518; EdDSA, RFC 8037).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::TokenError;

/// How an ID token is signed. No algorithm without a public key is among them: neither `none`, nor those that take a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa(&'static str),
    P256,
    P384,
    Ed25519,
}

const RSA: [(&str, &RsaParameters); 6] = [
    ("RS256", &RSA_PKCS1_2048_8192_SHA256),
    ("RS384", &RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &RSA_PKCS1_2048_8192_SHA512),
    ("PS256", &RSA_PSS_2048_8192_SHA256),
    ("PS384", &RSA_PSS_2048_8192_SHA384),
    ("PS512", &RSA_PSS_2048_8192_SHA512),
];

impl Algorithm {
    /// By the name that a token's header has.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::P256),
            "ES384" => Some(Self::P384),
            "EdDSA" => Some(Self::Ed25519),
            _ => RSA.iter().find(|(known, _)| *known == name).map(|(known, _)| Self::Rsa(known)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rsa(name) => name,
            Self::P256 => "ES256",
            Self::P384 => "ES384",
            Self::Ed25519 => "EdDSA",
        }
    }
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// A point of P-384, uncompressed.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct RawKeys {
    keys: Vec<Value>,
}

/// A key as it is written; what it has besides does not matter here.
#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set of keys. Keys of another kind or for another use are passed over: a set may hold any.
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let raw: RawKeys = serde_json::from_slice(body)?;
        let keys = raw.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.filter_map(Key::from_raw).collect()))
    }

    /// Whether a message is signed by one of them.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let mut suitable = self.0.iter().filter(|key| key.suits(algorithm, id)).peekable();
        if suitable.peek().is_none() {
            return Err(TokenError::Key { id: id.unwrap_or_default().chars().take(100).collect() });
        }
        match suitable.any(|key| key.material.verify(algorithm, message, signature)) {
            true => Ok(()),
            false => Err(TokenError::Signature),
        }
    }
}

impl Key {
    fn from_raw(raw: RawKey) -> Option<Self> {
        if raw.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let point = |length: usize| {
            let (x, y) = (bytes(raw.x.as_ref())?, bytes(raw.y.as_ref())?);
            (x.len() == length && y.len() == length).then(|| [&[4u8][..], &x, &y].concat())
        };
        let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: bytes(raw.n.as_ref())?, e: bytes(raw.e.as_ref())? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(raw.x.as_ref())?),
            _ => return None,
        };
        Some(Self { id: raw.kid, algorithm: raw.alg, material })
    }

    fn suits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let named = id.is_none_or(|id| self.id.as_deref() == Some(id));
        let allowed = self.algorithm.as_deref().is_none_or(|only| only == algorithm.name());
        let kind = matches!(
            (algorithm, &self.material),
            (Algorithm::Rsa(_), Material::Rsa { .. })
                | (Algorithm::P256, Material::P256(_))
                | (Algorithm::P384, Material::P384(_))
                | (Algorithm::Ed25519, Material::Ed25519(_))
        );
        named && allowed && kind
    }
}

impl Material {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |of: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(of, key).verify(message, signature).is_ok()
        };
        match self {
            Self::Rsa { n, e } => {
                let of = RSA.iter().find(|(name, _)| *name == algorithm.name());
                // Keys of fewer than 2048 bits are refused by the parameters.
                let key = RsaPublicKeyComponents { n: without_zeros(n), e: without_zeros(e) };
                of.is_some_and(|(_, of)| key.verify(of, message, signature).is_ok())
            }
            Self::P256(point) => plain(&ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => plain(&ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(key) => plain(&ED25519, key),
        }
    }
}

/// Some issuers begin a number with a zero byte.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
    };
    use serde_json::json;

    use super::*;

    fn keys(keys: Value) -> Keys {
        Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn p256() -> (EcdsaKeyPair, Value) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y });
        (pair, key)
    }

    #[test]
    fn a_signature_holds_for_its_message_and_key() {
        let (pair, key) = p256();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let (mine, theirs) = (keys(json!([key])), keys(json!([p256().1])));
        let check = |keys: &Keys, id, message: &[u8], expected| {
            assert_eq!(keys.verify(Algorithm::P256, id, message, signature.as_ref()), expected);
        };
        check(&mine, Some("one"), b"message", Ok(()));
        check(&mine, None, b"message", Ok(()));
        check(&mine, Some("one"), b"massage", Err(TokenError::Signature));
        check(&mine, Some("two"), b"message", Err(TokenError::Key { id: "two".to_owned() }));
        check(&theirs, Some("one"), b"message", Err(TokenError::Signature));
        check(&keys(json!([])), None, b"message", Err(TokenError::Key { id: String::new() }));
    }

    #[test]
    fn edwards_curves_are_known() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = keys(json!([{ "kty": "OKP", "crv": "Ed25519", "x": x }]));
        let signature = pair.sign(b"message");
        let verify =
            |message: &[u8]| keys.verify(Algorithm::Ed25519, None, message, signature.as_ref());
        assert_eq!(verify(b"message"), Ok(()));
        assert_eq!(verify(b"massage"), Err(TokenError::Signature));
    }

    #[test]
    fn keys_for_anything_else_are_passed_over() {
        let (_, good) = p256();
        let mut odd = vec![json!(7), json!({ "kty": "oct", "k": "AAAA" }), json!({ "kid": "x" })];
        for (name, value) in
            [("use", json!("enc")), ("x", json!("AA")), ("y", json!("!")), ("crv", json!("P-521"))]
        {
            let mut key = good.clone();
            key[name] = value;
            odd.push(key);
        }
        assert!(keys(json!(odd)).0.is_empty());
        let mut only = good;
        only["alg"] = json!("ES384");
        let refused = keys(json!([only])).verify(Algorithm::P256, None, b"", b"");
        assert_eq!(refused, Err(TokenError::Key { id: String::new() }));
        assert!(Keys::parse(b"{}").is_err());
    }

    #[test]
    fn only_algorithms_with_public_keys_have_a_name() {
        for name in
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
        {
            assert_eq!(Algorithm::named(name).map(Algorithm::name), Some(name));
        }
        for name in ["none", "None", "", "HS256", "HS512", "rs256", "RSA1_5"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
