//! Nebraska's REST paths, as far as its clients need them: applications, groups, channels, packages, floors, instances, counts
//! over time, activity.
//!
//! Concepts:
//! - [`Ask`]: a request whose sender is known; its methods find what the path names, and check the role that is needed.
//! - [`Refusal`]: why a request is not answered, in Nebraska's form.
//! - [`wire`]: the JSON forms.
//!
//! Nebraska knows groups, channels and packages by UUIDs. Groups made elsewhere have any id; the same paths serve them.
//! Facts of the protocol: `backend/api/spec.yaml` of flatcar/nebraska.

mod activity;
mod apps;
mod ask;
mod channels;
mod duration;
mod groups;
mod instances;
mod packages;
mod timeline;
mod wire;

use std::sync::Arc;

use axum::{Extension, Json, Router, extract::State};
use serde_json::{Value, json};

pub(crate) use ask::{Ask, Refusal, Reply};

use crate::{
    app::App,
    config::Authentication,
    coreupdate::Gate,
    http::routing::{delete, get, post, put},
};

/// The routes of this part.
pub fn router() -> Router<App> {
    let app = "/api/apps/{app}";
    let group = "/api/apps/{app}/groups/{group}";
    let below = |path: &str| format!("{app}/{path}");
    let of_group = |path: &str| format!("{group}/{path}");
    Router::new()
        .route("/config", get(config))
        .route("/api/apps", get(apps::list).merge(post(apps::create)))
        .route(app, get(apps::show).merge(put(apps::update)).merge(delete(apps::delete)))
        .route(&below("groups"), get(groups::list).merge(post(groups::create)))
        .route(group, get(groups::show).merge(put(groups::update)).merge(delete(groups::delete)))
        .route(&of_group("version_timeline"), get(timeline::versions))
        .route(&of_group("status_timeline"), get(timeline::statuses))
        .route(&of_group("instances_stats"), get(timeline::stats))
        .route(&of_group("version_breakdown"), get(timeline::breakdown))
        .route(&of_group("instances"), get(instances::list))
        .route(&of_group("instancescount"), get(instances::count))
        .route(&of_group("instances/{instance}"), get(instances::show))
        .route(&of_group("instances/{instance}/status_history"), get(instances::history))
        .route("/api/instances/{instance}", put(instances::rename))
        .route(&below("channels"), get(channels::list).merge(post(channels::create)))
        .route(
            &below("channels/{channel}"),
            get(channels::show).merge(put(channels::update)).merge(delete(channels::delete)),
        )
        .route("/api/channels/{channel}/floors", get(channels::floors))
        .route(
            "/api/channels/{channel}/floors/{package}",
            put(channels::set_floor)
                .merge(post(channels::set_floor))
                .merge(delete(channels::remove_floor)),
        )
        .route(&below("packages"), get(packages::list).merge(post(packages::create)))
        .route(
            &below("packages/{package}"),
            get(packages::show).merge(put(packages::update)).merge(delete(packages::delete)),
        )
        .route(&below("packages/{package}/floor-channels"), get(packages::floor_channels))
        .route("/api/activity", get(activity::list))
        .layer(Extension(Arc::new(Gate::default())))
}

/// What Nebraska's web client asks first.
async fn config(State(app): State<App>) -> Json<Value> {
    let mode = match app.config.authentication {
        Authentication::Off => "noop",
        Authentication::Required | Authentication::Auto => "token",
    };
    Json(json!({
        "access_management_url": "", "nebraska_version": "", "logo": "", "title": "Slipway", "header_style": "light",
        "login_url": "", "auth_mode": mode,
    }))
}
