//! Groups in Nebraska's API.

use serde_json::Value;

use super::world::APP;
use super::{World, json};

fn config() -> Value {
    json!({
        "name": "Tokyo", "description": "d", "policy_updates_enabled": true, "policy_safe_mode": true, "policy_office_hours": true,
        "policy_timezone": "Asia/Tokyo", "policy_period_interval": "15 minutes", "policy_max_updates_per_period": 2,
        "policy_update_timeout": "60 minutes", "track": "tokyo",
    })
}

#[tokio::test]
async fn a_group_is_made_changed_and_deleted() {
    let world = World::furnished().await;
    let groups = format!("/api/apps/{APP}/groups");
    let channel = world.nebraska("GET", &format!("/api/apps/{APP}"), None, 200).await["channels"]
        [0]["id"]
        .clone();
    let mut body = config();
    body["channel_id"] = channel.clone();
    let made = world.nebraska("POST", &groups, Some(body), 200).await;
    for (name, value) in config().as_object().unwrap() {
        let expected =
            if name == "policy_update_timeout" { json!("1 hours") } else { value.clone() };
        assert_eq!(made[name], expected, "{name}");
    }
    assert_eq!((&made["channel_id"], &made["channel"]["name"]), (&channel, &json!("stable")));
    let one = format!("{groups}/{}", made["id"].as_str().unwrap());
    assert_eq!(world.nebraska("GET", &one, None, 200).await, made);

    let mut body = config();
    body["policy_updates_enabled"] = json!(false);
    body["policy_max_updates_per_period"] = json!(900_000);
    let changed = world.nebraska("PUT", &one, Some(body), 200).await;
    assert_eq!(
        (&changed["policy_updates_enabled"], &changed["policy_max_updates_per_period"]),
        (&json!(false), &json!(900_000))
    );
    assert_eq!(changed["channel_id"], json!(null), "a channel that is left out is taken away");
    let list = world.nebraska("GET", &groups, None, 200).await;
    assert_eq!((&list["totalCount"], &list["count"]), (&json!(2), &json!(2)));
    world.nebraska("DELETE", &one, None, 200).await;
    world.nebraska("GET", &one, None, 404).await;
}

#[tokio::test]
async fn a_group_of_coreupdate_is_the_same_group() {
    let world = World::furnished().await;
    let group = world.nebraska("GET", &format!("/api/apps/{APP}/groups/berlin"), None, 200).await;
    assert_eq!((&group["name"], &group["track"]), (&json!("Berlin"), &json!("berlin")));
    let mut body = config();
    body["policy_updates_enabled"] = json!(false);
    world.nebraska("PUT", &format!("/api/apps/{APP}/groups/berlin"), Some(body), 200).await;
    assert_eq!(
        world.get("update.group.get", &[APP, "berlin"], "").await["updatesPaused"],
        json!(true)
    );
}

#[tokio::test]
async fn groups_that_cannot_be() {
    let world = World::furnished().await;
    let groups = format!("/api/apps/{APP}/groups");
    for (name, value, expected) in [
        ("name", json!(""), 400),
        ("name", json!("x".repeat(51)), 400),
        ("policy_period_interval", json!("soon"), 400),
        ("policy_update_timeout", json!("0 minutes"), 400),
        ("policy_timezone", json!("Moon/Sea"), 400),
        ("policy_max_updates_per_period", json!(-1), 400),
        ("channel_id", json!("nothing"), 404),
    ] {
        let mut body = config();
        body[name] = value;
        world.nebraska("POST", &groups, Some(body), expected).await;
    }
    world.nebraska("PUT", &format!("{groups}/nothing"), Some(config()), 404).await;
    world.nebraska("DELETE", &format!("{groups}/nothing"), None, 404).await;
    world.nebraska("GET", "/api/apps/nothing/groups", None, 404).await;
}
