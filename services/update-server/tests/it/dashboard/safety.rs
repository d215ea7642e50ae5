//! Who may see and do what, forged forms, headers, and streams that end.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use slipway_update_server::{
    config::Authentication,
    store::{Role, Scope},
};
use tower::ServiceExt as _;

use super::world::{APP, World};

const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

async fn locked() -> World {
    let world = World::empty(Authentication::Required).await;
    world.fill().await;
    world
}

async fn log_in(world: &mut World, secret: &str) {
    let done = world
        .submit("/login", "/login", &[("token", secret), ("next", "/activity?severity=error")])
        .await;
    assert_eq!(done.location(), "/activity?severity=error");
    let cookie = done
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .find(|value| value.to_str().unwrap().starts_with("slipway_session="));
    let cookie = cookie.unwrap().to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
}

#[tokio::test]
async fn without_a_session_everything_leads_to_the_login() {
    let mut world = locked().await;
    for (_, path, _) in super::pages::all() {
        let answer = world.get(&path).await;
        assert!(answer.location().starts_with("/login?next="), "{path}");
    }
    let answer = world.post(&format!("/apps/{APP}/groups/stable/pause"), "x=y").await;
    assert_eq!(answer.location(), "/login");
    world.get("/login").await.says("no users yet").says("API token");
}

#[tokio::test]
async fn a_token_makes_a_session_and_its_end_ends_it() {
    let mut world = locked().await;
    let secret = world.token_of("dora", Role::Admin, &ALL).await;
    for wrong in ["", "slipway_0000", "slipway_\u{e9}", "a;b=c"] {
        let answer = world.submit("/login", "/login", &[("token", wrong)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        answer.says("API token");
    }
    log_in(&mut world, &secret).await;
    world.get("/").await.says("dora").says("Log out").says("Settings");
    let id = world.app.store.tokens(None).await.unwrap().remove(0).id;
    world.app.store.delete_token(&super::world::by(), &id).await.unwrap();
    assert_eq!(world.get("/").await.location(), "/login?next=%2F");
}

#[tokio::test]
async fn logging_out_takes_the_cookie_away() {
    let mut world = locked().await;
    let secret = world.token_of("dora", Role::Viewer, &ALL).await;
    log_in(&mut world, &secret).await;
    let done = world.submit("/", "/logout", &[]).await;
    assert_eq!(done.location(), "/login");
    assert_eq!(world.get("/").await.location(), "/login?next=%2F");
}

#[tokio::test]
async fn viewers_see_and_change_nothing() {
    let mut world = locked().await;
    let secret = world.token_of("vera", Role::Viewer, &ALL).await;
    log_in(&mut world, &secret).await;
    let group = format!("/apps/{APP}/groups/stable");
    world.get(&group).await.hides("Pause updates").hides("Edit policy").says("Stable");
    for path in [
        format!("{group}/policy"),
        format!("{group}/pause"),
        "/audit".into(),
        "/settings".into(),
        "/apps/new".into(),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        answer.says("Not allowed");
    }
    // The right token of a page does not help who may not.
    let answer = world.submit("/", &format!("{group}/pause"), &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let stable = world
        .app
        .store
        .group(&APP.parse().unwrap(), &World::group_id("stable"))
        .await
        .unwrap()
        .unwrap();
    assert!(stable.policy.updates_enabled);
}

#[tokio::test]
async fn a_token_that_may_only_read_does_so_for_an_admin_too() {
    let mut world = locked().await;
    let secret = world.token_of("dora", Role::Admin, &[Scope::Read]).await;
    log_in(&mut world, &secret).await;
    assert_eq!(world.get("/settings").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_role_in_one_application_shows_only_that() {
    let mut world = locked().await;
    let secret = world.token_of("otto", Role::Viewer, &ALL).await;
    let name = "otto".parse().unwrap();
    let by = super::world::by();
    world.app.store.set_role(&by, &name, None, None).await.unwrap();
    log_in(&mut world, &secret).await;
    world.get("/").await.says("Ask an administrator").hides("Slipway Linux");
    assert_eq!(world.get(&format!("/apps/{APP}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/activity").await.status, StatusCode::FORBIDDEN);
    let app = APP.parse().unwrap();
    world.app.store.set_role(&by, &name, Some(&app), Some(Role::Operator)).await.unwrap();
    world.get("/").await.says("Slipway Linux");
    world.get("/activity").await.says("rolled out");
    world.get(&format!("/apps/{APP}/groups/stable")).await.says("Pause updates");
}

#[tokio::test]
async fn forged_forms_change_nothing() {
    let mut world = World::fleet().await;
    let action = format!("/apps/{APP}/groups/stable/pause");
    let token = world.token("/settings").await;
    for body in [
        String::new(),
        "form_token=".into(),
        format!("form_token={}", "0".repeat(64)),
        format!("form_token={token}0"),
    ] {
        let answer = world.post(&action, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        answer.says("Form refused");
    }
    // Another site's page: the browser says so, even if somebody had found the token.
    let request = Request::post(&action)
        .header(header::COOKIE, world.cookie_header())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site")
        .body(Body::from(format!("form_token={token}")))
        .unwrap();
    assert_eq!(world.send(request).await.status, StatusCode::FORBIDDEN);
    // A token of another browser.
    let request = Request::post(&action)
        .header(header::COOKIE, format!("slipway_form={}", "a".repeat(64)))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("form_token={token}")))
        .unwrap();
    assert_eq!(world.send(request).await.status, StatusCode::FORBIDDEN);
    let stable = world
        .app
        .store
        .group(&APP.parse().unwrap(), &World::group_id("stable"))
        .await
        .unwrap()
        .unwrap();
    assert!(stable.policy.updates_enabled);
}

#[tokio::test]
async fn every_answer_says_what_a_page_may_load() {
    let mut world = World::fleet().await;
    for path in ["/", "/nothing", "/static/icon.svg", "/login"] {
        let answer = world.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    assert_eq!(world.get("/").await.headers[header::CACHE_CONTROL], "no-store");
    let page = world.get("/").await.body;
    let (_, rest) = page.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = world.get(rest.split('"').next().unwrap()).await;
    assert_eq!(style.status, StatusCode::OK);
    assert!(style.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn live_numbers_come_at_once_and_end_with_the_server() {
    let world = World::fleet().await;
    let request =
        Request::get(format!("/apps/{APP}/groups/stable/live")).body(Body::empty()).unwrap();
    let response = world.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    world.ending.send(true).unwrap();
    // The whole body arrives because the stream ends: without that this would wait for ever.
    let body = tokio::time::timeout(
        Duration::from_secs(60),
        axum::body::to_bytes(response.into_body(), 1 << 20),
    );
    let body = body.await.expect("the stream ends with the server").unwrap();
    assert!(body.is_empty() || body.starts_with(b"event: numbers"), "{body:?}");

    let world = World::fleet().await;
    let request =
        Request::get(format!("/apps/{APP}/groups/stable/live")).body(Body::empty()).unwrap();
    let mut body = world.router().oneshot(request).await.unwrap().into_body().into_data_stream();
    let first = futures::StreamExt::next(&mut body).await.unwrap().unwrap();
    let text = String::from_utf8(first.to_vec()).unwrap();
    assert!(
        text.starts_with("event: numbers\ndata: {") && text.contains("\"instances\":\"120\""),
        "{text}"
    );
    world.ending.send(true).unwrap();
    while let Some(rest) = futures::StreamExt::next(&mut body).await {
        rest.unwrap();
    }
}
