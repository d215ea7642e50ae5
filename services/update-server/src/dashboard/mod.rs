//! The dashboard: pages made by the server, for people who look after machines. They work without JavaScript; a small
//! script keeps numbers fresh where it may run.
//!
//! Concepts:
//! - [`session`]: who looks, and that forms come from pages of this server.
//! - [`page`]: templates, the frame around every page, and error pages.
//! - [`form`]: fields that may be missing or odd.
//! - [`chart`], [`words`], [`time`]: values as people read them.
//! - One module for each kind of page. Each makes a view, a plain value that a template shows.

mod activity;
mod apps;
mod assets;
mod channels;
mod chart;
mod explain;
mod form;
mod group;
mod group_forms;
mod instance;
mod instances;
mod live;
mod login;
mod oidc;
mod packages;
mod page;
mod policy_form;
mod rollout;
mod session;
mod settings;
mod time;
mod words;

use axum::{Router, middleware::from_fn, response::Redirect};

use crate::{
    app::App,
    http::routing::{get, post},
    ids::AppId,
    store::{Application, Role},
};
use page::PageError;
use session::Visitor;

/// The pages, with the headers that keep them safe. Whatever nothing else answers is a page that says so.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(apps::list))
        .route("/login", get(login::page).merge(post(login::enter)))
        .route("/login/oidc", get(oidc::begin))
        .route("/login/oidc/callback", get(oidc::finish))
        .route("/logout", post(login::leave))
        .route("/static/{file}", get(assets::file))
        .route("/favicon.ico", get(|| async { Redirect::permanent("/static/icon.svg") }))
        .route("/activity", get(activity::page))
        .route("/audit", get(activity::audit))
        .route("/settings", get(settings::page))
        .route("/settings/users", post(settings::add_user))
        .route("/settings/users/{name}/role", post(settings::set_role))
        .route("/settings/tokens", post(settings::add_token))
        .route("/settings/tokens/{id}/revoke", post(settings::revoke))
        .route("/apps", get(|| async { Redirect::permanent("/") }).merge(post(apps::create)))
        .route("/apps/new", get(apps::new))
        .merge(of_application())
        .fallback(nothing)
        .layer(from_fn(session::guard))
}

fn of_application() -> Router<App> {
    Router::new()
        .route("/apps/{app}", get(apps::groups))
        .route("/apps/{app}/edit", get(apps::edit).merge(post(apps::update)))
        .route("/apps/{app}/groups", post(group_forms::create))
        .route("/apps/{app}/groups/new", get(group_forms::new))
        .route("/apps/{app}/groups/{group}", get(group::page))
        .route("/apps/{app}/groups/{group}/live", get(live::group))
        .route(
            "/apps/{app}/groups/{group}/edit",
            get(group_forms::edit).merge(post(group_forms::update)),
        )
        .route(
            "/apps/{app}/groups/{group}/pause",
            get(group_forms::ask_pause).merge(post(group_forms::pause)),
        )
        .route(
            "/apps/{app}/groups/{group}/resume",
            get(group_forms::ask_resume).merge(post(group_forms::resume)),
        )
        .route(
            "/apps/{app}/groups/{group}/delete",
            get(group_forms::ask_delete).merge(post(group_forms::delete)),
        )
        .route(
            "/apps/{app}/groups/{group}/policy",
            get(policy_form::page).merge(post(policy_form::save)),
        )
        .route("/apps/{app}/groups/{group}/rollout", get(rollout::page).merge(post(rollout::save)))
        .route("/apps/{app}/instances", get(instances::page))
        .route("/apps/{app}/instances/{machine}", get(instance::page))
        .route("/apps/{app}/instances/{machine}/alias", post(instance::alias))
        .route("/apps/{app}/instances/{machine}/pin", post(instance::pin))
        .route("/apps/{app}/channels", get(channels::page).merge(post(channels::create)))
        .route("/apps/{app}/channels/new", get(channels::new))
        .route("/apps/{app}/channels/{channel}", get(channels::edit).merge(post(channels::update)))
        .route("/apps/{app}/channels/{channel}/floors", post(channels::add_floor))
        .route("/apps/{app}/channels/{channel}/floors/remove", post(channels::remove_floor))
        .route("/apps/{app}/channels/{channel}/blocked", post(channels::block))
        .route("/apps/{app}/channels/{channel}/blocked/remove", post(channels::unblock))
        .route("/apps/{app}/packages", get(packages::page).merge(post(packages::create)))
        .route("/apps/{app}/packages/new", get(packages::new))
        .route(
            "/apps/{app}/packages/{package}/delete",
            get(packages::ask_delete).merge(post(packages::delete)),
        )
}

/// For every address that nothing else answers.
async fn nothing() -> PageError {
    PageError::NotFound { what: "page".to_owned() }
}

/// An application that a visitor may see, by its id or product id.
async fn application(app: &App, visitor: &Visitor, name: &str) -> Result<Application, PageError> {
    let found = app.store.find_app(name).await?;
    let found = found.ok_or_else(|| PageError::NotFound { what: "such application".to_owned() })?;
    visitor.must(Role::Viewer, Some(&found.id))?;
    Ok(found)
}

/// An application that a visitor may operate.
async fn operated(app: &App, visitor: &Visitor, name: &str) -> Result<Application, PageError> {
    let found = application(app, visitor, name).await?;
    visitor.must(Role::Operator, Some(&found.id))?;
    Ok(found)
}

/// A text as one segment of an address.
fn segment(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            // A segment of dots alone would lead elsewhere.
            b'.' if text.bytes().any(|other| other != b'.') => out.push('.'),
            other => {
                out.push('%');
                out.push_str(&crate::ids::hex(&[other]).to_ascii_uppercase());
            }
        }
        out
    })
}

/// The address of something of an application.
fn address(app: &AppId, parts: &[&str]) -> String {
    let rest: String = parts.iter().map(|part| format!("/{}", segment(part))).collect();
    format!("/apps/{}{rest}", segment(app.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stay_in_their_place() {
        assert_eq!(segment("4001.2.0"), "4001.2.0");
        assert_eq!(segment("a/b?c#d%é"), "a%2Fb%3Fc%23d%25%C3%A9");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(address(&"ab".parse().unwrap(), &["groups", "x y"]), "/apps/ab/groups/x%20y");
    }
}
