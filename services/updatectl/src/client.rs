//! Speaking to a server.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipway_coreupdate::hawk::{HawkKey, Header, Resource, sign};
use slipway_coreupdate::wire::ErrorResponse;
use slipway_coreupdate::{Method, Verb, find};
use url::Url;

use crate::random::unguessable;
use crate::{CtlError, Settings};

/// A server, and who asks it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    trail: Arc<Mutex<Vec<String>>>,
}

/// No body.
pub(crate) const NOTHING: Option<&()> = None;

impl Client {
    /// A client with these settings.
    pub fn new(settings: &Settings) -> Result<Self, CtlError> {
        let built = reqwest::Client::builder()
            .danger_accept_invalid_certs(settings.skip_ssl_verify)
            .build();
        let http = built
            .map_err(|source| CtlError::Unreachable { server: settings.server.clone(), source })?;
        Ok(Self { http, settings: settings.clone(), trail: Arc::default() })
    }

    /// What was asked and how it was answered, if that is to be told.
    pub(crate) fn trail(&self) -> Vec<String> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, line: String) {
        if self.settings.debug {
            self.trail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    /// Calls a method of CoreUpdate's API: `values` fill the names in its path, in order.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        id: &str,
        values: &[&str],
        query: &[(&str, String)],
        body: Option<&impl Serialize>,
    ) -> Result<T, CtlError> {
        let method = find(id).expect("the names of methods are those of the table");
        let url = self.url_of(method, values, query)?;
        let mut request = self.http.request(verb(method.verb), url.clone());
        if let Some(body) = body {
            let text = serde_json::to_vec(body)
                .map_err(|error| CtlError::Print { source: error.into() })?;
            request = request.header(CONTENT_TYPE, "application/json").body(text);
        }
        let response = self.send(method.verb.as_str(), &url, request).await?;
        let bytes = response.bytes().await.map_err(|source| self.unreachable(source))?;
        serde_json::from_slice(&bytes)
            .map_err(|source| CtlError::Answer { url: url.to_string(), source: source.into() })
    }

    fn url_of(
        &self,
        method: &Method,
        values: &[&str],
        query: &[(&str, String)],
    ) -> Result<Url, CtlError> {
        let mut url = self.url(&method.expand(values))?;
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("alt", "json");
            for (name, value) in query {
                pairs.append_pair(name, value);
            }
        }
        Ok(url)
    }

    /// The address of a path on the server.
    pub(crate) fn url(&self, path: &str) -> Result<Url, CtlError> {
        let text = format!("{}{path}", self.settings.server);
        Url::parse(&text).map_err(|_| CtlError::Server { server: text })
    }

    /// Asks `/api/v2`, which takes tokens only.
    pub(crate) async fn ask_v2<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, CtlError> {
        let mut url = self.url(&format!("/api/v2{path}"))?;
        if !query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let response = self.send("GET", &url, self.http.get(url.clone())).await?;
        let bytes = response.bytes().await.map_err(|source| self.unreachable(source))?;
        serde_json::from_slice(&bytes)
            .map_err(|source| CtlError::Answer { url: url.to_string(), source: source.into() })
    }

    /// Gets something that is no JSON.
    pub(crate) async fn get(&self, url: &Url) -> Result<reqwest::Response, CtlError> {
        self.send("GET", url, self.http.get(url.clone())).await
    }

    /// Gets something from another server, which must not see who asks.
    pub(crate) async fn get_foreign(&self, url: &Url) -> Result<reqwest::Response, CtlError> {
        let sent =
            self.http.get(url.clone()).send().await.and_then(reqwest::Response::error_for_status);
        sent.map_err(|source| CtlError::Unreachable { server: url.to_string(), source })
    }

    /// Posts a body of this kind and length.
    pub(crate) async fn post(
        &self,
        url: &Url,
        kind: &str,
        length: u64,
        body: reqwest::Body,
    ) -> Result<(), CtlError> {
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_LENGTH, length)
            .body(body);
        self.send("POST", url, request).await.map(drop)
    }

    /// Posts an Omaha document.
    pub(crate) async fn post_omaha(
        &self,
        document: String,
    ) -> Result<slipway_omaha::Response, CtlError> {
        let url = self.url("/v1/update/")?;
        let request = self.http.post(url.clone()).header(CONTENT_TYPE, "text/xml").body(document);
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        let response = refused(response).await?;
        let bytes = response.bytes().await.map_err(|source| self.unreachable(source))?;
        slipway_omaha::Response::parse(&bytes)
            .map_err(|source| CtlError::Answer { url: url.to_string(), source: source.into() })
    }

    async fn send(
        &self,
        verb: &str,
        url: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, CtlError> {
        let request = match self.authorization(verb, url) {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        self.note(format!("{verb} {url} {}", response.status()));
        refused(response).await
    }

    /// A token if there is one, else a signature if there is a key.
    fn authorization(&self, verb: &str, url: &Url) -> Option<String> {
        if let Some(token) = &self.settings.token {
            return Some(format!("Bearer {token}"));
        }
        let (user, key) = self.settings.user.as_ref()?;
        Some(signature(user, key, verb, url, (self.settings.now)(), unguessable(6)))
    }

    fn unreachable(&self, source: reqwest::Error) -> CtlError {
        CtlError::Unreachable { server: self.settings.server.clone(), source }
    }
}

fn signature(user: &str, key: &str, verb: &str, url: &Url, now: u64, nonce: String) -> String {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let resource = Resource {
        method: verb,
        target: &target,
        host: url.host_str().unwrap_or_default(),
        port: url.port_or_known_default().unwrap_or_default(),
    };
    let header = Header {
        id: user.to_owned(),
        ts: now,
        nonce,
        mac: Vec::new(),
        hash: None,
        ext: None,
        app: None,
        dlg: None,
    };
    sign(&HawkKey::of_token(key), header, resource).to_string()
}

fn verb(verb: Verb) -> reqwest::Method {
    match verb {
        Verb::Get => reqwest::Method::GET,
        Verb::Post => reqwest::Method::POST,
        Verb::Put => reqwest::Method::PUT,
        Verb::Patch => reqwest::Method::PATCH,
        Verb::Delete => reqwest::Method::DELETE,
    }
}

/// An answer that is a success, or what the server says instead.
async fn refused(response: reqwest::Response) -> Result<reqwest::Response, CtlError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await.unwrap_or_default();
    Err(CtlError::Refused { status: status.as_u16(), message: message(&body) })
}

