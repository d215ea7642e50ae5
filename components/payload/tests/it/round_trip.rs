//! What comes out is what went in.

use proptest::prelude::*;
use slipway_payload::{Digest, NoBase, PayloadError, apply, read_head};

use crate::support::{Images, noise};

#[track_caller]
fn check_full(new: &Images) {
    let (payload, written) = new.full();
    assert_eq!(written.length, payload.len() as u64);
    assert_eq!(written.sha256, Digest::of_bytes(&payload));
    let (mut usr, mut uki) = (Vec::new(), Vec::new());
    let applied =
        apply(&payload[..], Some(&written.head), &mut NoBase, &mut usr, &mut uki).unwrap();
    assert_eq!((usr, uki), (new.usr.clone(), new.uki.clone()));
    assert_eq!(applied.head.version.to_string(), new.version);
    assert_eq!(applied.head.usr_root_hash, written.usr_root_hash);
}

/// Gives the length of the payload.
#[track_caller]
fn check_delta(old: &Images, new: &Images) -> usize {
    let (payload, written) = new.delta_from(old);
    let (mut usr, mut uki) = (Vec::new(), Vec::new());
    let applied =
        apply(&payload[..], Some(&written.head), &mut old.base(), &mut usr, &mut uki).unwrap();
    assert!(usr == new.usr && uki == new.uki);
    assert_eq!(applied.head.base.map(|base| base.usr_root_hash), written.base_usr_root_hash);
    payload.len()
}

#[test]
fn images_of_many_frames() {
    // Not a multiple of a chunk; the content moved far, and a part of it is new.
    let old = Images { version: "4.0.0", usr: noise(1, 18 << 20), uki: noise(2, 5_000_001) };
    let mut usr = noise(3, 8192);
    usr.extend_from_slice(&old.usr[12 << 20..]);
    usr.extend_from_slice(&old.usr[..12 << 20]);
    usr[7 << 20..(7 << 20) + 100].fill(0);
    let mut uki = old.uki.clone();
    uki.splice(100..200, noise(4, 123));
    let new = Images { version: "4.1.0", usr, uki };
    check_full(&new);
    let length = check_delta(&old, &new);
    assert!(length < 64 << 10, "{length} bytes for 8 kB of news");
}

#[test]
fn a_delta_to_the_same_is_small_and_one_to_nothing_alike_is_no_worse_than_full() {
    let old = Images { version: "4.0.0", usr: noise(1, 5 << 20), uki: noise(2, 1 << 20) };
    let other = Images { version: "4.1.0", usr: noise(3, 5 << 20), uki: noise(4, 1 << 20) };
    let same = check_delta(&old, &Images { version: "4.0.1", ..old.clone() });
    assert!(same < 16 << 10, "{same} bytes for nothing");
    assert!(check_delta(&old, &other) < other.full().0.len() + 4096);
}

/// A base of the right name with other content: what comes out is refused.
#[test]
fn a_delta_on_the_wrong_base_is_refused() {
    let old = Images { version: "4.0.0", usr: noise(1, 1 << 20), uki: noise(2, 4096) };
    let mut new = old.clone();
    new.usr[5] ^= 1;
    let (payload, written) = new.delta_from(&old);
    let mut wrong = old.clone();
    wrong.usr[70_000] ^= 1;
    let result = apply(
        &payload[..],
        Some(&written.head),
        &mut wrong.base(),
        std::io::sink(),
        std::io::sink(),
    );
    assert!(matches!(result, Err(PayloadError::WrongImage { .. })), "{result:?}");
    let result =
        apply(&payload[..], Some(&written.head), &mut NoBase, std::io::sink(), std::io::sink());
    assert!(matches!(result, Err(PayloadError::OldImage { .. })), "{result:?}");
}

#[test]
fn images_that_no_payload_can_have() {
    #[track_caller]
    fn check(usr: &[u8], uki: &[u8], expected: &str) {
        let images = Images { version: "4.0.0", usr: usr.to_vec(), uki: uki.to_vec() };
        let result = slipway_payload::write_full(
            "amd64",
            &mut images.system(),
            crate::support::LEVEL,
            std::io::sink(),
        );
        assert_eq!(
            result.unwrap_err().to_string(),
            format!("the payload cannot be right: {expected}")
        );
    }
    check(&[1; 4095], &[1], "/usr is no whole number of blocks");
    check(&[], &[1], "/usr is no whole number of blocks");
    check(&[1; 4096], &[], "an image is empty");
}

#[test]
fn a_head_says_where_its_frames_are() {
    let images = Images { version: "4.0.0", usr: noise(1, 5 << 20), uki: noise(2, 4 << 20) };
    let (payload, written) = images.full();
    let head = read_head(&payload[..], Some(&written.head)).unwrap();
    assert_eq!(head.frames.len(), 3);
    for frame in &head.frames {
        let bytes = &payload[frame.position as usize..][..frame.length as usize];
        assert_eq!(Digest::of_bytes(bytes), frame.sha256);
    }
}

/// An old image, and one made of its pieces.
fn pairs() -> impl Strategy<Value = (Images, Images)> {
    let pieces = prop::collection::vec((0u64..6, 1usize..5, any::<bool>()), 1..12);
    let uki = prop::collection::vec(any::<u8>(), 1..3000);
    (pieces, uki.clone(), uki).prop_map(|(pieces, old_uki, new_uki)| {
        let image = |changed: bool| -> Vec<u8> {
            let piece = |(seed, blocks, new): &(u64, usize, bool)| {
                noise(seed + if changed && *new { 100 } else { 0 }, blocks * 4096)
            };
            pieces.iter().flat_map(piece).collect()
        };
        let old = Images { version: "4.0.0", usr: image(false), uki: old_uki };
        (old, Images { version: "4.1.0", usr: image(true), uki: new_uki })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_pair((old, new) in pairs()) {
        check_full(&new);
        check_delta(&old, &new);
    }
}
