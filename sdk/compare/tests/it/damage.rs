//! Damaged files are compared all the same.

use proptest::{prelude::*, sample::Index};

use crate::{
    difference, gpkg, message,
    samples::{Partition, cpio, disk, elf, file, zstd},
};

fn samples() -> Vec<Vec<u8>> {
    vec![
        gpkg(b"#!/bin/sh", 3),
        cpio(&[file("a", b"1"), file("b", b"2")]),
        zstd(&cpio(&[file("a", b"1")]), 3),
        disk(&[Partition { label: "USR-A", first: 40, last: 63, uuid: 1 }]),
        elf(b"text"),
    ]
}

#[test]
fn what_is_cut_off_is_compared_by_bytes() {
    for sample in samples() {
        for cut in [1, sample.len() / 3, sample.len() / 2] {
            let message = message(&sample, &sample[..sample.len() - cut]);
            assert!(message.contains("the end"), "{message}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_follow_a_magic(
        sample in prop::sample::select(samples()),
        // As long as the magic, or as the first header.
        kept in prop::sample::select(vec![6, 64, 263, 520, 604]),
        rest in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let kept = &sample[..kept.min(sample.len())];
        let other: Vec<u8> = [kept, &rest].concat();
        let mut another = other.clone();
        another.push(1);
        prop_assert_eq!(difference(&sample, &other).is_some(), sample != other);
        prop_assert!(difference(&other, &another).is_some());
    }

    #[test]
    fn any_byte_may_change(
        sample in prop::sample::select(samples()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut other = sample.clone();
        for (at, byte) in changes {
            other[at.index(sample.len())] = byte;
        }
        prop_assert_eq!(difference(&sample, &other).is_some(), sample != other);
    }
}
