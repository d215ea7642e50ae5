//! The key of a MAC.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// The key that MACs are made with: a user's token. Never shown by `Debug`.
#[derive(Clone)]
pub struct HawkKey(String);

impl HawkKey {
    /// The key of a token.
    pub fn of_token(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// A MAC under this key, to be fed and finished.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of any length")
    }
}

impl std::fmt::Debug for HawkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HawkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use hmac::Mac;

    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn a_tag_is_that_of_rfc_4231() {
        let check = |key: &str, message: &[u8], expected: [u8; 4]| {
            let mut mac = HawkKey::of_token(key).mac();
            mac.update(message);
            assert_eq!(mac.finalize().into_bytes()[..4], expected);
        };
        check("Jefe", b"what do ya want for nothing?", [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", HawkKey::of_token("secret")), "HawkKey(…)");
    }
}
