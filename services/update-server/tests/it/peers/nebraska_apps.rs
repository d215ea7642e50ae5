//! Applications, packages and activity in Nebraska's API.

use super::world::{APP, As};
use super::{World, json};

#[tokio::test]
async fn an_application_is_made_changed_and_deleted() {
    let world = World::new().await;
    let body = json!({ "name": "Hosts", "description": "All", "product_id": "io.example.hosts" });
    let made = world.nebraska("POST", "/api/apps", Some(body), 200).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["name"], &made["product_id"], &made["instances"]),
        (&json!("Hosts"), &json!("io.example.hosts"), &json!({ "count": 0 }))
    );
    assert_eq!(world.nebraska("GET", &format!("/api/apps/{id}"), None, 200).await, made);
    assert_eq!(
        world.nebraska("GET", "/api/apps/io.example.hosts", None, 200).await,
        made,
        "by its product"
    );
    let body = json!({ "name": "Machines" });
    let changed = world.nebraska("PUT", &format!("/api/apps/{id}"), Some(body), 200).await;
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["product_id"]),
        (&json!("Machines"), &json!(""), &json!(""))
    );
    let list = world.nebraska("GET", "/api/apps?page=1&perpage=10", None, 200).await;
    assert_eq!(
        (&list["totalCount"], &list["count"], &list["applications"][0]),
        (&json!(1), &json!(1), &changed)
    );
    world.nebraska("DELETE", &format!("/api/apps/{id}"), None, 200).await;
    world.nebraska("GET", &format!("/api/apps/{id}"), None, 404).await;
    let root = |action: &str| ("root".to_owned(), action.to_owned());
    assert_eq!(
        world.audited().await[..3],
        [root("app.delete"), root("app.update"), root("app.create")]
    );
}

#[tokio::test]
async fn applications_that_cannot_be() {
    let world = World::new().await;
    world.nebraska("POST", "/api/apps", Some(json!({})), 400).await;
    world.nebraska("POST", "/api/apps", Some(json!({ "name": " " })), 400).await;
    world.nebraska("POST", "/api/apps", None, 400).await;
    world.nebraska("POST", "/api/apps?clone_from=nothing", Some(json!({ "name": "x" })), 404).await;
    world.nebraska("GET", "/api/apps?page=first", None, 400).await;
    world.nebraska("PUT", "/api/apps/nothing", Some(json!({ "name": "x" })), 404).await;
    world.nebraska("DELETE", "/api/apps/nothing", None, 404).await;
    for (verb, target) in [("GET", "/api/apps"), ("POST", "/api/apps"), ("GET", "/api/activity")] {
        let (status, answer) = world.send(As::Nobody, verb, target, None).await;
        assert_eq!((status, &answer["error"]), (401, &json!("unauthorized")));
    }
}

#[tokio::test]
async fn an_application_is_cloned_with_its_groups_and_channels() {
    let world = World::furnished().await;
    let clone = world
        .nebraska(
            "POST",
            &format!("/api/apps?clone_from={APP}"),
            Some(json!({ "name": "Copy" })),
            200,
        )
        .await;
    assert_eq!(
        (&clone["groups"][0]["name"], &clone["channels"][0]["name"]),
        (&json!("Berlin"), &json!("stable"))
    );
    assert_eq!(clone["groups"][0]["channel"]["id"], clone["channels"][0]["id"]);
    assert_eq!(clone["channels"][0]["package_id"], json!(null));
}

