//! Instances and counts in Nebraska's API, after machines have asked over Omaha.

use super::world::APP;
use super::{World, json};

const GROUP: &str = "/api/apps/e96281a6-d1af-4bde-9a0a-97b76e56dc57/groups/berlin";

async fn asked() -> World {
    let world = World::furnished().await;
    world.good("update.channel.update", &[APP, "stable"], json!({ "version": "1.1.0" })).await;
    world.omaha("one", "1.1.0", "qemu", r#"<ping active="1"/><updatecheck/>"#).await;
    world.omaha("two", "1.0.0", "ami", r#"<ping active="1"/><updatecheck/>"#).await;
    world.omaha("two", "1.0.0", "ami", r#"<event eventtype="13" eventresult="1"/>"#).await;
    world
}

#[tokio::test]
async fn instances_are_listed_filtered_and_counted() {
    let world = asked().await;
    let check = async |query: &str, expected: &[&str]| {
        let list = world
            .nebraska("GET", &format!("{GROUP}/instances?duration=1d{query}"), None, 200)
            .await;
        let mut found: Vec<_> = list["instances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|instance| instance["id"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{query}");
        assert_eq!(list["total"], json!(expected.len()), "{query}");
    };
    check("&status=0", &["one", "two"]).await;
    check("&status=7", &["two"]).await;
    check("&status=3", &[]).await;
    check("&status=0&version=1.1.0", &["one"]).await;
    check("&status=0&searchFilter=All&searchValue=TW", &["two"]).await;
    check("&status=0&sortFilter=0&sortOrder=0", &["one", "two"]).await;
    let count =
        world.nebraska("GET", &format!("{GROUP}/instancescount?duration=1h"), None, 200).await;
    assert_eq!(count, json!({ "count": 2 }));
}

#[tokio::test]
async fn one_instance_its_history_and_its_alias() {
    let world = asked().await;
    let one = format!("{GROUP}/instances/two");
    let instance = world.nebraska("GET", &one, None, 200).await;
    let app = &instance["application"];
    assert_eq!(
        (&app["status"], &app["version"], &app["last_update_version"]),
        (&json!(7), &json!("1.0.0"), &json!("1.1.0"))
    );
    assert_eq!(app["update_in_progress"], json!(true));
    let history = world.nebraska("GET", &format!("{one}/status_history?limit=1"), None, 200).await;
    assert_eq!(
        (&history[0]["status"], &history[0]["version"], history.as_array().map(Vec::len)),
        (&json!(7), &json!("1.1.0"), Some(1))
    );
    world.nebraska("PUT", "/api/instances/two", Some(json!({ "alias": "rack7" })), 200).await;
    assert_eq!(world.nebraska("GET", &one, None, 200).await["alias"], json!("rack7"));
    world.nebraska("PUT", "/api/instances/nobody", Some(json!({ "alias": "x" })), 404).await;
    world.nebraska("PUT", "/api/instances/two", Some(json!({ "alias": "a\nb" })), 400).await;
    world.nebraska("PUT", "/api/instances/two", None, 400).await;
    world.nebraska("GET", &format!("{GROUP}/instances/nobody"), None, 404).await;
    world.nebraska("GET", &format!("{GROUP}/instances/nobody/status_history"), None, 404).await;
}

#[tokio::test]
async fn states_and_versions_are_counted() {
    let world = asked().await;
    let stats =
        world.nebraska("GET", &format!("{GROUP}/instances_stats?duration=1d"), None, 200).await;
    assert_eq!(
        (&stats["total"], &stats["downloading"], &stats["error"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let breakdown = world.nebraska("GET", &format!("{GROUP}/version_breakdown"), None, 200).await;
    let entry = |version: &str| json!({ "version": version, "instances": 1, "percentage": 50.0 });
    assert_eq!(breakdown, json!([entry("1.0.0"), entry("1.1.0")]));
    world.clock.turn(10);
    let versions =
        world.nebraska("GET", &format!("{GROUP}/version_timeline?duration=1h"), None, 200).await;
    assert_eq!(versions, json!({ "2026-11-25T22:00:00Z": { "1.0.0": 1, "1.1.0": 1 } }));
    let states =
        world.nebraska("GET", &format!("{GROUP}/status_timeline?duration=1h"), None, 200).await;
    assert_eq!(states["2026-11-25T22:00:00Z"]["7"], json!({ "": 1 }));
}

#[tokio::test]
async fn questions_that_make_no_sense() {
    let world = World::furnished().await;
    for path in [
        "instances?status=9&duration=1d",
        "instances?status=0&duration=soon",
        "instancescount?duration=0d",
        "version_timeline?duration=x",
    ] {
        world.nebraska("GET", &format!("{GROUP}/{path}"), None, 400).await;
    }
    let nowhere = format!("/api/apps/{APP}/groups/nowhere");
    for path in [
        "instances?status=0&duration=1d",
        "instances_stats?duration=1d",
        "status_timeline?duration=1d",
        "version_breakdown",
    ] {
        world.nebraska("GET", &format!("{nowhere}/{path}"), None, 404).await;
    }
}
