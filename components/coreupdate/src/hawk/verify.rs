//! A server's side: is this request signed by the key of its identifier, fresh, and here for the first time?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use subtle::ConstantTimeEq;

use super::header::{Header, HeaderError};
use super::key::HawkKey;
use super::mac::{Resource, payload_hash, request_mac, timestamp_mac};
use super::replay::{ReplayCache, Replayed};

/// A request as a server sees it. What it cannot know for sure is a list of candidates.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The method.
    pub method: &'a str,
    /// The request's target, in each form that the client may have signed: path and query, the whole URL. (The Go
    /// client of CoreUpdate sends and signs the whole URL.)
    pub targets: &'a [&'a str],
    /// The value of `Host`, with or without port.
    pub host: &'a str,
}

/// The payload of a request, if it was read.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The value of `Content-Type`.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HawkError {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The MAC is of another key or of another request.
    #[error("the signature does not match the request; check user, key, host and port")]
    Mac,
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed")]
    Payload,
    /// The client's clock is too far off, or the request is old.
    #[error("the time stamp is more than {skew} s off; set the clock of the client")]
    Stale {
        /// What would be let through, in seconds.
        skew: u64,
    },
    /// Seen before.
    #[error("the request was there before")]
    Replay,
    /// Too many requests to remember.
    #[error("too many signed requests at once; try again later")]
    Busy,
}

/// Checks requests and remembers them.
#[derive(Debug)]
pub struct Verifier {
    skew: u64,
    cache: ReplayCache,
}

impl Verifier {
    /// What the specification recommends, in seconds to either side.
    pub const SKEW: u64 = 60;

    /// A verifier with a clock skew in seconds, that remembers `capacity` requests.
    pub fn new(skew: u64, capacity: usize) -> Self {
        Self { skew, cache: ReplayCache::new(capacity) }
    }

    /// Checks a request against the key of its identifier. `now` is in seconds since 1970.
    ///
    /// The order is that of the specification: MAC, payload, nonce, time. Whoever has no key learns nothing but that.
    pub fn verify(
        &mut self,
        key: &HawkKey,
        header: &Header,
        target: Target<'_>,
        payload: Option<Payload<'_>>,
        now: u64,
    ) -> Result<(), HawkError> {
        if !mac_matches(key, header, target) {
            return Err(HawkError::Mac);
        }
        if let (Some(hash), Some(payload)) = (&header.hash, payload) {
            let expected = payload_hash(payload.content_type, payload.body);
            if !bool::from(expected[..].ct_eq(&hash[..])) {
                return Err(HawkError::Payload);
            }
        }
        if header.ts.abs_diff(now) > self.skew {
            return Err(HawkError::Stale { skew: self.skew });
        }
        let oldest = now.saturating_sub(self.skew);
        self.cache.insert(&header.id, &header.nonce, header.ts, oldest).map_err(|replayed| {
            match replayed {
                Replayed::Seen | Replayed::Forgotten => HawkError::Replay,
                Replayed::Full => HawkError::Busy,
            }
        })
    }
}

/// Compares in constant time, against each candidate.
fn mac_matches(key: &HawkKey, header: &Header, target: Target<'_>) -> bool {
    let (host, ports) = host_and_ports(target.host);
    target.targets.iter().any(|request| {
        ports.iter().any(|port| {
            let resource = Resource { method: target.method, target: request, host, port: *port };
            request_mac(key, header, resource).verify_slice(&header.mac).is_ok()
        })
    })
}

/// Without a port in `Host` it is that of the scheme, which a server behind a proxy does not know.
fn host_and_ports(host: &str) -> (&str, Vec<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => match port.parse() {
            Ok(port) => (name, vec![port]),
            Err(_) => (host, vec![]),
        },
        _ => (host, vec![80, 443]),
    }
}

