//! Users of CoreUpdate's API.

use super::world::As;
use super::{World, json};

#[tokio::test]
async fn a_user_is_made_signs_and_goes() {
    let world = World::new().await;
    let made = world.good("update.admin.createUser", &[], json!({ "userName": "alice" })).await;
    let key = made["token"].as_str().unwrap().to_owned();
    assert_eq!(made["user"], json!("alice"));
    let list = async |key: &str| {
        world.call_as(As::Signer("alice", key), "update.admin.listUsers", &[], "", None).await
    };
    let (status, users) = list(&key).await;
    assert_eq!(
        (status, users),
        (200, json!({ "users": [{ "user": "alice" }, { "user": "root" }] }))
    );

    let renewed = world.good("update.admin.genToken", &["alice"], json!({})).await;
    assert_eq!(list(&key).await.0, 401, "the old key has ended");
    assert_eq!(list(renewed["token"].as_str().unwrap()).await.0, 200);

    assert_eq!(world.get("update.admin.getUser", &["alice"], "").await, json!({ "user": "alice" }));
    assert_eq!(
        world.get("update.admin.deleteUser", &["alice"], "").await,
        json!({ "user": "alice" })
    );
    assert_eq!(list(renewed["token"].as_str().unwrap()).await.0, 401);
    let root = |action: &str| ("root".to_owned(), action.to_owned());
    assert_eq!(
        world.audited().await[..3],
        [root("user.delete"), root("user.key"), root("user.create")]
    );
}

#[tokio::test]
async fn users_that_cannot_be() {
    let world = World::new().await;
    world.bad("update.admin.createUser", &[], "", Some(json!({})), (400, "user name")).await;
    world
        .bad(
            "update.admin.createUser",
            &[],
            "",
            Some(json!({ "userName": "a b" })),
            (400, "user name"),
        )
        .await;
    world
        .bad(
            "update.admin.createUser",
            &[],
            "",
            Some(json!({ "userName": "root" })),
            (409, "already"),
        )
        .await;
    for id in ["update.admin.getUser", "update.admin.deleteUser", "update.admin.genToken"] {
        world.bad(id, &["nobody"], "", None, (404, "there is no user `nobody`")).await;
    }
}

#[tokio::test]
async fn uuids_are_fresh() {
    let world = World::new().await;
    let one = world.get("update.util.uuid", &[], "").await;
    let other = world.get("update.util.uuid", &[], "").await;
    assert_eq!(one["uuid"].as_str().map(str::len), Some(36));
    assert_ne!(one, other);
}
