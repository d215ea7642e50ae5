//! Limits hold, however many machines ask at once, and however many servers answer.

use std::sync::Arc;

use futures::future::join_all;
use slipway_update_server::{
    checks::sweep,
    policy::{PerPeriod, Policy},
    store::{InstanceFilter, Status},
};

use crate::world::{Host, NEW, World, app, group, on_both};

async fn granted(worlds: &[Arc<World>], hosts: usize) -> usize {
    let asks = (0..hosts).map(|number| {
        let world = Arc::clone(&worlds[number % worlds.len()]);
        tokio::spawn(async move { Host::new(format!("host-{number}")).ask(&world).await.is_some() })
    });
    join_all(asks).await.into_iter().filter(|done| *done.as_ref().unwrap()).count()
}

on_both! {
    async fn no_more_updates_run_at_once_than_may(world) {
        world.fleet(Policy { at_once: Some(7), ..Policy::default() }).await;
        let world = Arc::new(world);
        assert_eq!(granted(&[Arc::clone(&world)], 100).await, 7);
        assert_eq!(world.store().open_leases(&app(), &group(), 100).await.unwrap().len(), 7);
        // Whoever asks again does not take another's place.
        assert_eq!(granted(&[Arc::clone(&world)], 100).await, 7);
    }

    async fn no_more_are_granted_in_a_period_than_may(world) {
        let period = PerPeriod { count: 5, seconds: 600 };
        world.fleet(Policy { per_period: Some(period), ..Policy::default() }).await;
        let world = Arc::new(world);
        assert_eq!(granted(&[Arc::clone(&world)], 60).await, 5);
        world.clock.turn(599);
        // The first five still hold what they were granted; nobody else gets anything.
        assert_eq!(granted(&[Arc::clone(&world)], 60).await, 5);
        world.clock.turn(1);
        assert_eq!(granted(&[Arc::clone(&world)], 60).await, 10);
    }

    /// Two servers on one database grant no more together than one alone.
    async fn two_servers_keep_one_limit(world) {
        world.fleet(Policy { at_once: Some(9), ..Policy::default() }).await;
        let other = Arc::new(world.another().await);
        let world = Arc::new(world);
        assert_eq!(granted(&[Arc::clone(&world), other], 120).await, 9);
        assert_eq!(world.store().open_leases(&app(), &group(), 100).await.unwrap().len(), 9);
    }

    /// The same machine at two servers at once holds one grant.
    async fn a_machine_that_asks_two_servers_holds_one_grant(world) {
        world.fleet(Policy::default()).await;
        let other = Arc::new(world.another().await);
        let world = Arc::new(world);
        let asks = (0..40).map(|number| {
            let world = if number % 2 == 0 { Arc::clone(&world) } else { Arc::clone(&other) };
            tokio::spawn(async move { Host::new("twin").ask(&world).await })
        });
        for answer in join_all(asks).await {
            assert_eq!(answer.unwrap().as_deref(), Some(NEW));
        }
        assert_eq!(world.store().open_leases(&app(), &group(), 100).await.unwrap().len(), 1);
    }

    /// What one server changes the other one keeps to, from the next check on.
    async fn a_pause_holds_on_both_servers(world) {
        world.fleet(Policy::default()).await;
        let other = world.another().await;
        assert!(Host::new("first").ask(&other).await.is_some());
        world.change(|policy| policy.updates_enabled = false).await;
        assert!(Host::new("second").ask(&other).await.is_none());
        assert!(Host::new("first").ask(&other).await.is_none());
    }

    /// A grant ends by itself: its place is free, the machine may ask anew, and a waiting machine is not stuck.
    async fn a_grant_ends_by_itself(world) {
        world.fleet(Policy { at_once: Some(1), lease_seconds: 600, ..Policy::default() }).await;
        assert!(Host::new("silent").ask(&world).await.is_some());
        assert!(Host::new("next").ask(&world).await.is_none());
        assert_eq!(world.instance("next").await.status, Status::OnHold);
        world.clock.turn(600);
        sweep(world.store(), world.clock.now()).await.unwrap();
        let silent = world.instance("silent").await;
        assert_eq!(silent.status, Status::Undefined);
        assert!(Host::new("next").ask(&world).await.is_some());
        assert!(Host::new("silent").ask(&world).await.is_none());
        let waiting = InstanceFilter { status: Some(Status::OnHold), ..InstanceFilter::default() };
        assert_eq!(world.store().count_instances(&waiting).await.unwrap(), 1);
    }

    /// A machine that waits for its reboot says so with every ping, for days: it does not count as missing.
    async fn a_machine_that_waits_for_its_reboot_keeps_its_grant(world) {
        world.fleet(Policy { lease_seconds: 600, ..Policy::default() }).await;
        let host = Host::new("locked");
        host.ask(&world).await;
        world.say(&host.event(3, 1, None)).await;
        for _ in 0..10 {
            world.clock.turn(500);
            world.say(&host.ping()).await;
            sweep(world.store(), world.clock.now()).await.unwrap();
        }
        assert_eq!(world.instance("locked").await.status, Status::Installed);
        world.clock.turn(600);
        sweep(world.store(), world.clock.now()).await.unwrap();
        assert_eq!(world.instance("locked").await.status, Status::Undefined);
    }

    /// A clock that goes back neither frees nor takes anything, and nothing breaks.
    async fn a_clock_that_goes_back_does_no_harm(world) {
        world.fleet(Policy { at_once: Some(1), ..Policy::default() }).await;
        assert!(Host::new("one").ask(&world).await.is_some());
        let seen = world.instance("one").await.last_seen;
        world.clock.turn(-86_400);
        assert!(Host::new("two").ask(&world).await.is_none());
        assert!(Host::new("one").ask(&world).await.is_some());
        assert_eq!(world.instance("one").await.last_seen, seen);
    }
}
