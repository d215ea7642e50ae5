//! Our own API, below `/api/v2`: JSON, bearer tokens, an OpenAPI document from the same table as the routes.
//!
//! Concepts:
//! - [`table::METHODS`]: every method once: path, role, what it takes and gives. Routes and document both come from it.
//! - [`call::Caller`]: who asks, proved by a token; [`call::Denied`]: why not.
//! - [`failure::Failure`]: errors as `{"error": {"kind", "message"}}` with a status that says whose fault it is.

mod apps;
mod call;
mod channels;
mod failure;
mod forms;
mod groups;
mod instances;
mod logs;
mod packages;
mod table;
mod users;

use axum::{Json, Router};

use crate::{
    app::App,
    http::routing::{any, get},
};
pub use table::{METHODS, Method, document};

/// All methods, and the document that describes them.
pub fn router() -> Router<App> {
    let described = Router::new().route("/api/v2/openapi.json", get(async || Json(document())));
    let mut router = described;
    for method in METHODS {
        router = router.route(method.path, (method.route)());
    }
    router.route("/api/v2/{*rest}", any(async || failure::Failure::no_route()))
}