/// The value of `WWW-Authenticate` for a refused request. With the key of a known client, a wrong clock is told the
/// right time.
pub fn challenge(error: &HawkError, key: Option<&HawkKey>, now: u64) -> String {
    match (error, key) {
        (HawkError::Stale { .. }, Some(key)) => {
            let tsm = STANDARD.encode(timestamp_mac(key, now));
            format!("Hawk ts=\"{now}\", tsm=\"{tsm}\", error=\"Stale timestamp\"")
        }
        _ => "Hawk".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hawk::sign;

    const KEY: &str = "werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn";
    const NOW: u64 = 1_700_000_000;

    fn signed(ts: u64, nonce: &str, body: Option<&[u8]>) -> Header {
        let header = Header {
            id: "alice".into(),
            ts,
            nonce: nonce.into(),
            mac: Vec::new(),
            hash: body.map(|body| payload_hash("application/json", body).to_vec()),
            ext: None,
            app: None,
            dlg: None,
        };
        let resource =
            Resource { method: "GET", target: "/a?alt=json", host: "localhost", port: 8000 };
        sign(&HawkKey::of_token(KEY), header, resource)
    }

    fn target() -> Target<'static> {
        Target { method: "GET", targets: &["/a?alt=json"], host: "localhost:8000" }
    }

    fn check(
        header: &Header,
        target: Target<'_>,
        payload: Option<Payload<'_>>,
        expected: Result<(), HawkError>,
    ) {
        let mut verifier = Verifier::new(Verifier::SKEW, 10);
        let key = HawkKey::of_token(KEY);
        assert_eq!(verifier.verify(&key, header, target, payload, NOW), expected);
    }

    #[test]
    fn a_signed_request_passes_once() {
        let mut verifier = Verifier::new(Verifier::SKEW, 10);
        let key = HawkKey::of_token(KEY);
        let header = signed(NOW, "n", None);
        assert_eq!(verifier.verify(&key, &header, target(), None, NOW), Ok(()));
        assert_eq!(verifier.verify(&key, &header, target(), None, NOW), Err(HawkError::Replay));
        assert_eq!(verifier.verify(&key, &signed(NOW, "m", None), target(), None, NOW), Ok(()));
    }

    #[test]
    fn every_part_of_the_request_is_signed() {
        let header = signed(NOW, "n", None);
        let bad = Err(HawkError::Mac);
        check(&header, Target { method: "DELETE", ..target() }, None, bad.clone());
        check(&header, Target { targets: &["/b?alt=json"], ..target() }, None, bad.clone());
        check(&header, Target { targets: &[], ..target() }, None, bad.clone());
        check(&header, Target { host: "localhost:8001", ..target() }, None, bad.clone());
        check(&header, Target { host: "other:8000", ..target() }, None, bad.clone());
        check(&header, Target { host: "localhost", ..target() }, None, bad.clone());
        check(&header, Target { host: "localhost:x", ..target() }, None, bad.clone());
        check(&Header { ts: NOW + 1, ..header.clone() }, target(), None, bad.clone());
        check(&Header { nonce: "m".into(), ..header.clone() }, target(), None, bad.clone());
        check(&Header { ext: Some("x".into()), ..header.clone() }, target(), None, bad.clone());
        check(&Header { mac: vec![], ..header }, target(), None, bad);
    }

    #[test]
    fn another_key_does_not_verify() {
        let mut verifier = Verifier::new(Verifier::SKEW, 10);
        let other = HawkKey::of_token("other");
        assert_eq!(
            verifier.verify(&other, &signed(NOW, "n", None), target(), None, NOW),
            Err(HawkError::Mac)
        );
    }

    #[test]
    fn either_form_of_the_target_may_be_signed() {
        let forms = ["http://localhost:8000/a?alt=json", "/a?alt=json"];
        check(&signed(NOW, "n", None), Target { targets: &forms, ..target() }, None, Ok(()));
    }

    #[test]
    fn the_port_of_the_scheme_is_meant_when_none_is_said() {
        for port in [80, 443] {
            let resource = Resource { method: "GET", target: "/", host: "updates.example", port };
            let header = sign(&HawkKey::of_token(KEY), signed(NOW, "n", None), resource);
            check(
                &header,
                Target { targets: &["/"], host: "updates.example", ..target() },
                None,
                Ok(()),
            );
        }
        assert_eq!(host_and_ports("[::1]:8000"), ("[::1]", vec![8000]));
        assert_eq!(host_and_ports("[::1]"), ("[::1]", vec![80, 443]));
    }

    #[test]
    fn a_clock_may_be_off_by_the_skew() {
        let stale = Err(HawkError::Stale { skew: Verifier::SKEW });
        check(&signed(NOW - 60, "n", None), target(), None, Ok(()));
        check(&signed(NOW + 60, "n", None), target(), None, Ok(()));
        check(&signed(NOW - 61, "n", None), target(), None, stale.clone());
        check(&signed(NOW + 61, "n", None), target(), None, stale);
    }

    #[test]
    fn a_signed_payload_is_compared() {
        let header = signed(NOW, "n", Some(b"{}"));
        let payload =
            |body| Some(Payload { content_type: "application/json; charset=utf-8", body });
        check(&header, target(), payload(b"{}"), Ok(()));
        check(&header, target(), payload(b"{ }"), Err(HawkError::Payload));
        check(&signed(NOW, "n", None), target(), payload(b"anything"), Ok(()));
    }

    #[test]
    fn a_full_memory_refuses() {
        let mut verifier = Verifier::new(Verifier::SKEW, 1);
        let key = HawkKey::of_token(KEY);
        assert_eq!(verifier.verify(&key, &signed(NOW, "1", None), target(), None, NOW), Ok(()));
        assert_eq!(
            verifier.verify(&key, &signed(NOW, "2", None), target(), None, NOW),
            Err(HawkError::Busy)
        );
    }

    #[test]
    fn a_stale_client_is_told_the_time() {
        let key = HawkKey::of_token(KEY);
        let stale = HawkError::Stale { skew: 60 };
        assert_eq!(
            challenge(&stale, Some(&key), 1_365_741_469),
            "Hawk ts=\"1365741469\", tsm=\"b4Qqhz8OUBq21saghHLV1ktwlXE72T1xtTEZkSlWizA=\", error=\"Stale timestamp\""
        );
        assert_eq!(challenge(&stale, None, 1), "Hawk");
        assert_eq!(challenge(&HawkError::Mac, Some(&key), 1), "Hawk");
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_a_changed_bit_does_not(
            method in "(GET|POST|PATCH)", path in "/[a-z0-9/]{0,20}", host in "[a-z]{1,10}", port in 1u16..,
            nonce in "[a-zA-Z0-9]{1,12}", ext in prop::option::of("[a-z\\\\]{1,9}"), bit in 0usize..256,
        ) {
            let key = HawkKey::of_token(KEY);
            let resource = Resource { method: &method, target: &path, host: &host, port };
            let unsigned = Header { nonce, ext, ..signed(NOW, "n", None) };
            let header = sign(&key, unsigned, resource);
            let host = format!("{host}:{port}");
            let target = Target { method: &method, targets: &[&path], host: &host };
            prop_assert_eq!(Verifier::new(60, 1).verify(&key, &header, target, None, NOW), Ok(()));
            let mut damaged = header;
            damaged.mac[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Verifier::new(60, 1).verify(&key, &damaged, target, None, NOW), Err(HawkError::Mac));
        }
    }
}
