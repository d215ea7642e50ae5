//! Logging in with an API token, and out again.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    form::{Fields, read_form},
    page::{PageError, Shell, render_with},
    session::{SESSION, binding, cookie, form_token, session_cookie},
};
use crate::{app::App, config::Authentication};

#[derive(Serialize)]
struct View {
    shell: Shell,
    next: String,
    problem: &'static str,
    first: bool,
}

/// The form.
pub(super) async fn page(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    if app.config.authentication == Authentication::Off {
        return Ok(Redirect::to("/").into_response());
    }
    let (parts, _) = request.into_parts();
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    show(&app, form_token(binding(&parts), ""), own_path(query.get("next")), "").await
}

async fn show(
    app: &App,
    token: String,
    next: &str,
    problem: &'static str,
) -> Result<Response, PageError> {
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    let view = View {
        shell: Shell::outside("Log in").with_form_token(token),
        next: next.to_owned(),
        problem,
        first: !app.store.has_users().await?,
    };
    render_with(status, "login.html", &view)
}

/// Only a path of this server: an address of another one would make the login page a helper of impostors.
fn own_path(path: &str) -> &str {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fine { path } else { "/" }
}

/// Takes a token, and makes a session of it.
pub(super) async fn enter(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, body) = request.into_parts();
    let token = form_token(binding(&parts), "");
    let fields = read_form(Request::from_parts(parts, body), &token).await?;
    let next = own_path(fields.get("next"));
    let secret = fields.get("token");
    // A cookie carries what tokens are made of, and nothing else.
    let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if secret.is_empty() || secret.len() > 200 || !plain {
        return show(&app, token, next, "This is no token. Tokens begin with “slipway_”.").await;
    }
    if app.store.authenticate(secret, app.clock.now()).await?.is_none() {
        return show(&app, token, next, "No such token. It may have ended, or been revoked.").await;
    }
    Ok(([(header::SET_COOKIE, session_cookie(&app, secret))], Redirect::to(next)).into_response())
}

/// Ends the session of this browser. The token stays valid elsewhere.
pub(super) async fn leave(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, body) = request.into_parts();
    let secret = cookie(&parts.headers, SESSION).unwrap_or_default();
    let token = form_token(binding(&parts), secret);
    read_form(Request::from_parts(parts, body), &token).await?;
    Ok(([(header::SET_COOKIE, session_cookie(&app, ""))], Redirect::to("/login")).into_response())
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
