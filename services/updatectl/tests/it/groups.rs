//! Groups and rollouts.

use super::{APP, World};

const BERLIN: &str = "--app-id e96281a6-d1af-4bde-9a0a-97b76e56dc57 --group-id berlin";

/// The columns of a group's row.
async fn row(world: &World, line: &str) -> Vec<String> {
    let out = world.good(line).await;
    let row = out.lines().nth(1).unwrap().to_owned();
    row.split('\t').filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_group_is_paused_and_given_updates_again() {
    let world = World::furnished().await;
    let header = world.good(&format!("group list --app-id {APP}")).await;
    let names: Vec<&str> =
        header.lines().next().unwrap().split('\t').filter(|name| !name.is_empty()).collect();
    assert_eq!(
        names,
        ["Label", "App", "Channel", "Id", "Updates Paused", "Percent", "Rollout Active"]
    );
    let expected =
        |paused: &'static str| vec!["Berlin", APP, "stable", "berlin", paused, "100", "false"];
    assert_eq!(row(&world, &format!("group list --app-id {APP}")).await, expected("false"));
    assert_eq!(row(&world, &format!("group pause {BERLIN}")).await, expected("true"));
    assert_eq!(row(&world, &format!("group unpause {BERLIN}")).await, expected("false"));
    let percent = world.good(&format!("group percent {BERLIN} --update-percent 12.5")).await;
    assert_eq!(percent, "update percent set to 12.5\n");
    world.bad(&format!("group percent {BERLIN} --update-percent 101"), 1, "`percent`").await;
}

#[tokio::test]
async fn what_is_not_given_stays() {
    let world = World::furnished().await;
    world.good(&format!("group pause {BERLIN}")).await;
    world.good(&format!("group percent {BERLIN} --update-percent 7")).await;
    let changed =
        row(&world, &format!("group update {BERLIN} --label Potsdam --oem-blacklist qemu")).await;
    assert_eq!(changed, ["Potsdam", APP, "stable", "berlin", "true", "7", "false"]);
    let group = world.json(&format!("group delete {BERLIN}")).await;
    assert_eq!(group["oemBlacklist"], "qemu");
    world.bad(&format!("group pause {BERLIN}"), 1, "there is no group").await;
}

#[tokio::test]
async fn a_rollout_is_made_stopped_and_started() {
    let world = World::furnished().await;
    let linear =
        world.good(&format!("rollout create linear {BERLIN} --duration 120 --frame-size 60")).await;
    assert_eq!(linear, "rollout set\n");
    let shown = world.good(&format!("rollout {BERLIN}")).await;
    assert_eq!(
        shown,
        "rollout:\nFrame 0:\tPercent:\t50.000000\n\t\tDuration:\t60\nFrame 1:\tPercent:\t100.000000\n\t\tDuration:\t60\n\
         Frame 2:\tPercent:\t100.000000\n\t\tDuration:\t0\n"
    );
    assert_eq!(row(&world, &format!("group list --app-id {APP}")).await[5..], ["50", "true"]);
    // Pausing does not end a rollout.
    world.good(&format!("group pause {BERLIN}")).await;
    assert_eq!(world.good(&format!("rollout deactivate {BERLIN}")).await, "rollout deactivated\n");
    assert_eq!(
        row(&world, &format!("group list --app-id {APP}")).await[4..],
        ["true", "50", "false"]
    );
    assert_eq!(world.good(&format!("rollout activate {BERLIN}")).await, "rollout activated\n");
    world
        .bad(
            &format!("rollout create linear {BERLIN} --duration 4000000 --frame-size 1"),
            2,
            "--frame-size",
        )
        .await;
    world.bad("rollout", 2, "--app-id").await;
}

#[tokio::test]
async fn counts_over_time_begin_empty() {
    let world = World::furnished().await;
    assert_eq!(
        world.good(&format!("group versions {BERLIN}")).await,
        "Version\tTimestamp\tCount\n"
    );
    let events = world.good(&format!("group events {BERLIN} --resolution 3600")).await;
    assert_eq!(events, "Version\tType\tResult\tTimestamp\tCount\n");
    world.bad(&format!("group events {BERLIN} --resolution 7"), 1, "`resolution`").await;
}
