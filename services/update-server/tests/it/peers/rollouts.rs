//! Rollouts in CoreUpdate's API.

use super::world::APP;
use super::{World, json};

const BERLIN: [&str; 2] = [APP, "berlin"];

#[tokio::test]
async fn frames_are_set_followed_and_left() {
    let world = World::furnished().await;
    let frames = json!([{ "duration": "60", "percent": 25.0 }, { "duration": "60", "percent": 75.0 }, { "percent": 100.0 }]);
    let set = world.good("update.group.rollout.set", &BERLIN, json!({ "rollout": frames })).await;
    let expected = json!({ "appId": APP, "groupId": "berlin", "rollout": frames });
    assert_eq!(set, expected);
    assert_eq!(world.get("update.group.rollout.get", &BERLIN, "").await, expected);
    let percent =
        async || world.get("update.group.get", &BERLIN, "").await["updatePercent"].clone();
    assert_eq!(percent().await, json!(25.0), "setting starts");
    world.clock.turn(61);
    assert_eq!(percent().await, json!(75.0));
    let active = world.get("update.group.rollout.active.get", &BERLIN, "").await;
    assert_eq!(active, json!({ "active": true, "appId": APP, "groupId": "berlin" }));

    let stopped = world.good("update.group.rollout.active.set", &BERLIN, json!({})).await;
    assert_eq!(stopped, json!({ "appId": APP, "groupId": "berlin" }));
    world.clock.turn(600);
    assert_eq!(percent().await, json!(75.0), "whoever may have it keeps it");
    world.good("update.group.rollout.active.set", &BERLIN, json!({ "active": true })).await;
    assert_eq!(percent().await, json!(25.0), "it starts anew");
    world.good("update.group.percent.set", &BERLIN, json!({ "updatePercent": 3 })).await;
    let group = world.get("update.group.get", &BERLIN, "").await;
    assert_eq!(
        (&group["updatePercent"], &group["rolloutActive"]),
        (&json!(3.0), &json!(false)),
        "by hand wins"
    );
}

#[tokio::test]
async fn pausing_a_rolling_group_as_the_stock_client_does_keeps_its_frames() {
    let world = World::furnished().await;
    let frames = json!([{ "duration": "60", "percent": 25.0 }, { "percent": 100.0 }]);
    // The published schema nests the frames.
    world
        .good("update.group.rollout.set", &BERLIN, json!({ "Rollout": { "rollout": frames } }))
        .await;
    let mut group = world.get("update.group.get", &BERLIN, "").await;
    group["updatesPaused"] = json!(true);
    let paused = world.good("update.group.update", &BERLIN, group.clone()).await;
    assert_eq!(paused, group);
    world.clock.turn(61);
    assert_eq!(world.get("update.group.get", &BERLIN, "").await["updatePercent"], json!(100.0));
}

#[tokio::test]
async fn rollouts_that_cannot_be() {
    let world = World::furnished().await;
    let set = async |body, expected| {
        world.bad("update.group.rollout.set", &BERLIN, "", Some(body), expected).await;
    };
    set(json!({}), (400, "1 to")).await;
    set(
        json!({ "rollout": [{ "percent": 1 }, { "duration": "60", "percent": 2 }] }),
        (400, "frame 0"),
    )
    .await;
    set(json!({ "rollout": [{ "duration": "-1", "percent": 1 }] }), (400, "frame 0")).await;
    set(
        json!({ "rollout": [{ "duration": "60", "percent": 101 }] }),
        (400, "rollout.frames.percent"),
    )
    .await;
    set(json!({ "rollout": [{ "duration": "soon", "percent": 1 }] }), (400, "cannot be read"))
        .await;
    let body = Some(json!({ "active": true }));
    world
        .bad("update.group.rollout.active.set", &BERLIN, "", body, (400, "no frames to follow"))
        .await;
    for id in ["update.group.rollout.get", "update.group.rollout.active.get"] {
        world.bad(id, &[APP, "nowhere"], "", None, (404, "there is no group")).await;
    }
    assert_eq!(
        world.get("update.group.rollout.get", &BERLIN, "").await,
        json!({ "appId": APP, "groupId": "berlin" })
    );
}
