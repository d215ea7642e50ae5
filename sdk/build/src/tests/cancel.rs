//! Requests to end: the first drains, the second forces.

use std::time::Duration;

use insta::assert_snapshot;
use tokio::time::sleep;

use super::support::{World, options, transcript};
use crate::{BuildError, Event, Outcome};

/// Runs, and requests the end at these times in milliseconds.
async fn run_until(
    world: &World,
    script: &str,
    wanted: &str,
    times: &[u64],
) -> (Result<Outcome, BuildError>, Vec<Event>) {
    let requests = async {
        let mut now = 0;
        for time in times {
            sleep(Duration::from_millis(time - now)).await;
            now = *time;
            world.cancel.request();
        }
    };
    tokio::join!(world.events(script, wanted, options()), requests).0
}

#[tokio::test(start_paused = true)]
async fn the_first_request_drains() {
    let world = World::new();
    let (result, events) =
        run_until(&world, "a:; 3s\nb:; 2s\nc: a; 1s\nd: b; 1s", "c d", &[1000]).await;
    assert_snapshot!(transcript(&events), @"
        plan: 0 fresh, 2 stale, 2 unknown, about 80s
        0s start a: never built
        0s start b: never built
        draining a b
        2s built b
        3s built a
        3s Interrupted: 2 built, 0 cached, 0 cut off, 0 failed, 2 skipped
        ");
    assert!(matches!(result, Err(BuildError::Interrupted { report: Some(_) })));
}

#[tokio::test(start_paused = true)]
async fn what_drained_is_recorded() {
    let mut world = World::new();
    let script = "a:; 3s\nb:; 2s\nc: a b; 1s";
    run_until(&world, script, "c", &[1000]).await.0.unwrap_err();
    assert_eq!(world.ran(), "a b");
    world.cancel = crate::Cancel::new();
    world.run(script, "c").await;
    assert_eq!(world.ran(), "c");
}

#[tokio::test(start_paused = true)]
async fn the_second_request_forces() {
    let world = World::new();
    let (result, events) =
        run_until(&world, "a:; 30s\nb:; 2s\nc: a b; 1s", "c", &[1000, 5000]).await;
    assert_snapshot!(transcript(&events), @"
        plan: 0 fresh, 2 stale, 1 unknown, about 80s
        0s start a: never built
        0s start b: never built
        draining a b
        2s built b
        forcing a
        5s stopped a
        5s Interrupted: 1 built, 0 cached, 0 cut off, 0 failed, 2 skipped
        ");
    assert!(matches!(result, Err(BuildError::Interrupted { report: Some(_) })));
}

/// A runner that does not listen is given up after the grace period.
#[tokio::test(start_paused = true)]
async fn a_deaf_runner_is_given_up() {
    let world = World::new();
    let (_, events) = run_until(&world, "a:; 300s deaf", "a", &[1000, 2000]).await;
    assert_snapshot!(transcript(&events), @"
        plan: 0 fresh, 1 stale, 0 unknown, about 40s
        0s start a: never built
        draining a
        forcing a
        12s stopped a
        12s Interrupted: 0 built, 0 cached, 0 cut off, 0 failed, 1 skipped
        ");
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_delivers_everything_is_a_success() {
    let world = World::new();
    let (result, _) = run_until(&world, "a:; 3s", "a", &[1000]).await;
    assert!(result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_draining_is_a_failure() {
    let world = World::new();
    let (result, _) = run_until(&world, "a:; 3s fail\nb: a", "b", &[1000]).await;
    assert!(matches!(result, Err(BuildError::Failed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_request_before_the_run_starts_nothing() {
    let world = World::new();
    world.cancel.request();
    let (result, _) = world.events("a:", "a", options()).await;
    assert!(matches!(result, Err(BuildError::Interrupted { .. })));
    assert_eq!(world.ran(), "");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_lock_can_be_ended() {
    let world = World::new();
    let mut other = World::new();
    other.store = std::sync::Arc::clone(&world.store);
    let long = world.run("a:; 50s", "a");
    let short = async {
        sleep(Duration::from_secs(1)).await;
        run_until(&other, "b:", "b", &[2000]).await
    };
    let (_, (result, events)) = tokio::join!(long, short);
    assert!(matches!(result, Err(BuildError::Interrupted { report: None })));
    assert_eq!(transcript(&events), "waiting for another run\n");
}
