//! Channels and floors in Nebraska's API.

use serde_json::Value;

use super::world::APP;
use super::{World, json};

async fn ids(world: &World) -> (String, Vec<String>) {
    let app = world.nebraska("GET", &format!("/api/apps/{APP}"), None, 200).await;
    let packages = world.nebraska("GET", &format!("/api/apps/{APP}/packages"), None, 200).await;
    let mut packages: Vec<Value> = packages["packages"].as_array().unwrap().clone();
    packages.sort_by_key(|package| package["version"].to_string());
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    (id(&app["channels"][0]), packages.iter().map(id).collect())
}

#[tokio::test]
async fn a_channel_is_made_moved_and_deleted() {
    let world = World::furnished().await;
    let (_, packages) = ids(&world).await;
    let channels = format!("/api/apps/{APP}/channels");
    let body = json!({ "application_id": APP, "arch": 0, "color": "#ff0000", "name": "beta", "package_id": packages[0] });
    let made = world.nebraska("POST", &channels, Some(body), 200).await;
    let one = format!("{channels}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        (&made["name"], &made["color"], &made["package"]["version"]),
        (&json!("beta"), &json!("#ff0000"), &json!("1.0.0"))
    );
    assert_eq!(world.nebraska("GET", &one, None, 200).await, made);
    let body = json!({ "application_id": APP, "arch": 0, "color": "#00ff00", "name": "gamma", "package_id": packages[1] });
    let moved = world.nebraska("PUT", &one, Some(body), 200).await;
    assert_eq!((&moved["name"], &moved["package"]["version"]), (&json!("gamma"), &json!("1.1.0")));
    let list = world.nebraska("GET", &format!("{channels}?perpage=1&page=2"), None, 200).await;
    assert_eq!((&list["totalCount"], &list["count"]), (&json!(2), &json!(1)));
    world.nebraska("DELETE", &one, None, 200).await;
    world.nebraska("GET", &one, None, 404).await;
}

#[tokio::test]
async fn channels_that_cannot_be() {
    let world = World::furnished().await;
    let (stable, _) = ids(&world).await;
    let channels = format!("/api/apps/{APP}/channels");
    let post =
        async |body: Value, expected| world.nebraska("POST", &channels, Some(body), expected).await;
    post(json!({ "name": "" }), 400).await;
    post(json!({ "name": "stable" }), 409).await;
    post(json!({ "name": "x", "arch": 7 }), 400).await;
    post(json!({ "name": "x", "package_id": "nothing" }), 404).await;
    world.nebraska("GET", &format!("{channels}/nothing"), None, 404).await;
    world.nebraska("DELETE", &format!("{channels}/{stable}"), None, 409).await;
    // A channel is not to be found under another application.
    let other = world.nebraska("POST", "/api/apps", Some(json!({ "name": "Other" })), 200).await;
    let path = format!("/api/apps/{}/channels/{stable}", other["id"].as_str().unwrap());
    world.nebraska("GET", &path, None, 404).await;
    world.nebraska("DELETE", &path, None, 404).await;
}

#[tokio::test]
async fn floors_are_set_listed_and_removed() {
    let world = World::furnished().await;
    let (stable, packages) = ids(&world).await;
    let floors = format!("/api/channels/{stable}/floors");
    let floor = format!("{floors}/{}", packages[0]);
    world.nebraska("PUT", &floor, Some(json!({ "floor_reason": "new keys" })), 200).await;
    world.nebraska("POST", &format!("{floors}/{}", packages[1]), None, 200).await;
    let list = world.nebraska("GET", &floors, None, 200).await;
    assert_eq!(
        (&list["total_count"], &list["current_page"], &list["last_page"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let first = &list["packages"][0];
    assert_eq!(
        (&first["version"], &first["is_floor"], &first["floor_reason"]),
        (&json!("1.0.0"), &json!(true), &json!("new keys"))
    );
    let path = format!("/api/apps/{APP}/packages/{}/floor-channels", packages[0]);
    let listed = world.nebraska("GET", &path, None, 200).await;
    assert_eq!(
        (&listed["count"], &listed["channels"][0]["floor_reason"]),
        (&json!(1), &json!("new keys"))
    );
    world.nebraska("DELETE", &floor, None, 200).await;
    world.nebraska("DELETE", &floor, None, 404).await;
}

#[tokio::test]
async fn floors_that_cannot_be() {
    let world = World::furnished().await;
    let (stable, packages) = ids(&world).await;
    let reason = json!({ "floor_reason": "x".repeat(501) });
    world
        .nebraska(
            "PUT",
            &format!("/api/channels/{stable}/floors/{}", packages[0]),
            Some(reason),
            400,
        )
        .await;
    world.nebraska("PUT", &format!("/api/channels/{stable}/floors/nothing"), None, 404).await;
    world
        .nebraska("PUT", &format!("/api/channels/nothing/floors/{}", packages[0]), None, 404)
        .await;
    world.nebraska("GET", "/api/channels/nothing/floors", None, 404).await;
}
