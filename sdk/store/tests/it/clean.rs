//! Cleaning by age and by a set of what to keep.

use std::collections::BTreeSet;

use slipway_store::archive::TarOptions;
use slipway_store::{CleanKind, CleanPolicy};

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
