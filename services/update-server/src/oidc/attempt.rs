//! A log-in under way. Everything that it needs follows from one secret, which the browser keeps in a cookie: so nothing is
//! kept here, and any server that shares the database can end what another began.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::ids::hex;

/// The most that the way on may have; longer ones are left out of the cookie.
const LONGEST: usize = 1000;

/// A log-in under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    secret: [u8; 32],
    next: String,
}

impl Attempt {
    /// A new one, which leads on to a path.
    pub fn new(next: &str) -> Self {
        let mut secret = [0u8; 32];
        // Without randomness of the system nothing of this server can be trusted.
        getrandom::fill(&mut secret).expect("the system has randomness");
        let next = if next.len() > LONGEST { "/" } else { next };
        Self { secret, next: next.to_owned() }
    }

    /// What the browser keeps.
    pub fn cookie(&self) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(self.secret), URL_SAFE_NO_PAD.encode(&self.next))
    }

    /// From what the browser kept.
    pub fn from_cookie(text: &str) -> Option<Self> {
        let (secret, next) = text.split_once('.')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        Some(Self { secret, next })
    }

    /// Where the person wanted to go. It comes from a cookie, so whoever follows it checks it.
    pub fn next(&self) -> &str {
        &self.next
    }

    /// What the issuer sends back.
    pub fn state(&self) -> String {
        self.derived(b"state")
    }

    /// What the ID token has to repeat.
    pub fn nonce(&self) -> String {
        self.derived(b"nonce")
    }

    /// What only this server can show the issuer (PKCE).
    pub fn verifier(&self) -> String {
        self.derived(b"verifier")
    }

    /// The digest of that, which the issuer gets first.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    /// Whether an answer is one to this.
    pub fn is_answered_by(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// 64 hexadecimal digits; none of them says anything of the others.
    fn derived(&self, what: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes any key");
        mac.update(b"slipway log-in\0");
        mac.update(what);
        hex(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_brings_back_all_of_it() {
        let attempt = Attempt::new("/apps/x?status=error");
        let back = Attempt::from_cookie(&attempt.cookie()).unwrap();
        assert_eq!(back, attempt);
        assert!(back.is_answered_by(&attempt.state()));
        assert_eq!(back.next(), "/apps/x?status=error");
        for odd in ["", ".", "AAAA.", "x", &format!("{}x", attempt.cookie()[1..].to_owned())] {
            assert_ne!(Attempt::from_cookie(odd), Some(attempt.clone()), "{odd}");
        }
        assert_eq!(Attempt::new(&"/".repeat(2000)).next(), "/");
    }

    #[test]
    fn no_attempt_answers_another_and_no_value_is_another() {
        let (one, other) = (Attempt::new("/"), Attempt::new("/"));
        assert!(!one.is_answered_by(&other.state()) && !one.is_answered_by(""));
        let values = [one.state(), one.nonce(), one.verifier(), other.state(), other.nonce()];
        for (at, value) in values.iter().enumerate() {
            assert_eq!(value.len(), 64);
            assert!(!values[..at].contains(value));
        }
        assert_eq!(one.challenge().len(), 43);
    }
}
