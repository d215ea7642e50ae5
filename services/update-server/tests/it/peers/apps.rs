//! Applications in CoreUpdate's API.

use super::world::{APP, As};
use super::{World, json};

#[tokio::test]
async fn an_application_is_made_changed_and_deleted() {
    let world = World::new().await;
    let body = json!({ "id": APP, "label": "Hosts", "description": "All" });
    assert_eq!(world.good("update.app.insert", &[], body.clone()).await, body);
    assert_eq!(world.get("update.app.get", &[APP], "").await, body);
    assert_eq!(
        world.get("update.app.get", &[&format!("{{{APP}}}")], "").await,
        body,
        "braces do not matter"
    );
    assert_eq!(world.get("update.app.list", &[], "").await, json!({ "items": [body] }));
    // What is not said stays.
    let changed = world.good("update.app.update", &[APP], json!({ "label": "Machines" })).await;
    assert_eq!(changed, json!({ "id": APP, "label": "Machines", "description": "All" }));
    assert_eq!(world.good("update.app.patch", &[APP], json!({})).await, changed);
    assert_eq!(world.get("update.app.delete", &[APP], "").await, changed);
    assert_eq!(world.get("update.app.list", &[], "").await, json!({}));
    let root = |action: &str| ("root".to_owned(), action.to_owned());
    let audited = world.audited().await;
    assert_eq!(
        audited[..4],
        [root("app.delete"), root("app.update"), root("app.update"), root("app.create")]
    );
}

#[tokio::test]
async fn an_identifier_is_made_if_none_is_given() {
    let world = World::new().await;
    let made = world.good("update.app.insert", &[], json!({})).await;
    assert_eq!(made["id"].as_str().map(str::len), Some(36));
    assert_eq!(made["label"], made["id"]);
}

#[tokio::test]
async fn applications_that_cannot_be() {
    let world = World::furnished().await;
    world.bad("update.app.insert", &[], "", Some(json!({ "id": APP })), (409, "already")).await;
    world
        .bad("update.app.insert", &[], "", Some(json!({ "id": "a b" })), (400, "application id"))
        .await;
    world
        .bad("update.app.insert", &[], "", Some(json!({ "label": 7 })), (400, "cannot be read"))
        .await;
    for id in [
        "update.app.get",
        "update.app.update",
        "update.app.delete",
        "update.group.list",
        "update.channel.list",
    ] {
        world.bad(id, &["nothing"], "", None, (404, "there is no application `nothing`")).await;
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let world = World::new().await;
    let (status, document) =
        world.send(As::Nobody, "GET", "/_ah/api/discovery/v1/apis/update/v1/rest", None).await;
    assert_eq!(status, 200);
    assert_eq!(document["baseUrl"], json!(format!("{}/_ah/api/update/v1/", world.base)));
}
