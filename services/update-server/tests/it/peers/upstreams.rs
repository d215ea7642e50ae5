//! Upstreams in CoreUpdate's API, with another server as the upstream.

use super::world::{APP, As};
use super::{World, json};

#[tokio::test]
async fn an_upstream_is_made_changed_and_deleted() {
    let world = World::new().await;
    let made = world
        .good("update.upstream.insert", &[], json!({ "url": "https://a.example/", "label": "a" }))
        .await;
    assert_eq!(
        made,
        json!({ "id": "1", "url": "https://a.example", "label": "a" }),
        "the stock client wants a number"
    );
    let other = world
        .good("update.upstream.insert", &[], json!({ "url": "https://b.example", "label": "b" }))
        .await;
    assert_eq!(other["id"], json!("2"));
    let changed = world
        .good("update.upstream.update", &["1"], json!({ "url": "https://c.example", "label": "c" }))
        .await;
    assert_eq!(changed, json!({ "id": "1", "url": "https://c.example", "label": "c" }));
    assert_eq!(
        world.get("update.upstream.list", &[], "").await["items"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(world.get("update.upstream.delete", &["1"], "").await, changed);
    world.bad("update.upstream.delete", &["1"], "", None, (404, "there is no upstream `1`")).await;
    world.bad("update.upstream.update", &["7"], "", None, (404, "there is no upstream `7`")).await;
    world
        .bad(
            "update.upstream.insert",
            &[],
            "",
            Some(json!({ "url": "nonsense" })),
            (400, "`url` is `nonsense`"),
        )
        .await;
}

#[tokio::test]
async fn what_an_upstream_publishes_is_taken_over() {
    let upstream = World::furnished().await;
    let world = World::new().await;
    world.good("update.app.insert", &[], json!({ "id": APP })).await;
    world.good("update.upstream.insert", &[], json!({ "url": upstream.base })).await;
    let done = world.get("update.upstream.sync", &[], "").await;
    assert_eq!(done["status"], json!("ok"), "{done}");
    let channels = async || world.get("update.channel.list", &[APP], "").await["items"][0].clone();
    let channel = channels().await;
    assert_eq!(
        (&channel["label"], &channel["version"], &channel["upstream"]),
        (&json!("stable"), &json!("1.0.0"), &json!("1"))
    );
    let theirs = upstream.get("update.app.package.list", &[APP], "&version=1.0.0").await;
    let ours = world.get("update.app.package.list", &[APP], "&version=1.0.0").await;
    assert_eq!(ours["items"][0], theirs["items"][0]);

    upstream
        .good(
            "update.channel.update",
            &[APP, "stable"],
            json!({ "version": "1.1.0", "publish": true }),
        )
        .await;
    world.get("update.upstream.sync", &[], "").await;
    assert_eq!(channels().await["version"], json!("1.1.0"));
    let done = world.get("update.upstream.sync", &[], "").await;
    assert!(
        done["detail"].as_str().unwrap().contains("0 packages added, 0 channels moved"),
        "{done}"
    );
}

#[tokio::test]
async fn a_channel_of_our_own_is_left_alone() {
    let upstream = World::furnished().await;
    let world = World::furnished().await;
    upstream
        .good(
            "update.channel.update",
            &[APP, "stable"],
            json!({ "version": "1.1.0", "publish": true }),
        )
        .await;
    world.good("update.upstream.insert", &[], json!({ "url": upstream.base })).await;
    let done = world.get("update.upstream.sync", &[], "").await;
    assert!(done["detail"].as_str().unwrap().contains("1 entries left alone"), "{done}");
    assert_eq!(
        world.get("update.channel.list", &[APP], "").await["items"][0]["version"],
        json!("1.0.0")
    );
}

#[tokio::test]
async fn an_upstream_that_is_away_is_named() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    world.good("update.upstream.insert", &[], json!({ "url": url })).await;
    let done = world.get("update.upstream.sync", &[], "").await;
    assert_eq!(done["status"], json!("error"));
    assert!(done["detail"].as_str().unwrap().contains(&url), "{done}");
    let (status, _) = world.call_as(As::Nobody, "update.upstream.sync", &[], "", None).await;
    assert_eq!(status, 401);
}

/// An upstream cannot send this server elsewhere, such as to what only it reaches.
#[tokio::test]
async fn an_upstream_that_is_elsewhere_is_not_followed() {
    let upstream = World::furnished().await;
    let there = upstream.base.clone();
    let router = axum::Router::new().fallback(async move |uri: axum::http::Uri| {
        axum::response::Redirect::temporary(&format!("{there}{uri}"))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = World::new().await;
    world.good("update.app.insert", &[], json!({ "id": APP })).await;
    world.good("update.upstream.insert", &[], json!({ "url": url })).await;
    let done = world.get("update.upstream.sync", &[], "").await;
    assert_eq!(done["status"], json!("error"), "{done}");
    assert!(done["detail"].as_str().unwrap().contains("307"), "{done}");
    let packages = world.get("update.app.package.list", &[APP], "").await;
    assert_eq!(packages["total"], json!(0), "{packages}");
}
