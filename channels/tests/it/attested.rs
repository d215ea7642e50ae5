//! Promotion that wants to hear from those who built it again.

use std::collections::BTreeMap;

use slipway_channels::{
    Artefact, ChannelError, Progress, ROOT_ARTEFACT, Rebuilds, ReleaseRecord, rebuilt_files,
};
use slipway_payload::Digest;
use slipway_signing::{KeyMark, SecretKey};

use crate::world::{World, bytes, record};

fn keys() -> Vec<SecretKey> {
    let make = |name: &str| SecretKey::generate(name.parse().unwrap(), KeyMark::Release).unwrap();
    ["east", "north", "west"].map(make).into()
}

/// A world whose beta wants two of three rebuilds, with a release that has soaked in alpha.
async fn world(keys: &[SecretKey]) -> World {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.days(1);
    let keys = keys.iter().map(|key| (key.name().clone(), key.public())).collect();
    let rebuilds = Rebuilds { threshold: 2.try_into().unwrap(), keys };
    world.edit("beta", |channel| channel.promotion.as_mut().unwrap().rebuilds = Some(rebuilds));
    world
}

async fn attest(
    world: &World,
    found: &BTreeMap<String, String>,
    key: &SecretKey,
) -> Result<String, ChannelError> {
    world.repository.attest((&record("4.0.0"), &bytes("4.0.0")), found, key).await
}

#[tokio::test]
async fn below_the_quorum_nothing_is_promoted() {
    let keys = keys();
    let mut world = world(&keys).await;
    let found = rebuilt_files(&record("4.0.0"));
    let check = |result: Result<Progress, ChannelError>, valid: usize, missing: &str| {
        let expected = format!(
            "4.0.0 was rebuilt by {valid} of the 2 that `beta` wants; missing are some of {missing}, who run `cargo xtask attest 4.0.0`"
        );
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    check(world.promote("alpha", "beta", "4.0.0").await, 0, "east, north, west");
    attest(&world, &found, &keys[1]).await.unwrap();
    // Twice is not two.
    attest(&world, &found, &keys[1]).await.unwrap();
    check(world.promote("alpha", "beta", "4.0.0").await, 1, "east, west");
    // Somebody whom the channel does not list.
    let other = SecretKey::generate("south".parse().unwrap(), KeyMark::Release).unwrap();
    attest(&world, &found, &other).await.unwrap();
    check(world.promote("alpha", "beta", "4.0.0").await, 1, "east, west");
    attest(&world, &found, &keys[2]).await.unwrap();
    let done = world.promote("alpha", "beta", "4.0.0").await.unwrap();
    assert!(matches!(done, Progress::Published { .. }));
}

#[tokio::test]
async fn a_rebuild_that_differs_is_not_signed() {
    let keys = keys();
    let world = world(&keys).await;
    let mut found = rebuilt_files(&record("4.0.0"));
    found.insert("disk.raw".to_owned(), "0".repeat(64));
    for found in [found, BTreeMap::new()] {
        assert_eq!(
            attest(&world, &found, &keys[0]).await.unwrap_err().to_string(),
            "the rebuild of 4.0.0 is not what was released: disk.raw differ"
        );
    }
}

/// The word of one is put under the name of another, and the word about one release beside another.
#[tokio::test]
async fn a_word_that_is_not_theirs_is_refused() {
    let keys = keys();
    let mut world = world(&keys).await;
    let found = rebuilt_files(&record("4.0.0"));
    let own = world.path("repository").join(attest(&world, &found, &keys[0]).await.unwrap());
    let other = world.path("repository").join(attest(&world, &found, &keys[1]).await.unwrap());
    fs_err::copy(&own, &other).unwrap();
    let error = world.promote("alpha", "beta", "4.0.0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the statement of `north` is not to be believed: its signature is not this key's"
    );
    fs_err::remove_file(&other).unwrap();
    let next = (&record("4.1.0"), &bytes("4.1.0"));
    let found = rebuilt_files(next.0);
    let about = world.repository.attest(next, &found, &keys[0]).await.unwrap();
    fs_err::copy(world.path("repository").join(about), &own).unwrap();
    let error = world.promote("alpha", "beta", "4.0.0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the statement of `east` is not to be believed: it is about something else"
    );
}

#[test]
fn what_enrols_keys_comes_out_of_no_build() {
    let mut record = record("4.0.0");
    let before = rebuilt_files(&record);
    let file = record.artefacts.values().next().unwrap().clone();
    record.artefacts.insert("db.auth".to_owned(), file);
    assert_eq!(rebuilt_files(&record), before);
}

/// What a release says of the root that its images trust.
fn trusting(root: &[u8]) -> ReleaseRecord {
    let mut record = record("4.0.0");
    let artefact = Artefact { sha256: Digest::of_bytes(root), length: root.len() as u64 };
    record.artefacts.insert(ROOT_ARTEFACT.to_owned(), artefact);
    record
}

#[tokio::test]
async fn a_rebuild_trusts_the_root_of_the_release() {
    let mut world = World::new().await;
    let first = world.root.clone();
    world.renew(&["root-3"]).await.unwrap();
    let second = world.state().await.root.bytes().to_vec();
    let other = World::new().await.root;
    let root_of = async |own: &[u8], record: &ReleaseRecord| {
        world.repository.root_of(record, own).await.map_err(|error| error.to_string())
    };

    // Whatever came after it is as good as what the machine began with.
    assert_eq!(root_of(&first, &trusting(&first)).await.unwrap(), first);
    assert_eq!(root_of(&first, &trusting(&second)).await.unwrap(), second);
    assert_eq!(root_of(&second, &trusting(&second)).await.unwrap(), second);
    // Releases of before said nothing of it.
    assert_eq!(root_of(&second, &record("4.0.0")).await.unwrap(), second);
    // Nothing says whether one that came before, or that of others, is genuine.
    for (own, root) in [(&second, &first), (&first, &other)] {
        let refused = root_of(own, &trusting(root)).await.unwrap_err();
        let expected = format!("the images of 4.0.0 trust the root {}, ", Digest::of_bytes(root));
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

/// Agents that came before the root was named read such a record: it is a file as others.
#[test]
fn the_root_is_no_file_that_a_rebuild_makes() {
    let named = trusting(b"root");
    assert_eq!(rebuilt_files(&named), rebuilt_files(&record("4.0.0")));
    assert_eq!(ReleaseRecord::from_bytes(&named.to_bytes().unwrap()).unwrap(), named);
}
