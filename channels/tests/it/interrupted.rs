//! Publishers that stop half-way, and publishers that meet.

use slipway_channels::{ChannelError, Progress};

use crate::world::World;

/// Whatever was written when a publisher died, the next one goes on, and clients never see half of it.
#[tokio::test]
async fn a_publisher_that_dies_leaves_nothing_in_the_way() {
    // How much of its work it had done: from the whole release, these files are taken away again.
    for gone in [
        vec!["metadata/2.alpha.json", "metadata/2.snapshot.json"],
        vec!["metadata/2.snapshot.json"],
        vec![],
    ] {
        let mut world = World::new().await;
        let pointer = world.path("repository/metadata/timestamp.json");
        let before = fs_err::read(&pointer).unwrap();
        world.release("4.0.0").await.unwrap();
        fs_err::write(&pointer, before).unwrap();
        for name in &gone {
            fs_err::remove_file(world.path("repository").join(name)).unwrap();
        }
        assert_eq!(world.targets().await, [""; 0], "{gone:?}");
        // It runs again, at another time, so that no byte of what it signs is the same.
        world.days(1);
        let again = world.release("4.0.0").await.unwrap();
        let other = world.release("4.1.0").await.unwrap();
        assert!(matches!(other, Progress::Published { .. }), "{gone:?}: {again:?}");
        assert_eq!(
            world.targets().await,
            ["alpha/4.0.0/amd64/release.json", "alpha/4.1.0/amd64/release.json"],
            "{gone:?}"
        );
    }
}

/// Two publishers start from the same state. One is told to run again, and neither's release is lost.
#[tokio::test]
async fn of_two_publishers_one_is_told_to_run_again() {
    let mut world = World::new().await;
    let state = world.state().await;
    let record = crate::world::record("4.1.0");
    let late =
        slipway_channels::release(&state, world.channel("alpha"), &record, world.now).unwrap();
    world.release("4.0.0").await.unwrap();
    let now = world.now;
    let error = world.repository.apply(state, late, &mut world.holders, now).await.unwrap_err();
    assert!(matches!(error, ChannelError::Conflict), "{error}");
    world.release("4.1.0").await.unwrap();
    assert_eq!(
        world.targets().await,
        ["alpha/4.0.0/amd64/release.json", "alpha/4.1.0/amd64/release.json"]
    );
}

#[tokio::test]
async fn the_timestamp_is_renewed_without_offline_keys() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.at_hand(&["snapshot", "timestamp"]);
    let before = world.state().await;
    world.days(2);
    let now = world.now;
    world.repository.refresh(before.clone(), &mut world.holders, now).await.unwrap();
    let after = world.state().await;
    assert!(after.timestamp > before.timestamp);
    assert_eq!(after.snapshot, before.snapshot);
    // When half of its life is over, the snapshot is renewed too.
    world.days(6);
    let now = world.now;
    world.repository.refresh(after.clone(), &mut world.holders, now).await.unwrap();
    assert!(world.state().await.snapshot.content().version > after.snapshot.content().version);
    // Nobody can publish with these keys alone.
    world.at_hand(&["timestamp"]);
    let state = world.state().await;
    let later = now + jiff::SignedDuration::from_hours(24 * 13);
    let error = world.repository.refresh(state, &mut world.holders, later).await.unwrap_err();
    assert!(error.to_string().starts_with("`snapshot` has 0 of 1 signatures"), "{error}");
}

/// Nobody has new keys; but the old signatures end some day.
#[tokio::test]
async fn what_ends_is_signed_again_with_the_same_keys() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.days(25);
    // Only alpha's life is half over, and its holder is not here: nothing is to be done, and that is no failure.
    world.at_hand(&["root-1", "root-2", "targets-1", "snapshot", "timestamp"]);
    assert_eq!(world.rotate().await.unwrap(), Progress::Unchanged);
    world.days(175);
    world.at_hand(&[
        "root-1",
        "root-2",
        "targets-1",
        "alpha",
        "stable-1",
        "stable-3",
        "snapshot",
        "timestamp",
    ]);
    let before = world.state().await;
    assert!(matches!(world.rotate().await.unwrap(), Progress::Published { .. }));
    let after = world.state().await;
    assert_eq!(after.root.content().keys, before.root.content().keys);
    assert!(after.root.content().expires > before.root.content().expires);
    assert!(after.targets.content().expires > before.targets.content().expires);
    for (channel, renewed) in [("alpha", true), ("beta", false), ("stable", true)] {
        let version = |state: &slipway_channels::State| {
            state.channels[&channel.parse().unwrap()].content().version
        };
        assert_eq!(version(&after) > version(&before), renewed, "{channel}");
    }
}
