//! From alpha to stable.

use slipway_channels::{ChannelError, News, Progress};

use crate::world::{World, bytes};

#[tokio::test]
async fn a_release_goes_from_alpha_to_stable_with_two_of_three() {
    let mut world = World::new().await;
    assert_eq!(world.release("4.0.0").await.unwrap(), Progress::Published { snapshot: 2 });
    world.days(1);
    world.promote("alpha", "beta", "4.0.0").await.unwrap();
    world.days(7);

    // The holder of one key starts, another one ends it. Neither has the other's.
    world.at_hand(&["stable-2"]);
    let waiting = world.promote("beta", "stable", "4.0.0").await.unwrap();
    let role = "stable".parse().unwrap();
    assert_eq!(waiting, Progress::Waiting { role, valid: 1, threshold: 2 });
    assert_eq!(world.state().await.releases(&"stable".parse().unwrap()), []);
    world.at_hand(&["stable-3", "snapshot", "timestamp"]);
    assert_eq!(world.sign("stable").await.unwrap(), Progress::Published { snapshot: 4 });

    // The client's clock is the machine's, so all of this lies within what still holds.
    let seen = world.look().await;
    for channel in ["alpha", "beta", "stable"] {
        let name = format!("{channel}/4.0.0/amd64/release.json");
        assert_eq!(seen.read(&name).await.unwrap().unwrap(), bytes("4.0.0"));
    }
    let nothing = world.sign("stable").await.unwrap_err();
    assert_eq!(nothing.to_string(), "nothing waits for signatures of `stable`");
}

/// A release that waits for the second signature of stable.
async fn signed_by_one() -> World {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.days(1);
    world.promote("alpha", "beta", "4.0.0").await.unwrap();
    world.days(7);
    world.at_hand(&["stable-2"]);
    world.promote("beta", "stable", "4.0.0").await.unwrap();
    world
}

/// Whoever can write to the repository exchanges what waits, between the look and the signature.
#[tokio::test]
async fn what_was_looked_at_is_signed() {
    let mut world = signed_by_one().await;
    let (state, stable) = (world.state().await, "stable".parse().unwrap());
    let pending = world.repository.pending(&state, &stable).await.unwrap();
    let proposed = state.proposed(&stable, &pending);
    let record = proposed.iter().find(|p| p.name == "stable/4.0.0/amd64/release.json").unwrap();
    let content = bytes("4.0.0");
    let digest = slipway_store::Digest::of_bytes(&content).to_string();
    assert_eq!((record.sha256.as_str(), record.length), (digest.as_str(), content.len() as u64));
    assert_eq!(record.news, News::New);

    let waits = "pending/stable.json";
    let text = String::from_utf8(pending.to_json().unwrap()).unwrap();
    let other = text.replace(&digest, &digest.chars().rev().collect::<String>());
    assert_ne!(other, text);
    world.repository.remote().overwrite(waits, other.into()).await.unwrap();
    world.at_hand(&["stable-3", "snapshot", "timestamp"]);
    let now = world.now;
    let done = world.repository.sign(state, stable, pending, &mut world.holders, now).await;
    assert!(matches!(done.unwrap(), Progress::Published { .. }));
    let seen = world.look().await;
    assert_eq!(seen.read("stable/4.0.0/amd64/release.json").await.unwrap().unwrap(), content);
}

#[tokio::test]
async fn a_channel_that_delegates_is_not_signed() {
    let mut world = signed_by_one().await;
    let (state, stable) = (world.state().await, "stable".parse().unwrap());
    let mut content = world.repository.pending(&state, &stable).await.unwrap().content().clone();
    content.delegations = state.targets.content().delegations.clone();
    let pending = slipway_signing::Pending::new("stable".parse().unwrap(), content);
    let waits = "pending/stable.json";
    let json = pending.to_json().unwrap().into();
    world.repository.remote().overwrite(waits, json).await.unwrap();
    let error = world.sign("stable").await.unwrap_err();
    assert!(matches!(error, ChannelError::Delegates { .. }), "{error:?}");
}

