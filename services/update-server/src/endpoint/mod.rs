//! The Omaha endpoint: `POST /v1/update`, as every client of Container Linux, Flatcar and Slipway knows it.
//!
//! Stock clients understand `ok` and `noupdate` only; anything else makes them report error 34 by another request. So a machine
//! that must wait is told `noupdate`, and the reason is kept for people ([`crate::checks::explain`]).

mod answers;
mod asks;

use std::net::SocketAddr;

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use slipway_omaha::{AppStatus, CheckStatus, MAX_DOCUMENT, Request};

use crate::{
    app::App,
    checks::{Ask, EngineError},
    policy::Decision,
    store::Catalog,
};

/// What this server calls itself in its answers.
pub const SERVER: &str = "slipway";

/// The most applications that a request may speak of. Machines speak of a few: the system, and an extension or two.
const MAX_APPS: usize = 32;

/// The most events that a request may tell of each application.
const MAX_EVENTS: usize = 64;

/// The route, with a slash at its end and without.
pub fn router() -> Router<App> {
    let update = || post(update).layer(DefaultBodyLimit::max(MAX_DOCUMENT));
    Router::new().route("/v1/update", update()).route("/v1/update/", update())
}

/// What is done about an application of a request.
enum Part {
    /// It is asked of the engine.
    Asked(Box<Ask>),
    /// Another server asks, to copy; it is told everything, and counts for nothing.
    Syncer(Box<Ask>, Decision, Manifests),
    /// It is refused.
    Refused(AppStatus, CheckStatus),
}

/// Whether a client reads more than the first manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manifests {
    One,
    Many,
}

async fn update(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(kind) = content_type(&headers) {
        let text = format!("`{kind}` is no XML; send text/xml in UTF-8\n");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let request = match Request::parse(&body) {
        Ok(request) => request,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("{}\n", crate::chain(&error)))
                .into_response();
        }
    };
    if request.apps.len() > MAX_APPS || request.apps.iter().any(|app| app.events.len() > MAX_EVENTS)
    {
        let text = format!(
            "a request has at most {MAX_APPS} applications, and {MAX_EVENTS} events of each\n"
        );
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    }
    let catalog = match app.store.catalog().await {
        Ok(catalog) => catalog,
        Err(error) => {
            tracing::error!(error = %crate::chain(&error), "cannot read the catalog");
            return away();
        }
    };
    let ip = crate::http::client_address(&app, peer, &headers).to_string();
    let parts = asks::parts(&request, &catalog, &ip, app.clock.now());
    match answer(&app, &request, &catalog, parts, &base(&app, &headers)).await {
        Ok(document) => {
            ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], document).into_response()
        }
        Err(error) => {
            tracing::debug!(error = %crate::chain(&error), "a machine must ask again");
            away()
        }
    }
}

async fn answer(
    app: &App,
    request: &Request,
    catalog: &Catalog,
    parts: Vec<Part>,
    base: &str,
) -> Result<String, EngineError> {
    let asked: Vec<Ask> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Asked(ask) => Some((**ask).clone()),
            _ => None,
        })
        .collect();
    let outcomes = if asked.is_empty() { Vec::new() } else { app.engine.ask(asked).await? };
    let mut response = slipway_omaha::Response::new(SERVER);
    let mut outcomes = outcomes.into_iter();
    for (sent, part) in request.apps.iter().zip(parts) {
        response.apps.push(match part {
            Part::Asked(ask) => answers::asked(sent, &ask, outcomes.next(), catalog, base),
            Part::Syncer(ask, decision, manifests) => {
                answers::syncer(sent, &ask, &decision, manifests, catalog, base)
            }
            Part::Refused(status, check) => answers::refused(sent, status, check),
        });
    }
    Ok(response.to_xml())
}

/// The database is away or too much waits. Clients double their interval on this.
fn away() -> Response {
    let text = "the server cannot keep what you say now; ask again later\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "60")], text).into_response()
}

/// What is plainly something else is refused. `curl` says a form if nobody tells it better, and older stubs are that.
fn content_type(headers: &HeaderMap) -> Result<(), String> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let (kind, parameters) = text.split_once(';').unwrap_or((&text, ""));
    let known =
        ["", "text/xml", "application/xml", "text/plain", "application/x-www-form-urlencoded"];
    let charset = parameters.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    let utf8 = charset
        .is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    if known.contains(&kind.trim()) && utf8 { Ok(()) } else { Err(text.chars().take(80).collect()) }
}

/// The address that clients know this server by.
fn base(app: &App, headers: &HeaderMap) -> String {
    if let Some(base) = &app.config.base_url {
        return base.clone();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        host.len() < 256
            && host.chars().all(|char| char.is_ascii_alphanumeric() || ".-:[]_".contains(char))
    };
    let local = app.config.listen.to_string();
    format!("{}://{}", app.config.scheme(), host.filter(plain).unwrap_or(&local))
}
