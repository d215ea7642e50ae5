//! From version to version, and back.

use slipway_update_engine::{Ask, Asked, Depth, Done, Origin, Status};

use crate::{
    machine::{World, by_timer, host},
    repository::Images,
};

#[tokio::test]
async fn three_versions_by_full_and_by_delta() {
    let mut world = World::new().await;
    let old = world.old.clone();
    let second = Images::new("4.1.0");
    let record = world.publisher.release(&second, &[]).await;
    world.server.offer(Some("4.1.0"));
    let done = world.machine.update().await.unwrap();
    assert_eq!(done, Done::Installed("4.1.0".parse().unwrap()));
    let full = world.server.sent();
    assert!(full as u64 >= record.artefacts["full"].length);
    assert_eq!(world.server.events(), ["3/2 from '0.0.0.0'", "13/1", "14/1", "3/1"],);
    assert_eq!(world.machine.ukis(), ["slipway-4.0.0.efi", "slipway-4.1.0+3.efi"]);
    assert!(world.machine.boots(&old) && world.machine.boots(&second));

    // While it waits for its reboot, there is nothing but a sign of life.
    assert_eq!(world.machine.update().await.unwrap(), Done::Waiting);
    assert_eq!(world.server.events(), [""; 0]);

    world.machine.reboot_into(&second);
    let third = Images::new("4.2.0");
    world.publisher.release(&third, &[&second, &old]).await;
    world.server.offer(Some("4.2.0"));
    world.machine.update().await.unwrap();
    let delta = world.server.sent();
    assert!(delta * 50 < full, "{delta} bytes of a delta, {full} of a full payload");
    assert_eq!(world.server.events(), ["3/2 from '4.0.0'", "13/1", "14/1", "3/1"],);
    assert_eq!(world.machine.ukis(), ["slipway-4.1.0.efi", "slipway-4.2.0+3.efi"]);
    world.machine.reboot_into(&third);
    world.server.offer(None);
    assert_eq!(world.machine.update().await.unwrap(), Done::NoUpdate);
    assert_eq!(world.server.events(), ["3/2 from '4.1.0'"]);
}

#[tokio::test]
async fn twenty_updates_leave_nothing_behind() {
    let mut world = World::new().await;
    let mut before = world.old.version.clone();
    for minor in 1..=20 {
        let mut new = Images::new(&format!("4.{minor}.0"));
        new.usr.truncate(64 << 10);
        new.uki.truncate(20_000);
        world.publisher.release(&new, &[]).await;
        world.server.offer(Some(&new.version));
        world.machine.update().await.unwrap();
        world.machine.reboot_into(&new);
        let mut expected = [before, new.version.clone()].map(|v| format!("slipway-{v}.efi"));
        expected.sort();
        assert_eq!(world.machine.ukis(), expected);
        before = new.version;
    }
    let report = world.machine.agent().unwrap().report();
    assert_eq!((report.counters.installed, report.counters.failures), (20, 0));
}

#[tokio::test]
async fn a_version_that_does_not_come_up_is_left_and_not_taken_again() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.server.events();
    world.machine.reboot_in_vain();
    // The server still offers it.
    let error = world.machine.update().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "4.1.0 failed on this machine (it did not come up); a newer one is taken, or this one after `reset`"
    );
    assert_eq!(world.server.events(), ["3/0 44", "3/9 35"]);
    // It is told once, and nothing loops.
    world.machine.update().await.unwrap_err();
    assert_eq!(world.server.events(), ["3/2 from ''", "3/9 35"]);
    let newer = world.offer("4.1.1").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&newer);
}

#[tokio::test]
async fn a_version_that_fails_its_trial_later_is_left_and_not_taken_again() {
    let mut world = World::new().await;
    let new = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_on_trial(&new);
    // The agent runs, and the boot is not found good after all.
    let agent = world.machine.agent().unwrap();
    assert_eq!(agent.memory().pending.as_ref().unwrap().version, "4.1.0");
    drop(agent);
    world.machine.host = host(&world.old);
    world.machine.reboot_in_vain();
    world.server.events();
    let error = world.machine.update().await.unwrap_err();
    assert!(error.to_string().starts_with("4.1.0 failed on this machine (it did not come up)"));
    assert_eq!(world.server.events(), ["3/0 44", "3/9 35"]);
    assert_eq!(world.machine.ukis(), ["slipway-4.0.0.efi", "slipway-4.1.0+0-3.efi"]);
    let report = world.machine.agent().unwrap().report();
    assert_eq!((report.counters.installed, report.counters.rollbacks), (1, 1));
}

