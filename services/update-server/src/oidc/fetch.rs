//! What is asked of the issuer over HTTP: what it says of itself (OpenID Connect Discovery 1.0), its keys, and the ID token for
//! a code (RFC 6749, section 4.1.3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Host, Url};

use super::{OidcError, OidcSettings, error, keys::Keys};

/// The longest answer of an issuer that is read.
const MOST: usize = 1 << 20;

/// What an issuer says of itself; the rest of it does not matter here.
#[derive(Debug, Deserialize)]
struct RawMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<serde_json::Value>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// The addresses of an issuer, each of them private.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    /// Where people log out of the issuer itself; not every issuer has it.
    pub(super) end_session_endpoint: Option<Url>,
    token_endpoint: Url,
    jwks_uri: Url,
    secret: SecretPlace,
}

/// Where an issuer takes the client's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretPlace {
    Header,
    Body,
}

/// What an ID token is given for.
pub(super) struct Exchange<'a> {
    pub(super) code: &'a str,
    pub(super) verifier: &'a str,
    pub(super) redirect: &'a str,
}

/// What the issuer gives for a code. What else it gives is of no use here, and dropped.
#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    id_token: String,
}

/// How OAuth says that something did not work.
#[derive(Default, Deserialize)]
struct OAuthError {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What an issuer says of itself.
pub(super) async fn metadata(client: &Client, issuer: &str) -> Result<Metadata, OidcError> {
    const WHAT: &str = "what it is (/.well-known/openid-configuration)";
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let raw: RawMetadata = parsed(WHAT, &good(WHAT, client.get(url)).await?)?;
    if raw.issuer != issuer {
        let found = error::shortened(&raw.issuer);
        return Err(OidcError::Issuer { found, expected: issuer.to_owned() });
    }
    // Nobody needs it to log in: one that others could read along with is none.
    let end = raw.end_session_endpoint.as_ref().and_then(|value| value.as_str()?.parse().ok());
    let private = |what, text: &str| {
        let url = text.parse().ok().filter(is_private);
        url.ok_or(OidcError::Insecure { what })
    };
    Ok(Metadata {
        authorization_endpoint: private("authorization_endpoint", &raw.authorization_endpoint)?,
        end_session_endpoint: end.filter(is_private),
        token_endpoint: private("token_endpoint", &raw.token_endpoint)?,
        jwks_uri: private("jwks_uri", &raw.jwks_uri)?,
        secret: secret_place(&raw.token_endpoint_auth_methods_supported),
    })
}

/// Without a word an issuer takes the secret as a header (OpenID Connect Core, section 9).
fn secret_place(methods: &[String]) -> SecretPlace {
    let has = |method: &str| methods.iter().any(|known| known == method);
    match has("client_secret_post") && !has("client_secret_basic") {
        true => SecretPlace::Body,
        false => SecretPlace::Header,
    }
}

/// Whether nobody on the way reads along.
pub(crate) fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// The issuer's keys.
pub(super) async fn keys(client: &Client, metadata: &Metadata) -> Result<Keys, OidcError> {
    const WHAT: &str = "its keys (jwks_uri)";
    let body = good(WHAT, client.get(metadata.jwks_uri.clone())).await?;
    Keys::parse(&body).map_err(|source| OidcError::Form { what: WHAT, source })
}

/// The ID token for a code.
pub(super) async fn id_token(
    client: &Client,
    metadata: &Metadata,
    settings: &OidcSettings,
    exchange: &Exchange<'_>,
) -> Result<String, OidcError> {
    const WHAT: &str = "an ID token (token_endpoint)";
    let (status, body) = sent(WHAT, asked(client, metadata, settings, exchange)).await?;
    if status.is_success() {
        return Ok(parsed::<Tokens>(WHAT, &body)?.id_token);
    }
    let said: OAuthError = serde_json::from_slice(&body).unwrap_or_default();
    if said.error.is_empty() {
        return Err(OidcError::Status { what: WHAT, status });
    }
    Err(OidcError::Code { reason: error::reason(&said.error, &said.error_description) })
}

/// The request for an ID token.
fn asked(
    client: &Client,
    metadata: &Metadata,
    settings: &OidcSettings,
    exchange: &Exchange<'_>,
) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", exchange.code)
        .append_pair("redirect_uri", exchange.redirect)
        .append_pair("code_verifier", exchange.verifier);
    let mut request = client
        .post(metadata.token_endpoint.clone())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    match &settings.client_secret {
        None => drop(form.append_pair("client_id", &settings.client_id)),
        Some(secret) if metadata.secret == SecretPlace::Body => {
            form.append_pair("client_id", &settings.client_id)
                .append_pair("client_secret", secret.reveal());
        }
        Some(secret) => {
            let (id, secret) = (encoded(&settings.client_id), encoded(secret.reveal()));
            let basic = STANDARD.encode(format!("{id}:{secret}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
    }
    request.body(form.finish())
}

/// As RFC 6749, section 2.3.1, wants both halves of the header.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn good(what: &'static str, request: RequestBuilder) -> Result<Vec<u8>, OidcError> {
    let (status, body) = sent(what, request).await?;
    if status.is_success() { Ok(body) } else { Err(OidcError::Status { what, status }) }
}

async fn sent(
    what: &'static str,
    request: RequestBuilder,
) -> Result<(StatusCode, Vec<u8>), OidcError> {
    let unreachable = |source: reqwest::Error| OidcError::Unreachable { what, source };
    let mut response: Response = request.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err(OidcError::TooLong { what });
        }
    }
    Ok((response.status(), body))
}

fn parsed<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, OidcError> {
    serde_json::from_slice(body).map_err(|source| OidcError::Form { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_goes_where_the_issuer_takes_it() {
        for (methods, expected) in [
            (&[][..], SecretPlace::Header),
            (&["client_secret_post"], SecretPlace::Body),
            (&["client_secret_basic", "client_secret_post"], SecretPlace::Header),
            (&["private_key_jwt"], SecretPlace::Header),
        ] {
            let methods: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
            assert_eq!(secret_place(&methods), expected, "{methods:?}");
        }
    }

    #[test]
    fn only_addresses_that_nobody_reads_along_are_private() {
        for (url, expected) in [
            ("https://issuer.example/x", true),
            ("http://issuer.example/x", false),
            ("http://127.0.0.1:9/x", true),
            ("http://[::1]:9/x", true),
            ("http://localhost/x", true),
            ("http://localhost.example/x", false),
            ("ftp://127.0.0.1/x", false),
        ] {
            assert_eq!(is_private(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
