//! Groups in CoreUpdate's API.

use super::world::APP;
use super::{World, json};

#[tokio::test]
async fn a_group_is_made_changed_and_deleted() {
    let world = World::furnished().await;
    let berlin = json!({
        "appId": APP, "id": "berlin", "label": "Berlin", "channelId": "stable", "rolloutActive": false, "updatePercent": 100.0,
        "updatesPaused": false,
    });
    assert_eq!(world.get("update.group.get", &[APP, "berlin"], "").await, berlin);
    assert_eq!(world.get("update.group.list", &[APP], "").await, json!({ "items": [berlin] }));
    let body = json!({ "label": "Tokyo", "oemBlacklist": "qemu, azure", "updatePercent": 5, "updatesPaused": true });
    let made = world.good("update.group.insert", &[APP], body).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 36, "an identifier is made if none is given");
    assert_eq!(
        (&made["oemBlacklist"], &made["updatePercent"], &made["updatesPaused"]),
        (&json!("qemu,azure"), &json!(5.0), &json!(true))
    );
    let changed = world
        .good(
            "update.group.update",
            &[APP, &id],
            json!({ "channelId": "stable", "label": "Kyoto" }),
        )
        .await;
    assert_eq!(
        (&changed["channelId"], &changed["label"], &changed["updatePercent"]),
        (&json!("stable"), &json!("Kyoto"), &json!(5.0))
    );
    assert_eq!(
        world.get("update.group.list", &[APP], "&limit=1").await["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(world.get("update.group.delete", &[APP, &id], "").await["label"], json!("Kyoto"));
    assert_eq!(
        world.get("update.group.list", &[APP], "").await["items"].as_array().map(Vec::len),
        Some(1)
    );
    let root = |action: &str| ("root".to_owned(), action.to_owned());
    assert_eq!(
        world.audited().await[..3],
        [root("group.delete"), root("group.update"), root("group.create")]
    );
}

/// The stock client reads the group, sets `updatesPaused` to false, and sends back what its JSON library does not leave out.
#[tokio::test]
async fn an_absent_boolean_is_false() {
    let world = World::furnished().await;
    let paused =
        world.good("update.group.patch", &[APP, "berlin"], json!({ "updatesPaused": true })).await;
    assert_eq!(paused["updatesPaused"], json!(true));
    let given = world.good("update.group.patch", &[APP, "berlin"], json!({})).await;
    assert_eq!(given["updatesPaused"], json!(false));
    assert_eq!(
        (&given["label"], &given["channelId"]),
        (&json!("Berlin"), &json!("stable")),
        "text stays"
    );
}

#[tokio::test]
async fn a_percentage_is_set_at_the_path_of_the_group() {
    let world = World::furnished().await;
    let set = world
        .good("update.group.percent.set", &[APP, "berlin"], json!({ "updatePercent": 12.5 }))
        .await;
    assert_eq!(set, json!({ "appId": APP, "id": "berlin", "updatePercent": 12.5 }));
    assert_eq!(
        world.get("update.group.percent.get", &[APP, "berlin"], "").await["updatePercent"],
        json!(12.5)
    );
    // Zero is left out by the stock client.
    let set = world.good("update.group.percent.set", &[APP, "berlin"], json!({})).await;
    assert_eq!(set["updatePercent"], json!(0.0));
    for percent in [-1, 101] {
        let body = Some(json!({ "updatePercent": percent }));
        world.bad("update.group.percent.set", &[APP, "berlin"], "", body, (400, "`percent`")).await;
    }
    world
        .bad("update.group.percent.set", &[APP, "nowhere"], "", None, (404, "there is no group"))
        .await;
}

#[tokio::test]
async fn groups_that_cannot_be() {
    let world = World::furnished().await;
    let insert = async |body, expected| {
        world.bad("update.group.insert", &[APP], "", Some(body), expected).await;
    };
    insert(json!({ "id": "berlin" }), (409, "already")).await;
    insert(json!({ "id": "a b" }), (400, "group id")).await;
    insert(json!({ "id": "x", "channelId": "nightly" }), (404, "there is no channel `nightly`"))
        .await;
    insert(json!({ "id": "x", "updatePercent": 101 }), (400, "`percent` is `101`")).await;
    for id in ["update.group.get", "update.group.update", "update.group.delete"] {
        world.bad(id, &[APP, "nowhere"], "", None, (404, "there is no group `nowhere`")).await;
    }
    let body = Some(json!({ "rolloutActive": true }));
    world
        .bad("update.group.update", &[APP, "berlin"], "", body, (400, "set a rollout first"))
        .await;
}
