//! What an ID token must say (OpenID Connect Core 1.0, section 3.1.3.7), and what is read from it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::keys::{Algorithm, Keys};

/// The longest token that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// How much the clocks of issuer and server may differ, in seconds.
const LEEWAY: f64 = 60.0;

/// Why an ID token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no signed token.
    #[error("it is no signed JSON web token")]
    Form,
    /// It is signed in a way that proves nothing here.
    #[error(
        "it is signed by `{algorithm}`, and only by the issuer's public keys it may be (`alg`)"
    )]
    Algorithm {
        /// How.
        algorithm: String,
    },
    /// It wants to be understood in a way that this server does not know.
    #[error("its header has parts that must be understood, and are not (`crit`)")]
    Critical,
    /// The issuer has no such key.
    #[error("the issuer has no key `{id}` of that kind (`kid`)")]
    Key {
        /// Which.
        id: String,
    },
    /// The signature is not by the issuer.
    #[error("its signature is wrong")]
    Signature,
    /// It is another issuer's.
    #[error("it is of another issuer, `{found}` (`iss`)")]
    Issuer {
        /// Which.
        found: String,
    },
    /// It is meant for somebody else.
    #[error("it is meant for another audience than this server (`aud`)")]
    Audience,
    /// It was given to somebody else.
    #[error("it was given to another party than this server (`azp`)")]
    Party,
    /// It has ended, or does not say when it ends.
    #[error("it has expired (`exp`)")]
    Expired,
    /// It is of the future.
    #[error("it is not valid yet (`iat`, `nbf`); compare the clocks of issuer and server")]
    Early,
    /// It answers something else.
    #[error("it answers another log-in (`nonce`)")]
    Nonce,
    /// It names nobody.
    #[error("it names nobody (`sub`)")]
    Subject,
}

/// What a token must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// What a token says that holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity(Map<String, Value>);

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Reads a token, if it holds.
pub(super) fn verify(
    token: &str,
    keys: &Keys,
    expected: &Expected<'_>,
) -> Result<Identity, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
    if token.len() > LONGEST || claims.contains('.') {
        return Err(TokenError::Form);
    }
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Form)?;
    if header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    let algorithm = Algorithm::named(&header.alg).ok_or_else(|| TokenError::Algorithm {
        algorithm: header.alg.chars().take(32).collect(),
    })?;
    keys.verify(algorithm, header.kid.as_deref(), signed.as_bytes(), &decode(signature)?)?;
    let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Form)?;
    let identity = Identity(claims);
    identity.check(expected)?;
    Ok(identity)
}

