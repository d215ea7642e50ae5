//! The honest life of a repository.

use slipway_signing::{KeyMark, KeyName, Pending, SecretKey};

use crate::world::{World, text};

/// Two of three holders sign for stable, one after the other, each from the file that the one before left.
#[tokio::test]
async fn holders_sign_one_after_the_other() {
    let mut world = World::new();
    let keys = world.keys_of("stable");
    let role = || "stable".parse().unwrap();
    let mut file = world.pending("stable", &["4.0.0"]).to_json().unwrap();
    for name in ["stable-3", "stable-1"] {
        let mut pending: Pending<tough::schema::Targets> =
            Pending::from_json(role(), &file).unwrap();
        pending.sign(world.key(name), &[&keys]).unwrap();
        file = pending.to_json().unwrap();
    }
    let done = Pending::from_json(role(), &file).unwrap().complete(&[&keys]).unwrap();
    world.put_channel("stable", done);
    world.put_target("stable", "4.0.0", &text("4.0.0"));
    world.switch();
    let seen = world.look(&world.root_bytes(), "client").await.unwrap();
    let names: Vec<&str> = seen.targets().map(|(name, _)| name).collect();
    assert_eq!(names, ["stable/4.0.0/amd64/release.json"]);
}

/// A root key and a channel's key are replaced between releases. A client that only knew the first root follows.
#[tokio::test]
async fn a_client_of_the_first_root_follows_rotations() {
    let mut world = World::new();
    let first = world.root_bytes();
    world.release("alpha", &["4.0.0"]);
    world.switch();

    let renew = |world: &mut World, name: &str| {
        let name: KeyName = name.parse().unwrap();
        let key = SecretKey::generate(name.clone(), KeyMark::Release).unwrap();
        world.keys.insert(name, key)
    };
    // The new root is signed by two holders of the old one, who are also holders of the new one.
    renew(&mut world, "root-3");
    world.sign_root(&["root-1", "root-2"]);
    let stolen = renew(&mut world, "alpha").unwrap();
    world.sign_targets();
    world.release("alpha", &["4.0.0", "4.1.0"]);
    world.switch();

    let seen = world.look(&first, "fresh").await.unwrap();
    assert_eq!(seen.root().signed.version.get(), 2);
    let bytes = seen.read("alpha/4.1.0/amd64/release.json").await.unwrap().unwrap();
    assert_eq!(bytes, text("4.1.0").as_bytes());
    // The key that was replaced signs nothing any more.
    let keys = world.keys_of("alpha");
    world.pending("alpha", &["6.6.6"]).sign(&stolen, &[&keys]).unwrap_err();
}

#[tokio::test]
async fn what_expires_first_is_said_first() {
    let world = World::new();
    let seen = world.look(&world.root_bytes(), "client").await.unwrap();
    let roles: Vec<String> = seen.roles().iter().map(|state| state.role.to_string()).collect();
    assert_eq!(roles, ["timestamp", "snapshot", "alpha", "beta", "stable", "targets", "root"]);
    assert!(seen.roles().iter().all(|state| !state.for_development));
}
