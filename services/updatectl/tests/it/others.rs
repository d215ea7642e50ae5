//! Upstreams, the database, and what only `/api/v2` knows.

use slipway_update_server::store::Store;

use super::{APP, World};

#[tokio::test]
async fn upstreams_are_made_and_synchronised() {
    let upstream = World::furnished().await;
    let world = World::new().await;
    world.good(&format!("app create --app-id {APP}")).await;
    let made = world.good(&format!("upstream create --url {} --label public", upstream.base)).await;
    assert!(
        made.starts_with("Id\tUrl\t") && made.contains(&format!("1\t{}", upstream.base)),
        "{made}"
    );
    let done = world.good("upstream sync").await;
    assert!(done.starts_with("Status: ok\nDetail: "), "{done}");
    let list = world.good(&format!("channel list --app-id {APP}")).await;
    assert_eq!(list.lines().nth(1), Some("stable\t1.0.0\tfalse\t1"));
    world.good("upstream update --id 1 --url http://127.0.0.1:9 --label gone").await;
    world.bad("upstream sync", 1, "some upstreams could not be synchronised").await;
    world.good("upstream delete --id 1").await;
    assert_eq!(world.good("upstream list").await, "Id\tUrl\tLabel\n");
}

#[tokio::test]
async fn the_database_is_saved() {
    let world = World::furnished().await;
    assert_eq!(world.good("database init").await, "ok\n");
    world.good("database backup copy.sqlite").await;
    let copy = Store::open(&format!("sqlite:{}", world.path().join("copy.sqlite").display()), 2)
        .await
        .unwrap();
    assert_eq!(copy.apps().await.unwrap(), world.store.apps().await.unwrap());
    world.bad("database backup copy.sqlite", 1, "cannot write the backup").await;
}

#[tokio::test]
async fn a_token_opens_what_coreupdate_does_not_know() {
    let world = World::furnished().await;
    let token = world.token().await;
    let variables =
        [("UPDATECTL_SERVER", world.base.as_str()), ("UPDATECTL_TOKEN", token.as_str())];
    let audit = world.run_with(&variables, "audit --limit 5").await;
    assert_eq!(audit.code, 0, "{audit:?}");
    assert!(audit.out.starts_with("Time\t") && audit.out.contains("group.create"), "{audit:?}");
    world.good(&format!("instance fake --app-id {APP} --group-id berlin --clients-per-app 1 --min-sleep 0 --max-sleep 0 --step-sleep 0 --version 1.0.0 --checks 1")).await;
    let machine =
        world.json(&format!("instance list-updates --app-id {APP}")).await["items"][0]["clientId"]
            .clone();
    let line =
        format!("explain --app-id {APP} --group-id berlin --machine {}", machine.as_str().unwrap());
    let explained = world.run_with(&variables, &line).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.out.lines().count() > 1, "{explained:?}");
    assert_eq!(
        world.run_with(&variables, "app list").await.code,
        0,
        "a token will do for everything"
    );
}
