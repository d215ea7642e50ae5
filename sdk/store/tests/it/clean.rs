//! Cleaning by age and by a set of what to keep.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use slipway_store::archive::TarOptions;
use slipway_store::{CleanKind, CleanPolicy, Digest, Store};

use crate::{Scratch, key, record_of};

const FAR_FUTURE: u64 = 1 << 40;

#[test]
fn keeps_what_was_named() {
    let scratch = Scratch::new();
    let store = scratch.store();
    scratch.file("tree/file", b"x");
    let a = store.put_bytes(b"a").unwrap();
    let b = store.put_bytes(b"b").unwrap();
    let tree = store.put_tree(&scratch.path("tree"), &TarOptions::plain(0)).unwrap();
    store.tree(&tree).unwrap();
    store.record(&key("a"), &record_of(&[("o", a)])).unwrap();
    store.record(&key("b"), &record_of(&[("o", b)])).unwrap();
    fs_err::write(store.root().join("quarantine/bad"), b"bad").unwrap();

    let plan =
        store.plan_clean(&CleanPolicy { used_since: None, keep: BTreeSet::from([a]) }).unwrap();
    let kinds: Vec<_> = plan.items.iter().map(|item| item.kind).collect();
    assert_eq!(
        kinds,
        [
            CleanKind::Record,
            CleanKind::Tree,
            CleanKind::Blob,
            CleanKind::Blob,
            CleanKind::Quarantined
        ]
    );
    assert!(plan.bytes() > 0);
    assert!(store.blob(&b).unwrap().is_some(), "a plan changes nothing");

    let report = store.clean(&plan).unwrap();
    assert_eq!((report.removed, report.bytes), (5, plan.bytes()));
    assert!(store.lookup(&key("a")).unwrap().is_some());
    assert_eq!(store.lookup(&key("b")).unwrap(), None);
    assert_eq!(store.blob(&b).unwrap(), None);
    assert!(scratch.store().tree(&tree).is_err());
}

/// Sets when the record of an action was last of use; a day that lies ahead, because that of a blob itself cannot be set.
fn use_at(store: &Store, name: &str, day: u64) {
    let key = Digest::of_bytes(name.as_bytes()).to_string();
    let path = store.root().join("actions").join(&key[..2]).join(key);
    let at = SystemTime::UNIX_EPOCH
        + Duration::from_hours(24) * (1 << 17)
        + Duration::from_hours(24 * day);
    fs_err::File::options().append(true).open(path).unwrap().file().set_modified(at).unwrap();
}

#[test]
fn what_was_used_last_is_kept_as_far_as_it_fits() {
    let scratch = Scratch::new();
    let store = scratch.store();
    scratch.file("tree/file", vec![7; 1 << 20]);
    let tree = store.put_tree(&scratch.path("tree"), &TarOptions::plain(0)).unwrap();
    store.tree(&tree).unwrap();
    let blobs: Vec<_> = (1..4).map(|n| store.put_bytes(&vec![n; 1 << 20]).unwrap()).collect();
    for (name, day, outputs) in [
        ("tree", 1, vec![("o", tree)]),
        ("old", 2, vec![("o", blobs[0])]),
        ("both", 3, vec![("o", blobs[1]), ("p", blobs[2])]),
        ("shared", 1, vec![("o", blobs[1])]),
    ] {
        store.record(&key(name), &record_of(&outputs)).unwrap();
        use_at(&store, name, day);
    }
    let none = CleanPolicy { used_since: None, keep: BTreeSet::new() };
    let plan = store.plan_clean(&none).unwrap();
    let size = |digest: &Digest| -> u64 {
        let name = digest.to_string();
        let of = plan.items.iter().filter(|item| item.path.ends_with(&name));
        of.filter(|item| item.kind != CleanKind::Record).map(|item| item.bytes).sum()
    };
    let sizes: Vec<u64> = blobs.iter().map(&size).collect();
    assert!(size(&tree) > 1 << 20, "its content and what is unpacked of it");
    let check = |bytes: u64, expected: &[Digest]| {
        assert_eq!(store.used_last(bytes).unwrap(), expected.iter().copied().collect(), "{bytes}");
    };
    let (two, three) = (sizes[1] + sizes[2], sizes.iter().sum::<u64>());
    check(0, &[]);
    assert_eq!(store.used_last(two - 1).unwrap().len(), 1, "as much as there is room for");
    check(two, &blobs[1..]);
    check(three - 1, &blobs[1..]);
    check(three, &blobs);
    check(three + size(&tree) - 1, &blobs);
    check(three + size(&tree), &[&blobs[..], &[tree]].concat());

    let keep = store.used_last(three).unwrap();
    store.clean(&store.plan_clean(&CleanPolicy { used_since: None, keep }).unwrap()).unwrap();
    for (name, expected) in [("tree", false), ("old", true), ("both", true), ("shared", true)] {
        assert_eq!(store.lookup(&key(name)).unwrap().is_some(), expected, "{name}");
    }
}

#[test]
fn keeps_by_age() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let a = store.put_bytes(b"a").unwrap();
    store.record(&key("a"), &record_of(&[("o", a)])).unwrap();
    let all = CleanPolicy { used_since: Some(1), keep: BTreeSet::new() };
    assert_eq!(store.plan_clean(&all).unwrap().items, []);
    let none = CleanPolicy { used_since: Some(FAR_FUTURE), keep: BTreeSet::new() };
    let plan = store.plan_clean(&none).unwrap();
    assert_eq!(plan.items.len(), 2);
    store.clean(&plan).unwrap();
    assert_eq!(store.plan_clean(&none).unwrap().items, []);
    // Cleaning twice is fine.
    store.clean(&plan).unwrap();
}