/// What a server says, in the form of Google's APIs, in one with a `message`, a `detail` or a `description`, or as text.
fn message(body: &[u8]) -> String {
    if let Ok(ErrorResponse { error }) = serde_json::from_slice::<ErrorResponse>(body)
        && !error.message.is_empty()
    {
        return error.message;
    }
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let said = ["message", "detail", "description", "error"]
        .into_iter()
        .find_map(|name| value[name].as_str());
    match said {
        Some(said) => said.to_owned(),
        None => String::from_utf8_lossy(body)
            .chars()
            .filter(|char| !char.is_control())
            .take(300)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use slipway_coreupdate::hawk::{Target, Verifier};

    use super::*;

    #[test]
    fn what_is_signed_is_what_a_server_checks() {
        let url =
            Url::parse("http://LOCALHOST:8000/_ah/api/update/v1/apps/%7Be9%7D?alt=json&limit=1")
                .unwrap();
        let value = signature("alice", "secret", "GET", &url, 1_700_000_000, "n".into());
        let target = Target {
            method: "GET",
            targets: &["/_ah/api/update/v1/apps/%7Be9%7D?alt=json&limit=1"],
            host: "localhost:8000",
        };
        let header = value.parse().unwrap();
        let mut verifier = Verifier::new(60, 1);
        assert_eq!(
            verifier.verify(&HawkKey::of_token("secret"), &header, target, None, 1_700_000_000),
            Ok(())
        );
    }

    #[test]
    fn the_port_of_the_scheme_is_signed_when_none_is_said() {
        let url = Url::parse("https://updates.example/").unwrap();
        let header =
            signature("alice", "secret", "GET", &url, 1_700_000_000, "n".into()).parse().unwrap();
        let target = Target { method: "GET", targets: &["/"], host: "updates.example" };
        let mut verifier = Verifier::new(60, 1);
        assert_eq!(
            verifier.verify(&HawkKey::of_token("secret"), &header, target, None, 1_700_000_000),
            Ok(())
        );
    }

    #[test]
    fn what_a_server_says_is_found() {
        let check = |body: &str, expected: &str| assert_eq!(message(body.as_bytes()), expected);
        check(r#"{"error":{"code":404,"message":"there is no app"}}"#, "there is no app");
        check(r#"{"error":"not_found","description":"there is no app"}"#, "there is no app");
        check(r#"{"message":"no"}"#, "no");
        check("<html>\u{1b}[31mNot found</html>", "<html>[31mNot found</html>");
        check("", "");
    }
}
