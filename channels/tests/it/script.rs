//! The whole story, as people with keys of their own would live it, in a bucket: two releases from alpha through beta to stable
//! with two of three signatures, new keys of the root and of a channel between them, a floor, a revoked version, and a client
//! that only knew the first root.

use slipway_channels::{ChannelPolicy, Progress};

use crate::{
    bucket::Bucket,
    world::{World, bytes},
};

/// What the machine that publishes has at hand.
const DESK: [&str; 4] = ["alpha", "beta", "snapshot", "timestamp"];

fn policy(text: &str) -> ChannelPolicy {
    ChannelPolicy::from_bytes(text.as_bytes()).unwrap()
}

/// Two of three holders, each on a machine of their own.
async fn to_stable(world: &mut World, version: &str, holders: [&str; 2]) {
    world.at_hand(&holders[..1]);
    let waiting = world.promote("beta", "stable", version).await.unwrap();
    assert!(matches!(waiting, Progress::Waiting { valid: 1, threshold: 2, .. }), "{waiting:?}");
    let before = world.targets().await;
    assert!(!before.iter().any(|name| name.starts_with(&format!("stable/{version}/"))));
    // What publishes stays where it is.
    world.at_hand(&holders[1..]);
    let signed = world.sign("stable").await.unwrap();
    assert!(matches!(signed, Progress::Signed { .. }), "{signed:?}");
    assert_eq!(world.targets().await, before);
    world.at_hand(&DESK);
    let done = world.sign("stable").await.unwrap();
    assert!(matches!(done, Progress::Published { .. }), "{done:?}");
}

async fn to_beta(world: &mut World, version: &str) {
    world.at_hand(&DESK);
    world.release(version).await.unwrap();
    world.days(1);
    world.promote("alpha", "beta", version).await.unwrap();
    world.days(7);
}

#[tokio::test]
async fn two_releases_from_alpha_to_stable() {
    let bucket = Bucket::start().await;
    let mut world = World::in_bucket(&bucket).await;
    let first_root = world.root.clone();

    to_beta(&mut world, "4.0.0").await;
    to_stable(&mut world, "4.0.0", ["stable-1", "stable-3"]).await;

    // A holder of the root leaves, and alpha's key was seen by somebody. The old root's holders and the new one sign.
    world.at_hand(&["root-1", "root-2", "root-3", "targets-1", "alpha", "snapshot", "timestamp"]);
    world.renew(&["root-3", "alpha"]).await.unwrap();
    assert_eq!(world.look().await.root().signed.version.get(), 2);

    // 4.0.1 turns out to lose data; nobody shall skip 4.0.0 on the way to 4.1.0.
    to_beta(&mut world, "4.0.1").await;
    let said = policy(
        r#"{"schema": 1, "floors": [{"version": "4.0.0", "reason": "new layout"}],
            "revoked": [{"version": "4.0.1", "reason": "loses data"}]}"#,
    );
    for channel in ["beta", "stable"] {
        world.edit(channel, |channel| channel.policy = said.clone());
    }
    let refused = world.promote("beta", "stable", "4.0.1").await.unwrap_err();
    assert_eq!(refused.to_string(), "`beta` has revoked 4.0.1: loses data");

    to_beta(&mut world, "4.1.0").await;
    to_stable(&mut world, "4.1.0", ["stable-3", "stable-2"]).await;

    // The client's clock is that of the machine, and all of this lies within what still holds.
    assert_eq!(world.root, first_root);
    let seen = world.look().await;
    assert_eq!(seen.root().signed.version.get(), 2);
    for version in ["4.0.0", "4.1.0"] {
        let name = format!("stable/{version}/amd64/release.json");
        assert_eq!(seen.read(&name).await.unwrap().unwrap(), bytes(version));
    }
    assert_eq!(seen.read("stable/4.0.1/amd64/release.json").await.unwrap(), None);
    for channel in ["beta", "stable"] {
        let bytes = seen.read(&format!("{channel}/channel.json")).await.unwrap().unwrap();
        let policy = ChannelPolicy::from_bytes(&bytes).unwrap();
        assert_eq!(policy, said, "{channel}");
        let skipped = policy.skipped_floor("3.9.0".parse().unwrap(), "4.1.0".parse().unwrap());
        assert_eq!(skipped.unwrap().version, "4.0.0".parse().unwrap());
    }
    assert!(seen.roles().iter().all(|role| !role.for_development));
}
