//! Publishing to a bucket while requests fail: success or an error, and never a channel that clients cannot read.

use slipway_channels::{ChannelError, Progress};

use crate::{
    bucket::{Bucket, Fault},
    world::World,
};

/// Each request of a publication is hit in turn: once, and from there on for ever.
async fn check(fault: Fault, hits: usize) {
    let bucket = Bucket::start().await;
    let mut world = World::in_bucket(&bucket).await;
    let mut published = Vec::new();
    let mut failures = 0;
    for nth in 0.. {
        let version = format!("4.0.{nth}");
        bucket.hit_after(nth, hits, fault);
        let result = world.release(&version).await;
        let hit = bucket.heal();
        if hit == 0 {
            break;
        }
        let what = format!("{fault:?} at request {nth}: {result:?}");
        failures += usize::from(result.is_err());
        // Whatever it was, clients see what they saw, or all of the new.
        let names = world.targets().await;
        let name = |version: &str| format!("alpha/{version}/amd64/release.json");
        assert!(published.iter().all(|version: &String| names.contains(&name(version))), "{what}");
        assert!(result.is_err() || names.contains(&name(&version)), "{what}");
        let again = world.release(&version).await;
        assert!(again.is_ok(), "{what}, then {again:?}");
        assert!(world.targets().await.contains(&name(&version)), "{what}");
        published.push(version);
        // Older ones leave the channel.
        let gone = published.len().saturating_sub(15);
        published.drain(..gone);
    }
    // Something was tried; and a server that is gone for ever is no success, until the last request.
    assert!(published.len() >= 10, "{fault:?}: only {} requests", published.len());
    assert!(hits == 1 || failures >= 10, "{fault:?}: {failures}");
}

#[tokio::test]
async fn a_dropped_connection() {
    check(Fault::Dropped, 1).await;
}

#[tokio::test]
async fn half_an_upload() {
    check(Fault::Half, 1).await;
}

#[tokio::test]
async fn a_lost_answer() {
    check(Fault::LostAnswer, 1).await;
}

#[tokio::test]
async fn a_server_that_does_it_and_says_that_it_failed() {
    check(Fault::FailedAfter, 1).await;
}

#[tokio::test]
async fn a_server_that_goes_away() {
    check(Fault::Dropped, usize::MAX).await;
}

#[tokio::test]
async fn a_network_that_loses_all_answers() {
    check(Fault::LostAnswer, usize::MAX).await;
}

#[tokio::test]
async fn a_server_that_is_busy_for_long() {
    check(Fault::Unavailable, usize::MAX).await;
}

/// Both begin at the same state. One is told to run again; then both releases are there.
#[tokio::test]
async fn of_two_publishers_neither_loses_its_release() {
    let bucket = Bucket::start().await;
    let mut world = World::in_bucket(&bucket).await;
    let state = world.state().await;
    let record = crate::world::record("4.1.0");
    let late =
        slipway_channels::release(&state, world.channel("alpha"), &record, world.now).unwrap();
    world.release("4.0.0").await.unwrap();
    let now = world.now;
    let error = world.repository.apply(state, late, &mut world.holders, now).await.unwrap_err();
    assert!(matches!(error, ChannelError::Conflict), "{error}");
    let done = world.release("4.1.0").await.unwrap();
    assert!(matches!(done, Progress::Published { .. }), "{done:?}");
    assert_eq!(
        world.targets().await,
        ["alpha/4.0.0/amd64/release.json", "alpha/4.1.0/amd64/release.json"]
    );
}
