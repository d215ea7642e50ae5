//! Logging in with an API token, and out again. [`super::oidc`] logs in through an issuer.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    form::{Fields, read_form},
    page::{PageError, Shell, render_with},
    session::{SESSION, binding, cookie, form_token, peer_address, session_cookie},
};
use crate::{app::App, config::Authentication};

/// How long the form waits for the issuer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct View {
    shell: Shell,
    next: String,
    problem: String,
    first: bool,
    /// The host of the issuer; empty if there is none.
    issuer: String,
    /// Where logging in through the issuer begins.
    through: String,
    /// Whether somebody has just logged out of here whom the issuer still knows.
    left: bool,
    /// Where the issuer forgets them too; empty if it has no such place.
    leave: String,
}

/// Why somebody was not let in.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Problem {
    fn unknown(text: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, text: text.to_owned() }
    }
}

/// The form.
pub(super) async fn page(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    if app.config.authentication == Authentication::Off {
        return Ok(Redirect::to("/").into_response());
    }
    let (parts, _) = request.into_parts();
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mut view = view(&app, &parts, own_path(query.get("next"))).await?;
    if let Some(provider) = app.oidc.as_ref().filter(|_| !query.get("left").is_empty()) {
        view.left = true;
        // An issuer that is away does not keep anybody from logging in with a token.
        match tokio::time::timeout(PATIENCE, provider.leave(app.clock.now())).await {
            Ok(Ok(place)) => view.leave = place.map(String::from).unwrap_or_default(),
            Ok(Err(error)) => {
                tracing::warn!(error = %crate::chain(&error), "the issuer does not say where people log out");
            }
            Err(_) => tracing::warn!("the issuer takes long to say where people log out"),
        }
    }
    render_with(StatusCode::OK, "login.html", &view)
}

/// The form, with what went wrong before.
pub(super) async fn show(
    app: &App,
    parts: &Parts,
    next: &str,
    problem: Problem,
) -> Result<Response, PageError> {
    let view = View { problem: problem.text, ..view(app, parts, next).await? };
    render_with(problem.status, "login.html", &view)
}

async fn view(app: &App, parts: &Parts, next: &str) -> Result<View, PageError> {
    let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Ok(View {
        shell: Shell::outside("Log in").with_form_token(form_token(binding(parts), "")),
        next: next.to_owned(),
        problem: String::new(),
        first: !app.store.has_users().await?,
        issuer: app.oidc.as_ref().map(|provider| provider.host()).unwrap_or_default(),
        through: format!("/login/oidc?next={encoded}"),
        left: false,
        leave: String::new(),
    })
}

/// Only a path of this server: an address of another one would make the login page a helper of impostors.
pub(super) fn own_path(path: &str) -> &str {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fine { path } else { "/" }
}

/// Takes a token, and makes a session of it.
pub(super) async fn enter(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, body) = request.into_parts();
    let token = form_token(binding(&parts), "");
    let fields = read_form(Request::from_parts(parts.clone(), body), &token).await?;
    let next = own_path(fields.get("next"));
    let secret = fields.get("token");
    // A cookie carries what tokens are made of, and nothing else.
    let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if secret.is_empty() || secret.len() > 200 || !plain {
        let problem = Problem::unknown("This is no token. Tokens begin with “slipway_”.");
        return show(&app, &parts, next, problem).await;
    }
    if app.store.authenticate(secret, app.clock.now()).await?.is_none() {
        let problem = Problem::unknown("No such token. It may have ended, or been revoked.");
        return show(&app, &parts, next, problem).await;
    }
    Ok(([(header::SET_COOKIE, session_cookie(&app, secret))], Redirect::to(next)).into_response())
}

/// Ends the session of this browser. A token that was entered stays valid elsewhere, and so does the session that the issuer has
/// with this browser: the form says where that ends.
pub(super) async fn leave(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, body) = request.into_parts();
    let secret = cookie(&parts.headers, SESSION).unwrap_or_default().to_owned();
    let token = form_token(binding(&parts), &secret);
    let address = peer_address(&app, &parts);
    read_form(Request::from_parts(parts, body), &token).await?;
    let ended = app.store.end_session(&secret, &address, app.clock.now()).await?;
    let next = Redirect::to(if ended { "/login?left=yes" } else { "/login" });
    Ok(([(header::SET_COOKIE, session_cookie(&app, ""))], next).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_on_this_server() {
        for (path, expected) in [
            ("/apps/x?status=error", "/apps/x?status=error"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a b", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(own_path(path), expected, "{path:?}");
        }
    }
}
