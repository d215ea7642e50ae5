//! Applications, channels and users.

use super::{APP, World};

#[tokio::test]
async fn applications_are_shown_as_the_ancestor_did() {
    let world = World::new().await;
    let made =
        world.good(&format!("app create --app-id {APP} --label Hosts --description All")).await;
    let id = "\t\t\t\t\t";
    let header = format!("Id{id}Label\tDescription\n");
    assert_eq!(made, format!("{header}{APP}\tHosts\tAll\n"));
    assert_eq!(world.good("app list").await, made);
    let changed =
        world.good(&format!("app update --app-id {APP} --label Machines --description Some")).await;
    assert_eq!(changed, format!("Id{id}Label\t\tDescription\n{APP}\tMachines\tSome\n"));
    assert_eq!(world.good(&format!("app delete --app-id {APP}")).await, changed);
    assert_eq!(world.good("app list").await, "Id\tLabel\tDescription\n");
    let fresh = world.json("app create --label x").await;
    assert_eq!(fresh["id"].as_str().map(str::len), Some(36));
}

#[tokio::test]
async fn channels_are_made_moved_and_deleted() {
    let world = World::furnished().await;
    let list = world.good(&format!("channel list --app-id {APP}")).await;
    assert_eq!(list, "Label\tVersion\tPublish\tUpstream\nstable\t1.0.0\ttrue\t\n");
    let moved = world
        .good(&format!(
            "channel update --app-id {APP} --channel stable --version 1.1.0 --publish=false"
        ))
        .await;
    assert_eq!(moved, "Label\tVersion\tPublish\tUpstream\nstable\t1.1.0\tfalse\t\n");
    world.good(&format!("channel create --app-id {APP} --channel beta --version 1.0.0")).await;
    let gone = world.good(&format!("channel delete --app-id {APP} --channel beta")).await;
    assert_eq!(gone, format!("deleted channel: beta, for application: {APP}\n"));
    world.bad(&format!("channel delete --app-id {APP} --channel stable"), 1, "in use").await;
}

#[tokio::test]
async fn users_get_keys_that_work() {
    let world = World::new().await;
    let made = world.json("admin-user create alice").await;
    let key = made["token"].as_str().unwrap();
    let variables = [
        ("UPDATECTL_SERVER", world.base.as_str()),
        ("UPDATECTL_USER", "alice"),
        ("UPDATECTL_KEY", key),
    ];
    assert_eq!(world.run_with(&variables, "admin-user list").await.out, "User\nalice\nroot\n");
    assert!(world.good("admin-user renew alice").await.starts_with("User\tToken\nalice\t"));
    assert_eq!(
        world.run_with(&variables, "admin-user list").await.code,
        1,
        "the old key has ended"
    );
    assert_eq!(world.good("admin-user delete alice").await, "User alice deleted\n");
}
