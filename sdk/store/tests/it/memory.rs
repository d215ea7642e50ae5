//! The memory of file digests.

use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use slipway_store::{Digest, FileDigests};

use crate::Scratch;

fn age(path: &Utf8Path) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
}

fn entries(memory: &Utf8Path) -> usize {
    fs_err::read_to_string(memory).map_or(0, |text| text.lines().count() - 1)
}

#[test]
fn a_file_just_written_is_not_remembered() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"one");
    let memory = scratch.path("memory");
    let digests = FileDigests::open(&memory);
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"one"));
    // Its modification time alone does not make it old: the change time is new.
    age(&file);
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"one"));
    digests.save().unwrap();
    assert_eq!(entries(&memory), 0);
    fs_err::write(&file, b"two").unwrap();
    age(&file);
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"two"));
}

#[test]
fn settled_files_are_remembered_and_changes_seen() {
    let scratch = Scratch::new();
    let file = scratch.file("file name", b"one");
    let memory = scratch.path("deep/memory");
    std::thread::sleep(Duration::from_millis(2_100));
    let digests = FileDigests::open(&memory);
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"one"));
    digests.save().unwrap();
    assert_eq!(entries(&memory), 1);
    let digests = FileDigests::open(&memory);
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"one"));
    // Same size, and a modification time set back: the change time tells.
    let before = fs_err::metadata(&file).unwrap().modified().unwrap();
    fs_err::write(&file, b"two").unwrap();
    fs_err::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .file()
        .set_modified(before)
        .unwrap();
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"two"));
    let other = scratch.file("other", b"three");
    fs_err::rename(&other, &file).unwrap();
    assert_eq!(digests.digest_of(&file).unwrap(), Digest::of_bytes(b"three"));
    fs_err::remove_file(&file).unwrap();
    assert!(digests.digest_of(&file).unwrap_err().to_string().contains("file name"));
    assert_eq!(
        fs_err::read_dir(scratch.path("deep")).unwrap().count(),
        1,
        "no debris beside the memory"
    );
}

#[test]
fn what_is_remembered_is_not_read() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let digest = store.put_bytes(b"content").unwrap();
    drop(store);
    // A store that opens again trusts what it verified, so the memory file has the blob.
    let text = fs_err::read_to_string(scratch.path("store/digests")).unwrap();
    assert!(text.contains(&format!("{digest} 7 1000000000 0 ")), "{text}");
    let store = scratch.store();
    assert!(store.blob(&digest).unwrap().is_some());
}
