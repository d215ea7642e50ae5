//! Each of these must fail, with an error that says what is wrong.

use slipway_signing::{Pending, RoleKeys, RoleName, SigningError};
use tough::schema::{Signed, Snapshot, Targets};

use crate::world::{World, chain, text};

/// Looks with a new client, which must refuse with this text.
#[track_caller]
fn refuse(result: Result<slipway_signing::Verified, String>, expected: &str) {
    let error = result.expect_err("the client took it");
    assert!(error.contains(expected), "{error}");
}

fn with_release() -> World {
    let mut world = World::new();
    world.release("alpha", &["4.0.0"]);
    world.switch();
    world
}

/// Changes some text of a file.
fn tamper(path: &camino::Utf8Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs_err::write(path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test]
async fn a_tampered_artefact() {
    let world = with_release();
    let seen = world.look(&world.root_bytes(), "client").await.unwrap();
    let name = "alpha/4.0.0/amd64/release.json";
    assert_eq!(seen.read(name).await.unwrap().unwrap(), text("4.0.0").as_bytes());
    world.put_target("alpha", "4.0.0", &text("4.0.0").replace("record", "R3cord"));
    let error = chain(&seen.read(name).await.unwrap_err());
    assert!(error.contains("Hash mismatch"), "{error}");
}

#[tokio::test]
async fn endless_data() {
    let world = with_release();
    let seen = world.look(&world.root_bytes(), "client").await.unwrap();
    world.put_target("alpha", "4.0.0", &text("4.0.0").repeat(1000));
    let error = chain(&seen.read("alpha/4.0.0/amd64/release.json").await.unwrap_err());
    assert!(error.contains("Maximum size"), "{error}");
}

#[tokio::test]
async fn tampered_metadata() {
    let world = with_release();
    for (file, from, to) in [
        ("timestamp.json", "\"version\": 2", "\"version\": 3"),
        ("2.snapshot.json", "\"version\": 2", "\"version\": 7"),
        ("1.targets.json", "alpha/**", "gamma/**"),
        ("2.alpha.json", "4.0.0", "4.0.1"),
    ] {
        let path = world.metadata(file);
        let good = fs_err::read(&path).unwrap();
        tamper(&path, from, to);
        refuse(world.look(&world.root_bytes(), file).await, "not to be trusted");
        fs_err::write(&path, good).unwrap();
        world.look(&world.root_bytes(), file).await.unwrap();
    }
}

#[tokio::test]
async fn one_signature_below_the_threshold() {
    let mut world = with_release();
    let keys = world.keys_of("stable");
    let mut pending = world.pending("stable", &["4.0.0"]);
    pending.sign(world.key("stable-1"), &[&keys]).unwrap();
    // Signing twice is still one signature.
    pending.sign(world.key("stable-1"), &[&keys]).unwrap();
    let error = pending.clone().complete(&[&keys]).unwrap_err();
    assert!(error.to_string().starts_with("`stable` has 1 of 2 signatures"), "{error}");
    // Whoever publishes it all the same convinces nobody: these keys say that one signature is enough.
    let easy = RoleKeys { threshold: std::num::NonZeroU64::MIN, ..keys };
    let forged = pending.complete(&[&easy]).unwrap();
    world.put_channel("stable", forged);
    world.switch();
    refuse(world.look(&world.root_bytes(), "client").await, "threshold of 2");
}

#[tokio::test]
async fn the_key_of_another_channel() {
    let mut world = with_release();
    let keys = world.keys_of("stable");
    let mut pending = world.pending("stable", &["6.6.6"]);
    let error = pending.sign(world.key("alpha"), &[&keys]).unwrap_err();
    assert!(matches!(error, SigningError::NotOfRole { .. }), "{error}");
    let alpha = world.keys_of("alpha");
    pending.sign(world.key("alpha"), &[&alpha]).unwrap();
    let forged = pending.complete(&[&alpha]).unwrap();
    world.put_channel("stable", forged);
    world.switch();
    refuse(world.look(&world.root_bytes(), "client").await, "threshold of 2");
}

/// Alpha's signer, whose key was stolen, lists a target of stable in alpha's metadata.
#[tokio::test]
async fn a_stolen_key_of_alpha_releases_nothing_in_stable() {
    let mut world = with_release();
    let keys = world.keys_of("alpha");
    let json = String::from_utf8(world.pending("alpha", &["6.6.6"]).to_json().unwrap()).unwrap();
    let json = json.replace("alpha/6.6.6", "stable/6.6.6");
    let mut pending: Pending<Targets> =
        Pending::from_json("alpha".parse().unwrap(), json.as_bytes()).unwrap();
    pending.sign(world.key("alpha"), &[&keys]).unwrap();
    let forged = pending.complete(&[&keys]).unwrap();
    world.put_channel("alpha", forged);
    world.put_target("stable", "6.6.6", &text("6.6.6"));
    world.switch();
    let expected = "Target file not delegated: stable/6.6.6/amd64/release.json";
    refuse(world.look(&world.root_bytes(), "client").await, expected);
}

#[tokio::test]
async fn a_replay_of_older_metadata() {
    let mut world = with_release();
    let old = fs_err::read(world.metadata("timestamp.json")).unwrap();
    world.release("alpha", &["4.0.0", "4.1.0"]);
    world.switch();
    world.look(&world.root_bytes(), "client").await.unwrap();
    fs_err::write(world.metadata("timestamp.json"), old).unwrap();
    refuse(world.look(&world.root_bytes(), "client").await, "previously fetched version 3");
}

#[tokio::test]
async fn a_timestamp_that_does_not_move_on() {
    let mut world = World::new();
    world.now -= jiff::SignedDuration::from_hours(24 * 4);
    world.switch();
    let refused = world.try_look(&world.root_bytes(), "client").await.unwrap_err();
    assert_eq!(
        chain(&refused),
        "the repository is not to be trusted: timestamp metadata is expired"
    );
    assert_eq!(refused.expired(), Some(RoleName::Timestamp));
}

#[tokio::test]
async fn a_mix_of_two_snapshots() {
    let mut world = with_release();
    world.release("alpha", &["4.0.0", "4.1.0"]);
    world.switch();
    // The newest snapshot, and beside it the channel as it was before.
    let old = fs_err::read(world.metadata("2.alpha.json")).unwrap();
    let good = fs_err::read(world.metadata("3.alpha.json")).unwrap();
    fs_err::write(world.metadata("3.alpha.json"), old).unwrap();
    refuse(world.look(&world.root_bytes(), "client").await, "Hash mismatch");
    fs_err::write(world.metadata("3.alpha.json"), good).unwrap();
    world.look(&world.root_bytes(), "client").await.unwrap();
    // A snapshot that speaks of a version which was never signed so.
    let path = world.metadata("3.snapshot.json");
    let mut signed: Signed<Snapshot> =
        serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    signed.signed.meta.remove("alpha.json");
    fs_err::write(&path, serde_json::to_vec(&signed).unwrap()).unwrap();
    refuse(world.look(&world.root_bytes(), "other").await, "not to be trusted");
}

#[tokio::test]
async fn an_expired_root_with_a_rotated_successor() {
    let mut world = World::new();
    let now = world.now;
    // A root of long ago.
    world.now = now - jiff::SignedDuration::from_hours(24 * 400);
    world.sign_root(&["root-1", "root-2"]);
    let old = world.root_bytes();
    refuse(world.look(&old, "early").await, "expired");
    world.now = now;
    world.sign_root(&["root-1", "root-2"]);
    world.look(&old, "late").await.unwrap();
}

#[tokio::test]
async fn a_root_that_its_predecessor_did_not_sign() {
    let world = World::new();
    let other = World::new();
    // Another's next root, whole and well signed, but by other keys.
    let forged = String::from_utf8(other.root_bytes()).unwrap();
    fs_err::write(
        world.metadata("2.root.json"),
        forged.replace("\"version\": 1", "\"version\": 2"),
    )
    .unwrap();
    refuse(world.look(&world.root_bytes(), "client").await, "threshold of 2");
}

#[test]
fn keys_of_a_role_come_from_what_is_trusted_only() {
    let world = World::new();
    let error = RoleKeys::of_root(world.root(), &"alpha".parse::<RoleName>().unwrap()).unwrap_err();
    assert!(chain(&error).contains("the root knows no channels"), "{error}");
}
