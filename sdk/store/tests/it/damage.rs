//! Damage of every kind of entry is noticed, set aside or rebuilt, and never used.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::Utf8Path;
use slipway_store::archive::TarOptions;
use slipway_store::{Digest, Ingest, Store, StoreError};

use crate::{Scratch, debris, key, record_of};

type Damage = fn(&Utf8Path);

const DAMAGES: [(&str, Damage); 6] = [
    ("flipped bit", flip_bit),
    ("truncated", |path| unlocked(path).set_len(3).unwrap()),
    ("emptied", |path| unlocked(path).set_len(0).unwrap()),
    ("deleted", |path| fs_err::remove_file(path).unwrap()),
    ("replaced by a directory", |path| {
        fs_err::remove_file(path).unwrap();
        fs_err::create_dir(path).unwrap();
    }),
    ("replaced by a symlink", |path| {
        fs_err::remove_file(path).unwrap();
        fs_err::os::unix::fs::symlink("/etc/passwd", path).unwrap();
    }),
];

fn unlocked(path: &Utf8Path) -> fs_err::File {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
    file
}

fn flip_bit(path: &Utf8Path) {
    use std::os::unix::fs::FileExt as _;
    let file = unlocked(path);
    let mut byte = [0];
    file.file().read_exact_at(&mut byte, 5).unwrap();
    file.file().write_all_at(&[byte[0] ^ 4], 5).unwrap();
}

fn find(dir: &Utf8Path, name: &str) -> camino::Utf8PathBuf {
    dir.join(&name[..2]).join(name)
}

#[test]
fn a_blob_is_stored_read_only_and_found_again() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = store.put_bytes(b"content").unwrap();
    assert_eq!(digest, Digest::of_bytes(b"content"));
    let path = store.blob(&digest).unwrap().unwrap();
    assert_eq!(path, find(&store.root().join("blobs"), &digest.to_string()));
    assert_eq!(fs_err::metadata(&path).unwrap().mode() & 0o7777, 0o444);
    assert!(store.has_blob(&digest));
    assert!(!store.has_blob(&Digest::of_bytes(b"other")));
    assert_eq!(store.blob(&Digest::of_bytes(b"other")).unwrap(), None);
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn files_are_copied_or_moved() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let file = scratch.file("file", b"some bytes");
    let digest = store.put_file(&file, Ingest::Copy).unwrap();
    assert!(file.exists());
    assert_eq!(store.put_file(&file, Ingest::Move).unwrap(), digest);
    assert!(!file.exists());
    let other = scratch.file("other", b"moved");
    let moved = store.put_file(&other, Ingest::Move).unwrap();
    assert_eq!(fs_err::read(store.blob(&moved).unwrap().unwrap()).unwrap(), b"moved");
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn a_file_with_a_second_name_is_not_shared_with_it() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let file = scratch.file("file", b"shared");
    fs_err::hard_link(&file, scratch.path("second")).unwrap();
    let digest = store.put_file(&file, Ingest::Move).unwrap();
    assert!(!file.exists());
    fs_err::write(scratch.path("second"), b"changed").unwrap();
    assert_eq!(fs_err::read(store.blob(&digest).unwrap().unwrap()).unwrap(), b"shared");
}

#[test]
fn only_regular_files_are_stored() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let error = store.put_file(&scratch.path(""), Ingest::Copy).unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    let error = store.put_file(&scratch.path("absent"), Ingest::Move).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn a_damaged_blob_is_set_aside_and_rebuilt() {
    for (name, damage) in DAMAGES {
        for reopen in [false, true] {
            let scratch = Scratch::new();
            let mut store = scratch.store();
            let digest = store.put_bytes(b"precious content").unwrap();
            let path = store.blob(&digest).unwrap().unwrap();
            damage(&path);
            if reopen {
                drop(store);
                store = scratch.store();
            }
            assert_eq!(store.blob(&digest).unwrap(), None, "{name}");
            assert!(!store.has_blob(&digest), "{name}");
            let kept = store.root().join("quarantine").join(digest.to_string());
            assert_eq!(fs_err::symlink_metadata(kept).is_ok(), name != "deleted", "{name}");
            assert_eq!(store.put_bytes(b"precious content").unwrap(), digest);
            let path = store.blob(&digest).unwrap().unwrap();
            assert_eq!(fs_err::read(path).unwrap(), b"precious content", "{name}");
        }
    }
}

