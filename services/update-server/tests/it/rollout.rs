//! A rollout from nobody to everybody, and one that stops by itself.

use slipway_update_server::{
    checks::{explain, sweep},
    policy::{AutoStop, Frame, Policy, Rollout, place},
    store::{ActivityClass, ActivityFilter, Page},
};

use crate::world::{Host, NEW, World, app, on_both};

async fn classes(world: &World) -> Vec<ActivityClass> {
    let activity =
        world.store().activity(&ActivityFilter::default(), Page::first(100)).await.unwrap();
    activity.items.into_iter().rev().map(|entry| entry.what.class).collect()
}

fn hosts(count: usize) -> Vec<Host> {
    (0..count).map(|number| Host::new(format!("{number:032x}"))).collect()
}

on_both! {
    async fn a_rollout_reaches_everybody_in_its_frames(world) {
        let frames = vec![
            Frame { seconds: 3600, percent: 10.0 },
            Frame { seconds: 3600, percent: 50.0 },
            Frame { seconds: 3600, percent: 100.0 },
        ];
        let rollout = Rollout { frames, since: Some(world.clock.now()) };
        world.fleet(Policy { rollout, ..Policy::default() }).await;
        let mut hosts = hosts(60);
        for percent in [10.0, 50.0, 100.0] {
            let mut expected = 0;
            for host in &mut hosts {
                let reached = place(&host.id, NEW) < percent;
                expected += usize::from(reached);
                if host.version != NEW {
                    let granted = host.ask(&world).await;
                    assert_eq!(granted.is_some(), reached, "{} at {percent}", host.id);
                    if reached {
                        host.install(&world, NEW).await;
                    }
                }
            }
            assert_eq!(hosts.iter().filter(|host| host.version == NEW).count(), expected);
            sweep(world.store(), world.clock.now()).await.unwrap();
            world.clock.turn(3600);
        }
        assert_eq!(classes(&world).await, [ActivityClass::RolloutStarted, ActivityClass::RolloutFinished]);
    }

    /// A bad release: how many machines get it before the group stops is what the policy says, and not one more.
    async fn a_bad_release_stops_by_itself(mut world) {
        let stop = AutoStop { error_percent: Some(20.0), missing_percent: None, minimum: 5 };
        world.fleet(Policy { at_once: Some(5), auto_stop: Some(stop), ..Policy::default() }).await;
        let mut tried = 0;
        for host in hosts(50) {
            if host.ask(&world).await.is_some() {
                tried += 1;
                host.fail(&world, 268_435_456 + 28).await;
            }
        }
        assert_eq!(tried, 5);
        let group = world.group().await;
        assert!(!group.policy.updates_enabled);
        assert_eq!(group.stopped_reason.as_deref(), Some("5 of 5 attempts failed, more than 20 %"));
        let notice = world.stops.recv().await.unwrap();
        assert_eq!((notice.version.as_str(), notice.reason.as_str()), (NEW, "5 of 5 attempts failed, more than 20 %"));
        let classes = classes(&world).await;
        assert_eq!(classes.iter().filter(|class| **class == ActivityClass::Stopped).count(), 1);
        assert_eq!(classes.iter().filter(|class| **class == ActivityClass::UpdateFailed).count(), 5);
        let errors = world.store().error_counts(&app(), None, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((errors[0].error_code, errors[0].count), (28, 5));

        // Somebody resumes it: what failed before does not stop it again at once.
        world.change(|policy| policy.updates_enabled = true).await;
        assert_eq!(world.group().await.stopped_reason, None);
        assert!(Host::new("after").ask(&world).await.is_some());
    }

    /// Machines that are not heard of again stop a group as well, without anybody asking.
    async fn missing_machines_stop_a_group(world) {
        let stop = AutoStop { error_percent: None, missing_percent: Some(50.0), minimum: 4 };
        world.fleet(Policy { auto_stop: Some(stop), lease_seconds: 60, ..Policy::default() }).await;
        let mut hosts = hosts(6);
        for host in &mut hosts {
            assert!(host.ask(&world).await.is_some());
        }
        hosts[0].install(&world, NEW).await;
        hosts[1].install(&world, NEW).await;
        world.clock.turn(61);
        let stopped = sweep(world.store(), world.clock.now()).await.unwrap();
        assert_eq!(stopped.len(), 1);
        assert_eq!(stopped[0].reason, "4 of 6 machines were not heard of again, more than 50 %");
        assert!(sweep(world.store(), world.clock.now()).await.unwrap().is_empty());
    }

    /// The first machine tries a version; the others follow when it lives.
    async fn a_canary_goes_first(world) {
        world.fleet(Policy { safe_mode: true, ..Policy::default() }).await;
        let mut canary = Host::new("canary");
        assert!(canary.ask(&world).await.is_some());
        assert!(Host::new("second").ask(&world).await.is_none());
        canary.install(&world, NEW).await;
        assert!(Host::new("second").ask(&world).await.is_some());
        assert!(Host::new("third").ask(&world).await.is_some());
    }

    /// Why a machine waits, and when its turn comes.
    async fn what_a_machine_gets_is_explained(world) {
        let window = "Wed 20:00 +2h UTC".parse().unwrap();
        world.fleet(Policy { windows: vec![window], ..Policy::default() }).await;
        let host = Host::new("asked");
        assert!(host.ask(&world).await.is_none());
        let explained = explain(world.store(), &app(), &host.machine(), world.clock.now()).await.unwrap().unwrap();
        assert_eq!(explained.words, "no maintenance window is open; its turn may come at 2026-11-25T20:00:00Z");
        let (status, body) = world.get("/api/v2/apps/e96281a6-d1af-4bde-9a0a-97b76e56dc57/groups/stable/explain?machine=asked").await;
        assert_eq!(status, 200, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["decision"]["turn"], "2026-11-25T20:00:00Z");
        assert_eq!(body["next"], NEW);
        world.clock.turn(8 * 3600);
        assert!(host.ask(&world).await.is_some());
    }

    /// Pins of a machine and of a group, and the way back by permission only.
    async fn pins_win_over_the_channel(world) {
        world.fleet(Policy::default()).await;
        for version in ["4000.9.0", "3999.0.0"] {
            world.store().create_package(&world.by(), &crate::world::package(version)).await.unwrap();
        }
        let host = Host::new("pinned");
        host.ask(&world).await;
        world.store().set_pin(&world.by(), &app(), &host.machine(), Some("4000.9.0")).await.unwrap();
        assert_eq!(host.ask(&world).await.as_deref(), Some("4000.9.0"));
        assert_eq!(Host::new("free").ask(&world).await.as_deref(), Some(NEW));
        world.change(|policy| policy.pin = Some("3999.0.0".to_owned())).await;
        assert_eq!(Host::new("other").ask(&world).await, None);
        world.change(|policy| policy.allow_downgrade = true).await;
        assert_eq!(Host::new("other").ask(&world).await.as_deref(), Some("3999.0.0"));
    }
}