/// Two releases from alpha to stable, and between them new keys of the root and of a channel. A client that only knew the
/// first root verifies the last release.
#[tokio::test]
async fn keys_are_rotated_between_two_releases() {
    let mut world = World::new().await;
    for (version, rotate) in [("4.0.0", ["root-3", "stable-2"]), ("4.1.0", ["timestamp", "alpha"])]
    {
        world.release(version).await.unwrap();
        world.days(1);
        world.promote("alpha", "beta", version).await.unwrap();
        world.days(7);
        world.promote("beta", "stable", version).await.unwrap();
        world.renew(&rotate).await.unwrap();
    }
    assert_eq!(world.rotate().await.unwrap(), Progress::Unchanged);
    let seen = world.look().await;
    assert_eq!(seen.root().signed.version.get(), 3);
    for version in ["4.0.0", "4.1.0"] {
        let name = format!("stable/{version}/amd64/release.json");
        assert_eq!(seen.read(&name).await.unwrap().unwrap(), bytes(version));
    }
}

/// Between the new root and the pointer to what it signs.
#[tokio::test]
async fn a_rotation_that_was_interrupted_is_ended_by_the_next() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    let pointer = world.path("repository/metadata/timestamp.json");
    let before = fs_err::read(&pointer).unwrap();
    world.renew(&["timestamp", "snapshot", "targets-1"]).await.unwrap();
    fs_err::write(&pointer, before).unwrap();
    world.rotate().await.unwrap();
    assert_eq!(world.targets().await, ["alpha/4.0.0/amd64/release.json"]);
}

/// Without every key that is needed, nothing of a rotation is published, least of all the new root.
#[tokio::test]
async fn a_rotation_that_lacks_a_key_publishes_nothing() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.at_hand(&["root-1", "root-2", "targets-1", "snapshot"]);
    let error = world.renew(&["root-3"]).await.unwrap_err();
    assert!(error.to_string().starts_with("`timestamp` has 0 of 1 signatures"), "{error}");
    assert_eq!(world.look().await.root().signed.version.get(), 1);
    assert_eq!(world.targets().await, ["alpha/4.0.0/amd64/release.json"]);
}

#[tokio::test]
async fn what_may_not_be_promoted_is_refused() {
    #[track_caller]
    fn check(result: Result<Progress, ChannelError>, expected: &str) {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.release("4.1.0").await.unwrap();
    check(
        world.promote("alpha", "stable", "4.0.0").await,
        "`stable` takes its releases from `beta`, not from `alpha`",
    );
    check(
        world.promote("alpha", "beta", "4.0.0").await,
        "4.0.0 came to `alpha` 0 hours ago; `beta` wants 24",
    );
    check(
        world.promote("alpha", "beta", "5.0.0").await,
        "`alpha` has no release 5.0.0; it has 4.0.0, 4.1.0",
    );
    world.days(1);
    world.promote("alpha", "beta", "4.1.0").await.unwrap();
    check(
        world.promote("alpha", "beta", "4.0.0").await,
        "`beta` is at 4.1.0; 4.0.0 would take its machines back (`--allow-downgrade` permits it)",
    );
    // Once is enough.
    assert_eq!(world.promote("alpha", "beta", "4.1.0").await.unwrap(), Progress::Unchanged);
    assert_eq!(world.release("4.1.0").await.unwrap(), Progress::Unchanged);
}

#[tokio::test]
async fn a_channel_keeps_its_newest_releases() {
    let mut world = World::new().await;
    for patch in 0..22 {
        world.release(&format!("4.0.{patch}")).await.unwrap();
    }
    let targets = world.targets().await;
    assert_eq!(targets.len(), 20);
    assert!(!targets.iter().any(|name| name.contains("/4.0.0/") || name.contains("/4.0.1/")));
}
