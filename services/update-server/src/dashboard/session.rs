//! Who looks at a page: the session cookie, the token against forged forms, and the headers that keep pages safe.
//!
//! A session is an API token in a cookie that scripts cannot read. So a token that is revoked ends its sessions at
//! once, two servers on one database share them, and nothing is kept in memory.

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::net::SocketAddr;

use super::page::PageError;
use crate::{
    app::App,
    config::Authentication,
    http::{client_address, is_direct, same_site},
    ids::{AppId, hex},
    store::{By, Principal, Role},
};

/// The cookie that holds the API token.
pub(super) const SESSION: &str = "slipway_session";

/// The cookie that forms are bound to, whether anybody is logged in or not.
const BINDING: &str = "slipway_form";

/// What pages may load: nothing but what this server itself sends.
const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                                form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Somebody who looks at a page, and may see it.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Who.
    pub(super) principal: Principal,
    /// What every form has to send back.
    pub(super) form_token: String,
    /// Whether there is a session that could be ended.
    pub(super) session: bool,
    /// From where.
    address: String,
}

/// The secret that forms are bound to, as the middleware found or made it.
#[derive(Clone)]
pub(super) struct Binding(String);

impl Visitor {
    /// For the audit log.
    pub(super) fn by(&self, app: &App) -> By {
        app.by(&self.principal, &self.address)
    }

    /// Whether a role is held.
    pub(super) fn may(&self, role: Role, app: Option<&AppId>) -> bool {
        self.principal.may(role, app)
    }

    /// # Errors
    /// [`PageError::Forbidden`] if a role is not held.
    pub(super) fn must(&self, role: Role, app: Option<&AppId>) -> Result<(), PageError> {
        if self.may(role, app) {
            return Ok(());
        }
        Err(PageError::Forbidden { role: role.as_str() })
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let secret = cookie(&parts.headers, SESSION).unwrap_or_default().to_owned();
        let principal = match principal(app, &parts.headers, &secret).await {
            Ok(Some(principal)) => principal,
            Ok(None) => return Err(to_login(parts)),
            Err(error) => return Err(error.into_response()),
        };
        Ok(Self {
            principal,
            form_token: form_token(binding(parts), &secret),
            session: !secret.is_empty(),
            address: peer_address(app, parts),
        })
    }
}

/// Where a request comes from; empty if nobody knows.
pub(super) fn peer_address(app: &App, parts: &Parts) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|peer| client_address(app, peer.0, &parts.headers).to_string());
    address.unwrap_or_default()
}

async fn principal(
    app: &App,
    headers: &HeaderMap,
    secret: &str,
) -> Result<Option<Principal>, PageError> {
    if app.config.authentication == Authentication::Off {
        return match is_direct(headers, app.config.base_url.as_deref()) {
            true => Ok(Some(Principal::anybody())),
            false => Err(PageError::Odd {
                what: "names a host that this server is not, or came through a proxy",
            }),
        };
    }
    if secret.is_empty() {
        return Ok(None);
    }
    Ok(app.store.authenticate(secret, app.clock.now()).await?)
}

fn to_login(parts: &Parts) -> Response {
    let here = parts.uri.path_and_query().map_or("/", |uri| uri.as_str());
    let next: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
    match parts.method {
        axum::http::Method::GET => Redirect::to(&format!("/login?next={next}")).into_response(),
        _ => Redirect::to("/login").into_response(),
    }
}

/// The secret that the forms of this request are bound to.
pub(super) fn binding(parts: &Parts) -> &str {
    parts.extensions.get::<Binding>().map(|binding| binding.0.as_str()).unwrap_or_default()
}

/// What a form has to send back: only who knows both cookies can make it, and no other site does.
pub(super) fn form_token(binding: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(binding.as_bytes()).expect("HMAC takes any key");
    mac.update(b"slipway form\0");
    mac.update(secret.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Whether a form came from a page of this server.
pub(super) fn is_own_form(headers: &HeaderMap, expected: &str, sent: &str) -> bool {
    let same = expected.len() == sent.len()
        && expected.bytes().zip(sent.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0;
    same_site(headers) && same && !expected.is_empty()
}

/// A cookie of a request.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The cookie of a session; an empty secret ends it.
pub(super) fn session_cookie(app: &App, secret: &str) -> HeaderValue {
    let secure = if app.config.is_secure() { "; Secure" } else { "" };
    cookie_header(SESSION, secret, secure)
}

/// A cookie that scripts do not see and that other sites do not cause to be sent. An empty value takes it away.
fn cookie_header(name: &str, value: &str, more: &str) -> HeaderValue {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{more}{age}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Around every page: the cookie that forms are bound to comes with the request or is made, and the answer gets the
/// headers that keep it safe.
pub(super) async fn guard(mut request: Request, next: Next) -> Response {
    let known =
        cookie(request.headers(), BINDING).filter(|value| value.len() == 64).map(str::to_owned);
    let fresh = known.is_none().then(new_secret);
    if let Some(secret) = known.or_else(|| fresh.clone()) {
        request.extensions_mut().insert(Binding(secret));
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Some(secret) = fresh {
        headers.append(header::SET_COOKIE, cookie_header(BINDING, &secret, ""));
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn new_secret() -> String {
    let mut bytes = [0u8; 32];
    // Without randomness of the system nothing of this server can be trusted.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; slipway_session=x=y;b=2"));
        assert_eq!(cookie(&headers, SESSION), Some("x=y"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn a_form_of_another_session_or_site_is_refused() {
        let mut headers = HeaderMap::new();
        let token = form_token("binding", "secret");
        assert!(is_own_form(&headers, &token, &token));
        assert!(!is_own_form(&headers, &token, &form_token("binding", "other")));
        assert!(!is_own_form(&headers, &token, &form_token("other", "secret")));
        assert!(!is_own_form(&headers, &token, ""));
        assert!(!is_own_form(&headers, "", ""));
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert!(!is_own_form(&headers, &token, &token));
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        assert!(is_own_form(&headers, &token, &token));
    }
}
