//! Making a repository, and making it again after somebody died half-way.

use slipway_channels::ChannelError;

use crate::world::World;

/// The files in the order in which they are made.
const FILES: [&str; 6] = ["1.root", "1.targets", "1.alpha", "1.beta", "1.stable", "1.snapshot"];

/// However far it came, the next one ends it, at another time, and the root is the one that was begun with.
#[tokio::test]
async fn what_was_begun_is_ended() {
    for made in 0..=FILES.len() {
        let mut world = World::new().await;
        let file = |name: &str| format!("repository/metadata/{name}.json");
        fs_err::remove_file(world.path(&file("timestamp"))).unwrap();
        for name in &FILES[made..] {
            fs_err::remove_file(world.path(&file(name))).unwrap();
        }
        world.days(1);
        let root = world.init().await.unwrap();
        assert_eq!(root == world.root, made > 0, "after {made} files");
        world.root = root;
        world.release("4.0.0").await.unwrap();
        assert_eq!(world.targets().await, ["alpha/4.0.0/amd64/release.json"], "after {made} files");
    }
}

/// Whoever did not see the end of it can ask again for the root.
#[tokio::test]
async fn a_whole_repository_stays_as_it_is() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    let before = world.state().await.generation;
    world.days(1);
    assert_eq!(world.init().await.unwrap(), world.root);
    assert_eq!(world.state().await.generation, before);
}

/// Nobody takes over what others began: their root may be in somebody's hands.
#[tokio::test]
async fn a_repository_of_other_keys_is_left_alone() {
    for whole in [true, false] {
        let mut world = World::new().await;
        world.replace_keys(&["root-2"]);
        if !whole {
            fs_err::remove_file(world.path("repository/metadata/timestamp.json")).unwrap();
        }
        let error = world.init().await.unwrap_err();
        assert!(matches!(error, ChannelError::OtherKeys), "{error}");
    }
}