fn package(version: &str) -> serde_json::Value {
    json!({
        "application_id": APP, "arch": 0, "channels_blacklist": [], "description": "d", "filename": "update.gz",
        "hash": "AQEBAQEBAQEBAQEBAQEBAQEBAQE=", "size": "12", "url": "https://h.example/", "version": version, "type": 1,
        "flatcar_action": { "sha256": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=" },
    })
}

#[tokio::test]
async fn a_package_is_made_changed_and_deleted() {
    let world = World::furnished().await;
    let packages = format!("/api/apps/{APP}/packages");
    let made = world.nebraska("POST", &packages, Some(package("2.0.0")), 200).await;
    let one = format!("{packages}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        (&made["version"], &made["size"], &made["type"]),
        (&json!("2.0.0"), &json!("12"), &json!(1))
    );
    assert_eq!(world.nebraska("GET", &one, None, 200).await, made);
    let list = world.nebraska("GET", &packages, None, 200).await;
    assert_eq!(list["totalCount"], json!(3));
    let found = world.nebraska("GET", &format!("{packages}?searchVersion=2.0.0"), None, 200).await;
    assert_eq!(found["packages"], json!([made]));

    let channel = world.nebraska("GET", &format!("/api/apps/{APP}"), None, 200).await["channels"]
        [0]["id"]
        .clone();
    let mut body = package("2.0.0");
    body["channels_blacklist"] = json!([channel]);
    body["size"] = json!("13");
    let changed = world.nebraska("PUT", &one, Some(body), 200).await;
    assert_eq!(
        (&changed["channels_blacklist"], &changed["size"]),
        (&json!([channel]), &json!("13"))
    );
    let changed = world.nebraska("PUT", &one, Some(package("2.0.0")), 200).await;
    assert_eq!(changed["channels_blacklist"], json!([]));
    world.nebraska("DELETE", &one, None, 200).await;
    world.nebraska("GET", &one, None, 404).await;
}

#[tokio::test]
async fn packages_that_cannot_be() {
    let world = World::furnished().await;
    let packages = format!("/api/apps/{APP}/packages");
    let bad = async |name: &str, value: serde_json::Value, expected: u16| {
        let mut body = package("2.0.0");
        body[name] = value;
        world.nebraska("POST", &packages, Some(body), expected).await;
    };
    bad("version", json!("newest"), 400).await;
    bad("version", json!("1.0.0"), 409).await;
    bad("type", json!(9), 400).await;
    bad("arch", json!(9), 400).await;
    bad("size", json!("big"), 400).await;
    bad("channels_blacklist", json!(["nothing"]), 404).await;
    world.nebraska("GET", &format!("{packages}/nothing"), None, 404).await;
    world.nebraska("DELETE", &format!("{packages}/nothing"), None, 404).await;
    let list = world.nebraska("GET", &packages, None, 200).await;
    let one = format!("{packages}/{}", list["packages"][0]["id"].as_str().unwrap());
    world.nebraska("PUT", &one, Some(package("3.0.0")), 400).await;
}

#[tokio::test]
async fn activity_is_listed() {
    let world = World::furnished().await;
    world.good("update.channel.update", &[APP, "stable"], json!({ "version": "1.1.0" })).await;
    let span = "start=2026-11-25T00:00:00Z&end=2026-11-26T00:00:00Z";
    let list = world
        .nebraska("GET", &format!("/api/activity?{span}&appIDorProductID={APP}"), None, 200)
        .await;
    let newest = &list["activities"][0];
    assert_eq!(
        (&newest["class"], &newest["channel_name"], &newest["version"]),
        (&json!(6), &json!("stable"), &json!("1.1.0"))
    );
    assert_eq!(newest["application_name"], json!("Hosts"));
    let none = world
        .nebraska(
            "GET",
            "/api/activity?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z",
            None,
            200,
        )
        .await;
    assert_eq!(none["activities"], json!([]));
    world.nebraska("GET", "/api/activity?start=yesterday", None, 400).await;
    world.nebraska("GET", "/api/activity?severity=9", None, 400).await;
    world.nebraska("GET", "/api/activity?appIDorProductID=nothing", None, 404).await;
}

#[tokio::test]
async fn the_configuration_is_for_everybody() {
    let world = World::new().await;
    let (status, config) = world.send(As::Nobody, "GET", "/config", None).await;
    assert_eq!((status, &config["title"]), (200, &json!("Slipway")));
}