#[tokio::test]
async fn a_trial_that_ends_well_is_told_in_the_same_boot() {
    let mut world = World::new().await;
    let new = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_on_trial(&new);
    world.server.events();
    let mut agent = world.machine.agent().unwrap();
    agent.update(&by_timer(), 1).await.unwrap();
    assert_eq!(world.server.events(), ["3/2 from ''"]);
    world.machine.bless();
    agent.update(&by_timer(), 2).await.unwrap();
    assert_eq!(world.server.events(), ["3/2 from '4.0.0'"]);
    assert_eq!(agent.memory().pending, None);
}

#[tokio::test]
async fn going_back_from_a_trial_and_taking_that_back_leaves_the_trial() {
    let mut world = World::new().await;
    let new = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_on_trial(&new);
    let mut agent = world.machine.agent().unwrap();
    assert_eq!(agent.roll_back().unwrap(), "4.0.0");
    assert_eq!(world.machine.choice(), "4.0.0");
    agent.reset().unwrap();
    assert_eq!(world.machine.ukis(), ["slipway-4.0.0.efi", "slipway-4.1.0+1-2.efi"]);
    let pending = agent.memory().pending.clone().unwrap();
    assert_eq!((pending.version.as_str(), pending.from.as_str()), ("4.1.0", "4.0.0"));
}

#[tokio::test]
async fn reset_takes_a_failed_version_again() {
    let mut world = World::new().await;
    let new = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_in_vain();
    world.machine.agent().unwrap().reset().unwrap();
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&new);
}

#[tokio::test]
async fn an_administrator_goes_back() {
    let mut world = World::new().await;
    let old = world.old.clone();
    let new = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&new);
    let mut agent = world.machine.agent().unwrap();
    assert_eq!(agent.roll_back().unwrap(), "4.0.0");
    assert_eq!(agent.report().status, Status::NeedReboot { version: "4.0.0".to_owned() });
    drop(agent);
    world.machine.reboot_into(&old);
    // The version that was left is not taken again, and the server hears where the machine came from.
    world.server.events();
    world.machine.update().await.unwrap_err();
    assert_eq!(world.server.events(), ["3/2 from '4.1.0'", "3/9 35"]);
}

#[tokio::test]
async fn what_waits_for_its_reboot_is_taken_back() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    assert_eq!(world.machine.choice(), "4.1.0");
    let mut agent = world.machine.agent().unwrap();
    assert_eq!(agent.report().status, Status::NeedReboot { version: "4.1.0".to_owned() });
    agent.reset().unwrap();
    assert_eq!(agent.report().status, Status::Idle);
    assert_eq!(world.machine.choice(), "4.0.0");
}

#[tokio::test]
async fn a_pin_holds_and_a_channel_changes() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    world.offer("4.2.0").await;
    let mut agent = world.machine.agent().unwrap();
    agent.pin(Some("4.1.0")).unwrap();
    assert_eq!(
        agent.pin(Some("4.1")).unwrap_err().to_string(),
        "`4.1` is no version; write three numbers, for example `4.2.0`"
    );
    let error = agent.update(&crate::machine::by_timer(), 1).await.unwrap_err();
    assert_eq!(error.to_string(), "this machine is pinned to 4.1.0, and 4.2.0 is offered");
    agent.pin(None).unwrap();
    agent.follow(Some("stable")).unwrap();
    agent.follow(Some("../alpha")).unwrap_err();
    drop(agent);
    // A channel that does not have the version that is offered.
    let error = world.machine.update().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server offers 4.2.0, which the signed metadata of `stable` does not have for amd64"
    );
    world.machine.agent().unwrap().follow(None).unwrap();
    world.machine.update().await.unwrap();
}

#[tokio::test]
async fn a_look_changes_nothing() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    let ask = Ask { asked: Asked::ByPerson, from: Origin::Server, depth: Depth::Look };
    let mut agent = world.machine.agent().unwrap();
    let Done::Available(plan) = agent.update(&ask, 1).await.unwrap() else { panic!("no update") };
    assert_eq!(plan.candidates.len(), 2);
    assert_eq!(world.machine.ukis(), ["slipway-4.0.0.efi"]);
    assert!(!world.machine.passive_is_empty());
    assert!(agent.report().status.progress().1 > 0);
}

#[tokio::test]
async fn a_folder_is_as_good_as_a_server() {
    let mut world = World::new().await;
    let new = world.offer("4.1.0").await;
    world.server.faults(crate::server::Faults { down: true, ..Default::default() });
    let ask = Ask {
        asked: Asked::ByPerson,
        from: Origin::Folder(world.publisher.folder.clone()),
        depth: Depth::Install,
    };
    let done = world.machine.agent().unwrap().update(&ask, 1).await.unwrap();
    assert_eq!(done, Done::Installed("4.1.0".parse().unwrap()));
    world.machine.reboot_into(&new);
}
