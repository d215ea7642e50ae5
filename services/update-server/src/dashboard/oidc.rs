//! Logging in through the issuer: there, and back again.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    form::Fields,
    login::{self, Problem, own_path},
    page::{PageError, Shell, render, sentence},
    session::{cookie, peer_address, session_cookie},
};
use crate::{
    app::App,
    oidc::{Attempt, Callback, OidcError, Person, Provider},
    store::{By, StoreError},
};

/// The cookie of a log-in under way.
const ATTEMPT: &str = "slipway_login";

/// The same where there is TLS: browsers take a cookie of this name from this host alone, so that no other host of the same
/// domain can make somebody end a log-in that they did not begin.
const OWN_ATTEMPT: &str = "__Host-slipway_login";

/// How long a person may take at the issuer, in seconds.
const PATIENCE: u32 = 900;

/// The last page of a log-in. A redirect would be part of the way from the issuer's site, on which browsers send no strict
/// cookie; this page is one of this server, and what it leads to gets the session.
#[derive(Serialize)]
struct View {
    shell: Shell,
    next: String,
}

/// To the issuer.
pub(super) async fn begin(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, _) = request.into_parts();
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let attempt = Attempt::new(own_path(query.get("next")));
    match provider(&app)?.begin(&attempt, app.clock.now()).await {
        Ok(url) => {
            let cookie = [(header::SET_COOKIE, attempt_cookie(&app, &attempt.cookie()))];
            Ok((cookie, Redirect::to(url.as_str())).into_response())
        }
        Err(error) => refuse(&app, &parts, attempt.next(), error).await,
    }
}

/// Back from the issuer.
pub(super) async fn finish(
    State(app): State<App>,
    request: Request,
) -> Result<Response, PageError> {
    let (parts, _) = request.into_parts();
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let said = |name: &str| query.get(name).to_owned();
    let callback = Callback {
        code: said("code"),
        state: said("state"),
        issuer: said("iss"),
        error: said("error"),
        description: said("error_description"),
    };
    let (provider, now) = (provider(&app)?, app.clock.now());
    let attempt = cookie(&parts.headers, attempt_name(&app)).and_then(Attempt::from_cookie);
    let person = match &attempt {
        Some(attempt) => provider.finish(attempt, &callback, now).await,
        None => Err(OidcError::State),
    };
    // A cookie may come from anywhere.
    let next = own_path(attempt.as_ref().map_or("/", Attempt::next));
    let until = now.checked_add(provider.session()).unwrap_or(Timestamp::MAX);
    let mut response = match person {
        Ok(person) => enter(&app, &parts, &person, until, next).await?,
        Err(error) => refuse(&app, &parts, next, error).await?,
    };
    // An attempt is answered once.
    response.headers_mut().append(header::SET_COOKIE, attempt_cookie(&app, ""));
    Ok(response)
}

async fn enter(
    app: &App,
    parts: &Parts,
    person: &Person,
    until: Timestamp,
    next: &str,
) -> Result<Response, PageError> {
    let by =
        By { who: person.name.to_string(), address: peer_address(app, parts), at: app.clock.now() };
    match app.store.sign_in(&by, person, until).await {
        Ok(secret) => {
            let view = View { shell: Shell::outside("Logged in"), next: next.to_owned() };
            let mut response = render("continue.html", &view)?;
            response.headers_mut().append(header::SET_COOKIE, session_cookie(app, &secret));
            Ok(response)
        }
        Err(error @ (StoreError::Conflict { .. } | StoreError::Exists { .. })) => {
            let problem = Problem { status: StatusCode::CONFLICT, text: sentence(&error) };
            login::show(app, parts, next, problem).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn refuse(
    app: &App,
    parts: &Parts,
    next: &str,
    error: OidcError,
) -> Result<Response, PageError> {
    tracing::warn!(error = %crate::chain(&error), address = peer_address(app, parts), "a log-in through the issuer failed");
    let problem = Problem { status: error.status(), text: sentence(&error) };
    login::show(app, parts, next, problem).await
}

fn provider(app: &App) -> Result<&Provider, PageError> {
    let missing = || PageError::NotFound { what: "issuer to log in with".to_owned() };
    app.oidc.as_deref().ok_or_else(missing)
}

fn attempt_name(app: &App) -> &'static str {
    if app.config.is_secure() { OWN_ATTEMPT } else { ATTEMPT }
}

/// The browser comes back from another site, so this cookie is lax. It is worth nothing without the issuer's answer.
fn attempt_cookie(app: &App, value: &str) -> HeaderValue {
    let secure = if app.config.is_secure() { "; Secure" } else { "" };
    let age = if value.is_empty() { 0 } else { PATIENCE };
    let name = attempt_name(app);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
