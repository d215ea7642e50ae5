//! The API of CoreUpdate, so that its stock client (`updateservicectl`) works.
//!
//! Concepts:
//! - [`Call`]: a request whose sender is known and may do what it asks; every handler takes one.
//! - [`Gate`]: who sends a request: a Hawk signature, a token, or anybody if authentication is off.
//! - [`Failure`]: why a request is not answered, as Google's APIs say it.
//!
//! Names: a channel or package for all architectures goes by its label or version, as CoreUpdate knows no architectures. A
//! channel for one goes by `label:arch`. Methods and JSON forms are in `slipway-coreupdate`.

mod admin;
mod apps;
mod call;
mod channels;
mod extra;
mod failure;
mod gate;
mod groups;
mod instances;
mod packages;
mod rollouts;
mod rollups;
mod sync;
mod upstreams;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::State,
    handler::Handler,
    http::{HeaderMap, StatusCode},
    routing::MethodFilter,
};
use slipway_coreupdate::{BASE_PATH, Verb, discovery, find};

pub(crate) use call::{Call, NoBody, address_of};
pub(crate) use failure::{Answer, Failure};
pub(crate) use gate::Gate;

use crate::{
    app::App,
    http::routing::{any, get, on},
};

/// The routes of this part.
pub fn router() -> Router<App> {
    let router = Router::new();
    let router = admin::routes(apps::routes(packages::routes(channels::routes(router))));
    let router = groups::routes(rollouts::routes(rollups::routes(instances::routes(router))));
    upstreams::routes(router)
        .route(&format!("{BASE_PATH}{{*rest}}"), any(unknown))
        .route(discovery::PATH, get(describe))
        .merge(extra::routes())
        .method_not_allowed_fallback(wrong_verb)
        .layer(Extension(Arc::new(Gate::default())))
}

/// Mounts a handler where the API has the method of this name.
fn mount<H, T>(router: Router<App>, id: &str, handler: H) -> Router<App>
where
    H: Handler<T, App>,
    T: 'static,
{
    let method = find(id).expect("the names of methods are those of the table");
    let verb = match method.verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
    };
    router.route(&format!("{BASE_PATH}{}", method.path), on(verb, handler).layer(Extension(method)))
}

async fn unknown() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "the API has no such path")
}

async fn wrong_verb() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "the API has no such method for this path")
}

async fn describe(State(app): State<App>, headers: HeaderMap) -> Json<serde_json::Value> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let root =
        app.config.base_url.clone().unwrap_or_else(|| format!("{}://{host}", app.config.scheme()));
    Json(discovery::document(&root))
}
