//! Who sends a request: a Hawk signature or a bearer token says so; anybody on this machine, if authentication is off.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use slipway_coreupdate::hawk::{HawkError, HawkKey, Header, Payload, Target, Verifier, challenge};

use super::Failure;
use crate::{
    app::App,
    config::Authentication,
    http::{NOT_LOCAL, is_local},
    ids::UserName,
    store::Principal,
};

/// How many signed requests are remembered: two minutes of 800 a second.
const REMEMBERED: usize = 100_000;

/// What a request without any proof is told.
const WAYS: &str = "this needs a Hawk signature or a bearer token";

/// Knows who sends requests, and which signatures were there before.
#[derive(Debug)]
pub(crate) struct Gate {
    verifier: Mutex<Verifier>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { verifier: Mutex::new(Verifier::new(Verifier::SKEW, REMEMBERED)) }
    }
}

impl Gate {
    /// The sender of a request.
    pub(crate) async fn sender(
        &self,
        app: &App,
        parts: &Parts,
        body: &[u8],
    ) -> Result<Principal, Failure> {
        if app.config.authentication == Authentication::Off {
            if !is_local(&parts.headers, app.config.base_url.as_deref()) {
                return Err(Failure::new(StatusCode::FORBIDDEN, NOT_LOCAL));
            }
            return Ok(Principal::anybody());
        }
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        match value.split_once(' ') {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
                let known = app.store.authenticate(secret.trim(), app.clock.now()).await?;
                known.ok_or_else(|| {
                    Failure::stranger(
                        "the token is unknown or has ended",
                        "Bearer error=\"invalid_token\"",
                    )
                })
            }
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("hawk") => {
                self.signer(app, parts, value, body).await
            }
            _ => Err(Failure::stranger(WAYS, "Hawk, Bearer")),
        }
    }

    async fn signer(
        &self,
        app: &App,
        parts: &Parts,
        value: &str,
        body: &[u8],
    ) -> Result<Principal, Failure> {
        let refused = |error: HawkError, key: Option<&HawkKey>, now| {
            Failure::stranger(error.to_string(), challenge(&error, key, now))
        };
        let now = u64::try_from(app.clock.now().as_second()).unwrap_or_default();
        let header: Header =
            value.parse().map_err(|error: slipway_coreupdate::hawk::HeaderError| {
                refused(error.into(), None, now)
            })?;
        // Whether a user exists is nobody's business: an unknown one and a wrong key look the same.
        let name = header.id.parse::<UserName>().map_err(|_| refused(HawkError::Mac, None, now))?;
        let key =
            app.store.hawk_key(&name).await?.ok_or_else(|| refused(HawkError::Mac, None, now))?;
        let key = HawkKey::of_token(&key);
        self.verify(&key, &header, parts, body, now)
            .map_err(|error| refused(error, Some(&key), now))?;
        app.store.principal(&name).await?.ok_or_else(|| refused(HawkError::Mac, None, now))
    }

    fn verify(
        &self,
        key: &HawkKey,
        header: &Header,
        parts: &Parts,
        body: &[u8],
        now: u64,
    ) -> Result<(), HawkError> {
        let host = host(parts);
        let forms = targets(parts, host);
        let targets: Vec<&str> = forms.iter().map(String::as_str).collect();
        let target = Target { method: parts.method.as_str(), targets: &targets, host };
        let payload = Payload { content_type: content_type(&parts.headers), body };
        let mut verifier = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        verifier.verify(key, header, target, Some(payload), now)
    }
}

fn host(parts: &Parts) -> &str {
    let said = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    said.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))
        .unwrap_or_default()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What the client may have signed as its target. The Go client of CoreUpdate puts the whole URL into its request line, and a
/// proxy makes a path of it.
fn targets(parts: &Parts, host: &str) -> Vec<String> {
    let path = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    vec![path.to_owned(), format!("http://{host}{path}"), format!("https://{host}{path}")]
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check(uri: &str, host_header: Option<&str>, expected: &[&str]) {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host_header {
            request = request.header("host", host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(targets(&parts, host(&parts)), expected, "{uri}");
    }

    #[test]
    fn a_path_and_a_url_are_the_same_request() {
        let expected =
            ["/a/b?alt=json", "http://h:8000/a/b?alt=json", "https://h:8000/a/b?alt=json"];
        check("/a/b?alt=json", Some("h:8000"), &expected);
        check("http://h:8000/a/b?alt=json", None, &expected);
        check("http://h:8000/a/b?alt=json", Some("h:8000"), &expected);
    }

    #[test]
    fn escapes_stay_as_they_were_sent() {
        check(
            "/a%2Fb?x=%7B",
            Some("h"),
            &["/a%2Fb?x=%7B", "http://h/a%2Fb?x=%7B", "https://h/a%2Fb?x=%7B"],
        );
    }
}
