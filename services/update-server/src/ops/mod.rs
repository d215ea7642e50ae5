//! What operators need beside the APIs: health, readiness, metrics, and the tasks that go on by themselves.

mod metrics;
mod tasks;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

pub use metrics::Metrics;
pub use tasks::{checkpoint_often, forget_old, sweep_often, tell_webhook};

use crate::{app::App, http::routing::get};

/// Health, readiness and metrics.
pub fn router() -> Router<App> {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
}

/// Whether requests would be answered: the database is there, and the server does not end.
async fn ready(State(app): State<App>) -> Response {
    if *app.ending.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server ends\n").into_response();
    }
    match app.store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn metrics(State(app): State<App>) -> Response {
    match metrics::text(&app).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), "cannot count");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}
