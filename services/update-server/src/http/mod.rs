//! All routes together, and what holds for each request: its address, a limit per address, a log line.

mod limit;
mod origin;
pub(crate) mod routing;

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::ListenerExt as _,
};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

pub use limit::Limiter;
pub use origin::same_site;
pub(crate) use origin::{NOT_LOCAL, is_direct, is_local};

use crate::{app::App, config::Addresses};

/// The whole server as one service.
pub fn router(app: App) -> Router {
    let mut router = Router::new()
        .merge(crate::endpoint::router())
        .merge(crate::coreupdate::router())
        .merge(crate::nebraska::router())
        .merge(crate::api::router())
        .merge(crate::ops::router())
        .merge(crate::dashboard::router());
    // Both are read-only, know ranges, and never leave their folder.
    if let Some(folder) = &app.config.releases {
        router = router.nest_service(
            "/repository",
            ServeDir::new(folder).append_index_html_on_directories(false),
        );
    }
    if let Some(folder) = &app.config.packages {
        router = router.nest_service(
            "/packages",
            ServeDir::new(folder).append_index_html_on_directories(false),
        );
    }
    let limiter = Limiter::new(app.config.rate_limit);
    router.layer(middleware::from_fn_with_state((app.clone(), limiter), every)).with_state(app)
}

/// What to listen on.
#[derive(Debug)]
pub enum Door {
    /// Plain HTTP.
    Plain(TcpListener),
    /// HTTP inside TLS.
    Tls(crate::tls::TlsListener),
}

/// Serves until the server shall end; then answers what it has begun to, and nothing new.
///
/// # Errors
/// When the system fails.
pub async fn serve(door: Door, app: App) -> io::Result<()> {
    let mut ending = app.ending.clone();
    let ended = async move { drop(ending.wait_for(|ending| *ending).await) };
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    match door {
        Door::Plain(door) => axum::serve(door, service).with_graceful_shutdown(ended).await,
        // A listener of another kind tells the address of a client only once it is tapped.
        Door::Tls(door) => {
            axum::serve(door.tap_io(|_| {}), service).with_graceful_shutdown(ended).await
        }
    }
}

/// The address that a request comes from; one of IPv4 that is written as IPv6 is one of IPv4.
pub fn client_address(app: &App, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    if app.config.addresses == Addresses::Forwarded {
        let mut entries =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let last = entries.next_back().and_then(|value| value.rsplit(',').next());
        let said = last.and_then(|text| text.trim().parse::<IpAddr>().ok());
        if let Some(address) = said {
            return address.to_canonical();
        }
    }
    peer.ip().to_canonical()
}

async fn every(
    State((app, limiter)): State<(App, Limiter)>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let address = peer.map(|peer| client_address(&app, peer, request.headers()));
    let counted = address.filter(|address| !address.is_loopback());
    if counted.is_some_and(|address| !limiter.admits(address, app.clock.now())) {
        app.metrics.limited();
        let text = "too many requests from this address; ask again in a minute\n";
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "60")], text)
            .into_response();
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    app.metrics.answered(response.status());
    tracing::debug!(%method, path, status = response.status().as_u16(), address = ?address, "answered");
    response
        .headers_mut()
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(axum::http::HeaderValue::from_static("nosniff"));
    response
}
