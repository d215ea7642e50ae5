//! Packages in CoreUpdate's API.

use super::world::{APP, As, package};
use super::{World, json};

#[tokio::test]
async fn a_package_is_shown_as_it_was_described() {
    let world = World::furnished().await;
    let list = world.get("update.app.package.list", &[APP], "").await;
    assert_eq!(list["total"], json!(2));
    let mut expected = package("1.1.0");
    expected["appId"] = json!(APP);
    expected["version"] = json!("1.1.0");
    expected["required"] = json!(false);
    expected["dateCreated"] = json!("2026-11-25T22:00:00Z");
    assert!(list["items"].as_array().unwrap().contains(&expected), "{list}\n{expected}");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::furnished().await;
    let page = world.get("update.app.package.list", &[APP], "&limit=1&skip=1").await;
    assert_eq!((page["items"].as_array().map(Vec::len), &page["total"]), (Some(1), &json!(2)));
    let one = world.get("update.app.package.list", &[APP], "&version=1.0.0").await;
    assert_eq!((&one["items"][0]["version"], &one["total"]), (&json!("1.0.0"), &json!(1)));
    world
        .bad("update.app.package.list", &[APP], "&limit=many", None, (400, "`limit` is `many`"))
        .await;
    world
        .bad("update.app.package.list", &[APP], "&skip=-1", None, (400, "`skip` is negative"))
        .await;
}

#[tokio::test]
async fn packages_that_cannot_be() {
    let world = World::furnished().await;
    let bad = async |version: &str, change: &[(&str, &str)], expected: (u16, &str)| {
        let mut body = package("2.0.0");
        for (name, value) in change {
            body[*name] = json!(value);
        }
        world.bad("update.app.package.insert", &[APP, version], "", Some(body), expected).await;
    };
    bad("1.0.0", &[], (409, "already")).await;
    bad("newest", &[], (400, "version of three numbers")).await;
    bad("2.0.0", &[("size", "big")], (400, "`size` is `big`")).await;
    bad("2.0.0", &[("url", "update.gz")], (400, "is no URL")).await;
    bad("2.0.0", &[("url", "https://h.example/")], (400, "names no file")).await;
    bad("2.0.0", &[("sha256Sum", "abc")], (400, "SHA-256 in base64")).await;
    bad("2.0.0", &[("sha1Sum", "abc")], (400, "SHA-1 in base64")).await;
    world.bad("update.app.package.insert", &[APP, "2.0.0"], "", None, (400, "`url`")).await;
}

#[tokio::test]
async fn a_package_in_use_stays() {
    let world = World::furnished().await;
    world.bad("update.app.package.delete", &[APP, "1.0.0"], "", None, (409, "in use")).await;
    world
        .bad(
            "update.app.package.delete",
            &[APP, "9.9.9"],
            "",
            None,
            (404, "there is no package `9.9.9`"),
        )
        .await;
    assert_eq!(
        world.get("update.app.package.delete", &[APP, "1.1.0"], "").await["version"],
        json!("1.1.0")
    );
    assert_eq!(world.get("update.app.package.list", &[APP], "").await["total"], json!(1));
}

#[tokio::test]
async fn anybody_sees_what_published_channels_point_to() {
    let world = World::furnished().await;
    let (status, list) =
        world.call_as(As::Nobody, "update.app.package.publicList", &[], "", None).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&list["items"][0]["AppId"], list["items"][0]["packages"].as_array().map(Vec::len)),
        (&json!(APP), Some(1))
    );
    assert_eq!(list["items"][0]["packages"][0]["version"], json!("1.0.0"));
    world.good("update.channel.update", &[APP, "stable"], json!({ "version": "1.0.0" })).await;
    let (_, list) = world.call_as(As::Nobody, "update.app.package.publicList", &[], "", None).await;
    assert_eq!(list, json!({}), "the channel was withdrawn");
}