#[test]
fn putting_repairs_a_damaged_blob() {
    for (name, damage) in DAMAGES {
        let scratch = Scratch::new();
        let store = scratch.store();
        let digest = store.put_bytes(b"precious content").unwrap();
        damage(&store.blob(&digest).unwrap().unwrap());
        store.put_bytes(b"precious content").unwrap();
        let path = store.blob(&digest).unwrap().unwrap();
        assert_eq!(fs_err::read(path).unwrap(), b"precious content", "{name}");
    }
}

#[test]
fn a_wrong_mode_is_put_right() {
    for mode in [0o644, 0o777, 0o000] {
        let scratch = Scratch::new();
        let store = scratch.store();
        let digest = store.put_bytes(b"precious content").unwrap();
        let path = store.blob(&digest).unwrap().unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(store.blob(&digest).unwrap().as_ref(), Some(&path));
        assert_eq!(fs_err::metadata(&path).unwrap().mode() & 0o7777, 0o444);
    }
}

#[test]
fn scrubbing_finds_damage_that_hides_its_time() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = store.put_bytes(b"precious content").unwrap();
    let sound = store.put_bytes(b"sound").unwrap();
    let path = store.blob(&digest).unwrap().unwrap();
    let times = fs_err::metadata(&path).unwrap();
    flip_bit(&path);
    let file = unlocked(&path);
    file.file().set_modified(times.modified().unwrap()).unwrap();
    assert_eq!(store.scrub().unwrap(), [digest]);
    assert_eq!(store.blob(&digest).unwrap(), None);
    assert!(store.blob(&sound).unwrap().is_some());
}

#[test]
fn a_record_is_found_while_its_outputs_are_sound() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let (a, b) = (
        store.put_bytes(b"output number a").unwrap(),
        store.put_bytes(b"output number b").unwrap(),
    );
    let record = record_of(&[("a", a), ("b", b)]);
    store.record(&key("k"), &record).unwrap();
    assert_eq!(store.lookup(&key("k")).unwrap(), Some(record.clone()));
    assert_eq!(store.lookup(&key("other")).unwrap(), None);
    assert_eq!(
        store.latest("package", "sys-apps/sed-4.9").unwrap(),
        Some((key("k"), record.clone()))
    );
    assert_eq!(store.latest("package", "other").unwrap(), None);
    for (name, damage) in DAMAGES {
        damage(&store.blob(&b).unwrap().unwrap());
        assert_eq!(store.lookup(&key("k")).unwrap(), None, "{name}");
        assert_eq!(store.recorded(&key("k")).unwrap(), Some(record.clone()));
        store.put_bytes(b"output number b").unwrap();
        assert!(store.lookup(&key("k")).unwrap().is_some(), "{name}");
    }
}

#[test]
fn a_damaged_record_is_absent_and_can_be_written_again() {
    for (name, damage) in &DAMAGES {
        if name.contains("directory") {
            continue;
        }
        let scratch = Scratch::new();
        let store = scratch.store();
        let record = record_of(&[("a", store.put_bytes(b"a").unwrap())]);
        store.record(&key("k"), &record).unwrap();
        let path = find(&store.root().join("actions"), &key("k").to_string());
        damage(&path);
        assert_eq!(store.lookup(&key("k")).unwrap(), None, "{name}");
        assert_eq!(store.latest("package", "sys-apps/sed-4.9").unwrap(), None, "{name}");
        store.record(&key("k"), &record).unwrap();
        assert_eq!(store.lookup(&key("k")).unwrap(), Some(record), "{name}");
    }
}

#[test]
fn the_record_of_another_key_is_not_used() {
    let scratch = Scratch::new();
    let store = scratch.store();
    store.record(&key("k"), &record_of(&[])).unwrap();
    let actions = store.root().join("actions");
    let to = find(&actions, &key("l").to_string());
    fs_err::create_dir_all(to.parent().unwrap()).unwrap();
    fs_err::copy(find(&actions, &key("k").to_string()), to).unwrap();
    assert_eq!(store.lookup(&key("l")).unwrap(), None);
}

