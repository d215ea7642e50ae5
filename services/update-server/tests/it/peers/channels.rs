//! Channels in CoreUpdate's API.

use super::world::{APP, As};
use super::{World, json};

#[tokio::test]
async fn a_channel_is_made_moved_and_deleted() {
    let world = World::furnished().await;
    let made = world
        .good("update.channel.insert", &[APP], json!({ "label": "beta", "version": "1.0.0" }))
        .await;
    let expected = json!({
        "appId": APP, "label": "beta", "version": "1.0.0", "publish": false, "dateCreated": "2026-11-25T22:00:00Z",
    });
    assert_eq!(made, expected);
    let list = world.get("update.channel.list", &[APP], "").await;
    assert_eq!(
        (&list["items"][0]["label"], &list["items"][1]["label"]),
        (&json!("beta"), &json!("stable"))
    );
    let moved = world
        .good(
            "update.channel.update",
            &[APP, "beta"],
            json!({ "version": "1.1.0", "publish": true }),
        )
        .await;
    assert_eq!((&moved["version"], &moved["publish"]), (&json!("1.1.0"), &json!(true)));
    // An absent boolean is false, an absent version changes nothing.
    let moved = world.good("update.channel.update", &[APP, "beta"], json!({})).await;
    assert_eq!((&moved["version"], &moved["publish"]), (&json!("1.1.0"), &json!(false)));
    let gone = world.get("update.channel.delete", &[APP, "beta"], "").await;
    assert_eq!(gone, json!({ "appId": APP, "label": "beta", "version": "1.1.0" }));
    let root = |action: &str| ("root".to_owned(), action.to_owned());
    let audited = world.audited().await;
    assert_eq!(
        audited[..4],
        [
            root("channel.delete"),
            root("channel.update"),
            root("channel.update"),
            root("channel.create")
        ]
    );
}

#[tokio::test]
async fn channels_that_cannot_be() {
    let world = World::furnished().await;
    let insert = async |body, expected| {
        world.bad("update.channel.insert", &[APP], "", Some(body), expected).await;
    };
    insert(json!({ "version": "1.0.0" }), (400, "needs a `label`")).await;
    insert(json!({ "label": "a/b" }), (400, "needs a `label`")).await;
    insert(json!({ "label": "stable", "version": "1.0.0" }), (409, "already")).await;
    insert(json!({ "label": "beta", "version": "9.9.9" }), (404, "there is no package `9.9.9`"))
        .await;
    let update = json!({ "version": "9.9.9" });
    world
        .bad(
            "update.channel.update",
            &[APP, "stable"],
            "",
            Some(update),
            (404, "there is no package"),
        )
        .await;
    world
        .bad("update.channel.update", &[APP, "nightly"], "", None, (404, "there is no channel"))
        .await;
    world
        .bad("update.channel.delete", &[APP, "nightly"], "", None, (404, "there is no channel"))
        .await;
    world.bad("update.channel.delete", &[APP, "stable"], "", None, (409, "in use")).await;
}

#[tokio::test]
async fn anybody_sees_published_channels() {
    let world = World::furnished().await;
    world
        .good("update.channel.insert", &[APP], json!({ "label": "beta", "version": "1.0.0" }))
        .await;
    let (status, list) =
        world.call_as(As::Nobody, "update.channel.publicList", &[], "", None).await;
    assert_eq!(status, 200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&list["items"][0]["label"], &list["items"][0]["version"]),
        (&json!("stable"), &json!("1.0.0"))
    );
}