impl Identity {
    fn check(&self, expected: &Expected<'_>) -> Result<(), TokenError> {
        let issuer = self.text("iss").unwrap_or_default();
        if issuer != expected.issuer {
            return Err(TokenError::Issuer { found: issuer.chars().take(200).collect() });
        }
        let audience = self.texts("aud");
        if !audience.contains(&expected.client_id) {
            return Err(TokenError::Audience);
        }
        let party = self.0.get("azp").map(|party| party.as_str().unwrap_or_default());
        if party.map_or(audience.len() > 1, |party| party != expected.client_id) {
            return Err(TokenError::Party);
        }
        self.check_times(expected.now.as_second() as f64)?;
        let nonce = self.text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(TokenError::Nonce);
        }
        if self.subject().is_empty() || self.subject().len() > 255 {
            return Err(TokenError::Subject);
        }
        Ok(())
    }

    fn check_times(&self, now: f64) -> Result<(), TokenError> {
        let time = |name: &str| self.0.get(name).and_then(Value::as_f64);
        if time("exp").is_none_or(|end| end + LEEWAY <= now) {
            return Err(TokenError::Expired);
        }
        let early = |at: f64| at - LEEWAY > now;
        if time("iat").is_none_or(early) || time("nbf").is_some_and(early) {
            return Err(TokenError::Early);
        }
        Ok(())
    }

    /// The issuer's name for whoever it is: it never changes, and is never given to another.
    pub(super) fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// A claim that is a text and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A claim that is a list of texts, or one text.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        match self.claim(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A claim by its name, or by a path of names with dots (Keycloak: `realm_access.roles`). Names may have dots themselves.
    fn claim(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let mut parts = name.split('.');
            let first = self.0.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    #[cfg(test)]
    pub(super) fn of(claims: Value) -> Self {
        Self(serde_json::from_value(claims).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_608_000;

    fn claims() -> Value {
        json!({ "iss": "https://i.example", "aud": "slipway", "exp": NOW + 300, "iat": NOW, "nonce": "n", "sub": "7" })
    }

    fn check(changes: &[(&str, Value)], expected: Result<(), TokenError>) {
        let mut claims = claims();
        for (name, value) in changes {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        let now = Timestamp::from_second(NOW).unwrap();
        let wanted =
            Expected { issuer: "https://i.example", client_id: "slipway", nonce: "n", now };
        assert_eq!(Identity::of(claims).check(&wanted), expected, "{changes:?}");
    }

    #[test]
    fn each_claim_counts() {
        check(&[], Ok(()));
        let other = "https://o.example".to_owned();
        check(&[("iss", json!(other))], Err(TokenError::Issuer { found: other }));
        check(&[("iss", Value::Null)], Err(TokenError::Issuer { found: String::new() }));
        for audience in [json!("other"), json!(["other"]), json!([]), json!(7), Value::Null] {
            check(&[("aud", audience)], Err(TokenError::Audience));
        }
        check(&[("aud", json!(["slipway"]))], Ok(()));
        let both = json!(["slipway", "other"]);
        check(&[("aud", both.clone())], Err(TokenError::Party));
        check(&[("aud", both), ("azp", json!("slipway"))], Ok(()));
        check(&[("azp", json!("other"))], Err(TokenError::Party));
        for nonce in [json!("m"), json!(""), json!(7), Value::Null] {
            check(&[("nonce", nonce)], Err(TokenError::Nonce));
        }
        for subject in [json!(""), json!(7), Value::Null, json!("7".repeat(256))] {
            check(&[("sub", subject)], Err(TokenError::Subject));
        }
    }

    #[test]
    fn it_holds_for_a_time() {
        check(&[("exp", json!(NOW - 59))], Ok(()));
        check(&[("exp", json!(NOW - 60))], Err(TokenError::Expired));
        check(&[("exp", json!("soon"))], Err(TokenError::Expired));
        check(&[("exp", Value::Null)], Err(TokenError::Expired));
        check(&[("iat", json!(NOW + 60))], Ok(()));
        check(&[("iat", json!(NOW + 61))], Err(TokenError::Early));
        check(&[("iat", Value::Null)], Err(TokenError::Early));
        check(&[("nbf", json!(NOW + 61))], Err(TokenError::Early));
        check(&[("nbf", json!(NOW as f64 + 0.5))], Ok(()));
    }

    #[test]
    fn claims_are_found_by_name_and_by_path() {
        let identity = Identity::of(json!({
            "a.b": "whole", "a": { "b": "path", "c": ["x", 7, "y"] }, "empty": "",
        }));
        assert_eq!(identity.text("a.b"), Some("whole"));
        assert_eq!(identity.texts("a.c"), ["x", "y"]);
        assert_eq!(identity.texts("a.b"), ["whole"]);
        assert_eq!(identity.text("empty"), None);
        assert_eq!((identity.text("a.d"), identity.text("z.b")), (None, None));
    }

    #[test]
    fn what_is_no_signed_token_is_refused_before_anything_else() {
        let keys = Keys::parse(br#"{"keys":[]}"#).unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        let wanted = Expected { issuer: "i", client_id: "c", nonce: "n", now };
        let token = |header: &str| {
            format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"))
        };
        let check = |token: &str, expected| {
            assert_eq!(verify(token, &keys, &wanted), Err(expected), "{token}");
        };
        for odd in ["", ".", "..", "a.b", "a.b.c.d", "!.!.!", &token("7"), &token("{}")] {
            check(odd, TokenError::Form);
        }
        check(&token(r#"{"alg":"none"}"#), TokenError::Algorithm { algorithm: "none".to_owned() });
        check(
            &token(r#"{"alg":"HS256"}"#),
            TokenError::Algorithm { algorithm: "HS256".to_owned() },
        );
        check(&token(r#"{"alg":"RS256","crit":["x"]}"#), TokenError::Critical);
        check(&token(r#"{"alg":"RS256","kid":"k"}"#), TokenError::Key { id: "k".to_owned() });
        check(&"a".repeat(LONGEST + 1), TokenError::Form);
    }

    /// A key, and a token that it signed and that holds.
    fn signed() -> (Keys, String) {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims().to_string()));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        (Keys::parse(keys.to_string().as_bytes()).unwrap(), format!("{signed}.{signature}"))
    }

    fn verified(keys: &Keys, token: &str) -> Result<Identity, TokenError> {
        let now = Timestamp::from_second(NOW).unwrap();
        let expected =
            Expected { issuer: "https://i.example", client_id: "slipway", nonce: "n", now };
        verify(token, keys, &expected)
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_what_was_signed_holds(at: proptest::sample::Index, put in "[A-Za-z0-9_.=-]") {
            let (keys, token) = signed();
            proptest::prop_assert!(verified(&keys, &token).is_ok());
            let at = at.index(token.len());
            let changed = format!("{}{put}{}", &token[..at], &token[at + 1..]);
            proptest::prop_assert_eq!(verified(&keys, &changed).is_ok(), changed == token);
        }

        #[test]
        fn any_text_is_read_without_harm(token in ".{0,200}", body: Vec<u8>) {
            let (keys, _) = signed();
            proptest::prop_assert!(verified(&keys, &token).is_err());
            drop(Keys::parse(&body));
            drop(super::super::Attempt::from_cookie(&token));
        }
    }
}