fn tree_in(scratch: &Scratch, store: &Store) -> Digest {
    scratch.file("tree/bin/tool", b"#!/bin/tool and more");
    scratch.file("tree/etc/conf", b"conf");
    fs_err::os::unix::fs::symlink("tool", scratch.path("tree/bin/alias")).unwrap();
    store.put_tree(&scratch.path("tree"), &TarOptions::plain(1_000_000)).unwrap()
}

#[test]
fn a_tree_is_unpacked_once() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = tree_in(&scratch, &store);
    let tree = store.tree(&digest).unwrap();
    assert_eq!(fs_err::read(tree.join("bin/alias")).unwrap(), b"#!/bin/tool and more");
    let inode = fs_err::metadata(tree.join("bin/tool")).unwrap().ino();
    assert_eq!(scratch.store().tree(&digest).unwrap(), tree);
    assert_eq!(fs_err::metadata(tree.join("bin/tool")).unwrap().ino(), inode);
    // Links to its files do not count as damage.
    fs_err::hard_link(tree.join("bin/tool"), scratch.path("linked")).unwrap();
    scratch.store().tree(&digest).unwrap();
    assert_eq!(fs_err::metadata(tree.join("bin/tool")).unwrap().ino(), inode);
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn a_damaged_tree_is_unpacked_again() {
    let damages: [(&str, Damage); 8] = [
        ("flipped bit", |tree| flip_bit(&tree.join("root/bin/tool"))),
        ("truncated", |tree| unlocked(&tree.join("root/bin/tool")).set_len(3).unwrap()),
        ("deleted", |tree| fs_err::remove_file(tree.join("root/etc/conf")).unwrap()),
        ("mode", |tree| {
            fs_err::set_permissions(
                tree.join("root/bin/tool"),
                std::fs::Permissions::from_mode(0o777),
            )
            .unwrap();
        }),
        ("added", |tree| fs_err::write(tree.join("root/etc/more"), "").unwrap()),
        ("stamp lost", |tree| fs_err::remove_file(tree.join("stamp")).unwrap()),
        ("stamp damaged", |tree| fs_err::write(tree.join("stamp"), "slipway-tree 1").unwrap()),
        ("root lost", |tree| fs_err::remove_dir_all(tree.join("root")).unwrap()),
    ];
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = tree_in(&scratch, &store);
    for (name, damage) in damages {
        let root = scratch.store().tree(&digest).unwrap();
        damage(root.parent().unwrap());
        // Another process: what this one has verified, it does not walk again.
        let root = scratch.store().tree(&digest).unwrap();
        assert_eq!(fs_err::read(root.join("bin/tool")).unwrap(), b"#!/bin/tool and more", "{name}");
        assert_eq!(fs_err::read(root.join("etc/conf")).unwrap(), b"conf", "{name}");
        assert_eq!(
            fs_err::metadata(root.join("bin/tool")).unwrap().mode() & 0o777,
            0o644,
            "{name}"
        );
        assert!(!root.join("etc/more").exists(), "{name}");
    }
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn the_tree_of_a_damaged_archive_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = tree_in(&scratch, &store);
    flip_bit(&store.blob(&digest).unwrap().unwrap());
    let error = store.tree(&digest).unwrap_err();
    assert!(matches!(error, StoreError::MissingArchive { .. }), "{error}");
    let error = store.tree(&store.put_bytes(b"this is not a tar archive").unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Archive { .. }), "{error}");
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn threads_share_one_unpacking() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = tree_in(&scratch, &store);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // Stores of their own, as other processes have.
            scope.spawn(|| {
                let root = scratch.store().tree(&digest).unwrap();
                assert_eq!(fs_err::read(root.join("bin/tool")).unwrap(), b"#!/bin/tool and more");
            });
        }
    });
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
fn a_damaged_memory_is_an_empty_one() {
    for (name, damage) in DAMAGES {
        let scratch = Scratch::new();
        let store = scratch.store();
        let digest = store.put_bytes(b"precious content").unwrap();
        drop(store);
        let memory = scratch.path("store/digests");
        assert!(memory.exists());
        damage(&memory);
        let store = scratch.store();
        assert!(store.blob(&digest).unwrap().is_some(), "{name}");
    }
}
