//! Instances in CoreUpdate's API, after they have asked over Omaha.

use super::world::{APP, As, NOW};
use super::{World, json};

/// A furnished server that two machines have asked; the second was granted an update and failed.
async fn asked() -> World {
    let world = World::furnished().await;
    world.good("update.channel.update", &[APP, "stable"], json!({ "version": "1.1.0" })).await;
    world.omaha("one", "1.1.0", "qemu", r#"<ping active="1"/><updatecheck/>"#).await;
    world.clock.turn(60);
    world.omaha("two", "1.0.0", "ami", r#"<ping active="1"/><updatecheck/>"#).await;
    world.omaha("two", "1.0.0", "ami", r#"<event eventtype="13" eventresult="1"/>"#).await;
    world
        .omaha(
            "two",
            "1.0.0",
            "ami",
            r#"<event eventtype="3" eventresult="0" errorcode="268435466"/>"#,
        )
        .await;
    world
}

#[tokio::test]
async fn instances_are_listed_the_last_heard_of_first() {
    let world = asked().await;
    let list = world.get("update.clientupdate.list", &[], "").await;
    let expected = json!({
        "appId": APP, "clientId": "two", "errorCode": "10", "eventResult": "0", "eventType": "3", "groupId": "berlin",
        "lastSeen": "2026-11-25T22:01:00Z", "oem": "ami", "version": "1.0.0",
    });
    assert_eq!(list["items"][0], expected);
    assert_eq!(list["items"][1]["clientId"], json!("one"));
}

#[tokio::test]
async fn instances_are_filtered_and_counted() {
    let world = asked().await;
    let check = async |query: &str, expected: i64| {
        let count = world.get("update.clientupdate.count", &[], query).await;
        assert_eq!(count, json!({ "count": expected }), "{query}");
        let list = world.get("update.clientupdate.list", &[], query).await;
        let length = list["items"].as_array().map_or(0, Vec::len);
        assert_eq!(i64::try_from(length).unwrap(), expected, "{query}");
        let versions = world.get("update.appversion.list", &[], query).await;
        let sum = versions["items"]
            .as_array()
            .map_or(0, |items| items.iter().filter_map(|item| item["count"].as_i64()).sum());
        assert_eq!(sum, expected, "{query}");
    };
    check("", 2).await;
    check(&format!("&appId={APP}&groupId=berlin"), 2).await;
    check("&groupId=tokyo", 0).await;
    check("&version=1.0.0", 1).await;
    check("&oem=qemu", 1).await;
    check("&eventType=3&eventResult=0", 1).await;
    check(&format!("&dateStart={}", NOW + 30), 1).await;
    check(&format!("&dateEnd={}", NOW + 30), 1).await;
    // The stock client sends zeros and empty texts for what was not said.
    check("&dateStart=0&dateEnd=0&groupId=&appId=", 2).await;
}

#[tokio::test]
async fn versions_are_counted_by_group() {
    let world = asked().await;
    let versions = world.get("update.appversion.list", &[], &format!("&appId={APP}")).await;
    let item = |version: &str| json!({ "appId": APP, "count": 1, "groupId": "berlin", "version": version });
    let items = versions["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.contains(&item("1.0.0")) && items.contains(&item("1.1.0")), "{versions}");
}

#[tokio::test]
async fn the_history_of_an_instance() {
    let world = asked().await;
    let history = world.get("update.client.history", &[], "&clientId=two").await;
    let newest = json!({
        "dateTime": (NOW + 60).to_string(), "errorCode": "10", "eventResult": "0", "eventType": "3", "groupId": "berlin",
        "installSource": "scheduler", "version": "1.0.0",
    });
    assert_eq!(history["items"][0], newest);
    assert_eq!(world.get("update.client.history", &[], "&clientId=nobody").await, json!({}));
    world.bad("update.client.history", &[], "", None, (400, "lacks `clientId`")).await;
}

#[tokio::test]
async fn checks_and_events_are_counted_over_time() {
    let world = asked().await;
    let values = [APP, "berlin", "0", "0"];
    let versions =
        world.get("update.group.requests.versions.rollup", &values, "&resolution=3600").await;
    let hour = (NOW / 3600 * 3600).to_string();
    let line = |version: &str| json!({ "version": version, "values": [{ "count": "1", "timestamp": hour }] });
    assert_eq!(versions, json!({ "items": [line("1.0.0"), line("1.1.0")] }));
    let one = world
        .get("update.group.requests.versions.rollup", &values, "&resolution=3600&versions=1.1.0,9")
        .await;
    assert_eq!(one, json!({ "items": [line("1.1.0")] }));
    let events = world.get("update.group.requests.events.rollup", &values, "").await;
    let minute = (NOW + 60).to_string();
    let line = |kind: &str, result: &str| json!({ "version": "1.0.0", "type": kind, "result": result, "values": [{ "count": "1", "timestamp": minute }] });
    let items = events["items"].as_array().unwrap();
    assert!(items.contains(&line("13", "1")) && items.contains(&line("3", "0")), "{events}");
    // Not more than 10,080 steps before the end are counted.
    let late = (NOW + 10_081 * 60 + 60).to_string();
    let late = [APP, "berlin", "0", &late];
    let short = world.get("update.group.requests.events.rollup", &late, "").await;
    assert_eq!(short, json!({}));
    let long = world.get("update.group.requests.events.rollup", &late, "&resolution=3600").await;
    assert!(long["items"].is_array(), "{long}");
    let before = [APP, "berlin", "1", "2"];
    assert_eq!(world.get("update.group.requests.events.rollup", &before, "").await, json!({}));
}

#[tokio::test]
async fn questions_that_make_no_sense() {
    let world = World::furnished().await;
    let list = "update.clientupdate.list";
    world.bad(list, &[], "&appId=nothing", None, (404, "there is no application `nothing`")).await;
    world.bad(list, &[], "&eventType=boot", None, (400, "`eventType` is `boot`")).await;
    world.bad(list, &[], "&dateStart=99999999999999", None, (400, "which is no time")).await;
    for id in ["update.group.requests.versions.rollup", "update.group.requests.events.rollup"] {
        world
            .bad(
                id,
                &[APP, "berlin", "0", "0"],
                "&resolution=7",
                None,
                (400, "`resolution` is `7`"),
            )
            .await;
        world
            .bad(id, &[APP, "berlin", "noon", "0"], "", None, (400, "`dateStart` is `noon`"))
            .await;
        world.bad(id, &[APP, "nowhere", "0", "0"], "", None, (404, "there is no group")).await;
    }
    for id in [list, "update.clientupdate.count", "update.appversion.list", "update.client.history"]
    {
        assert_eq!(world.call_as(As::Nobody, id, &[], "&clientId=x", None).await.0, 401, "{id}");
    }
}
