//! Comparing from outside: two files in, one message out.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod damage;
mod elf;
mod samples;

use camino::Utf8Path;
use insta::assert_snapshot;
use samples::{File, Partition, cpio, disk, file, tar, zstd};
use slipway_compare::{Difference, compare};

fn difference(first: &[u8], second: &[u8]) -> Option<Difference> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name| Utf8Path::from_path(dir.path()).unwrap().join(name);
    fs_err::write(path("a"), first).unwrap();
    fs_err::write(path("b"), second).unwrap();
    compare(&path("a"), &path("b")).unwrap()
}

fn message(first: &[u8], second: &[u8]) -> String {
    difference(first, second).map_or_else(|| "identical".to_owned(), |found| found.to_string())
}

#[test]
fn plain_files_differ_at_a_byte() {
    assert_snapshot!(message(b"", b""), @"identical");
    assert_snapshot!(message(b"built by ann", b"built by ben"), @r#"byte 9 differs: 61 6e 6e "ann" and 62 65 6e "ben""#);
    assert_snapshot!(message(b"abc\n", b"abc\ndef and what comes after it\n"), @r#"byte 4 differs: the end and 64 65 66 20 61 6e 64 20 77 68 61 74 20 63 6f 6d "def and what com", of 4 and 32 bytes"#);
    let mut large = vec![7; 300_000];
    large[299_999] = 8;
    assert_snapshot!(message(&[7; 300_000], &large), @r#"byte 299999 differs: 07 "." and 08 ".""#);
}

#[test]
fn members_differ_by_what_an_archive_knows_of_them() {
    let base = || file("usr/bin/a", b"text");
    let cases = [
        ("nothing", vec![base()]),
        ("mode", vec![File { mode: 0o755, ..base() }]),
        ("uid", vec![File { uid: 1000, ..base() }]),
        ("gid", vec![File { gid: 250, ..base() }]),
        ("mtime", vec![File { mtime: 1_700_000_000, ..base() }]),
        ("content", vec![File { content: b"tent".to_vec(), ..base() }]),
        ("kind", vec![File { link: Some("b"), content: vec![], ..base() }]),
        ("more", vec![base(), file("usr/bin/b", b"")]),
        ("another", vec![file("usr/bin/0", b""), base()]),
        ("none", vec![]),
    ];
    let list = |archive: fn(&[File]) -> Vec<u8>| {
        let line = |(name, other): &(&str, Vec<File>)| {
            format!("{name}: {}", message(&archive(&[base()]), &archive(other)))
        };
        cases.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(list(tar), @r#"
    nothing: identical
    mode: `usr/bin/a`: mode differs: 0644 and 0755
    uid: `usr/bin/a`: uid differs: 0 and 1000
    gid: `usr/bin/a`: gid differs: 0 and 250
    mtime: `usr/bin/a`: mtime differs: 0 and 1700000000
    content: `usr/bin/a`: byte 2 differs: 78 74 "xt" and 6e 74 "nt"
    kind: `usr/bin/a`: type differs: file and symbolic link
    more: `usr/bin/b`: only in the second
    another: `usr/bin/0`: only in the second
    none: byte 0 differs: 75 73 72 2f 62 69 6e 2f 61 00 00 00 00 00 00 00 "usr/bin/a......." and 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................", of 2048 and 1024 bytes
    "#);
    assert_snapshot!(list(cpio), @r#"
    nothing: identical
    mode: `usr/bin/a`: mode differs: 100644 and 100755
    uid: `usr/bin/a`: uid differs: 0 and 1000
    gid: `usr/bin/a`: gid differs: 0 and 250
    mtime: `usr/bin/a`: mtime differs: 0 and 1700000000
    content: `usr/bin/a`: byte 2 differs: 78 74 "xt" and 6e 74 "nt"
    kind: `usr/bin/a`: mode differs: 100644 and 120644
    more: `usr/bin/b`: only in the second
    another: `usr/bin/0`: only in the second
    none: byte 19 differs: 31 41 34 30 30 30 30 30 30 30 30 30 30 30 30 30 "1A40000000000000" and 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 "0000000000000000", of 248 and 124 bytes
    "#);
}

#[test]
fn links_and_the_order_of_members_are_compared() {
    let link = |target| File { link: Some(target), ..file("lib", b"") };
    for archive in [tar, cpio] {
        assert_eq!(
            message(&archive(&[link("usr/lib")]), &archive(&[link("usr/lib64")])),
            "`lib`: link target differs: `usr/lib` and `usr/lib64`"
        );
        let (one, other) = (file("a", b"1"), file("b", b"2"));
        assert_eq!(
            message(&archive(&[one.clone(), other.clone()]), &archive(&[other, one])),
            "`a`: position differs: 1 and 2"
        );
    }
}

/// A binary package as Portage makes it: a plain archive of compressed ones.
fn gpkg(text: &[u8], level: i32) -> Vec<u8> {
    let initrd = cpio(&[file("init", text)]);
    let image = tar(&[file("image/usr/share/doc", b"same"), file("image/usr/initrd", &initrd)]);
    let metadata = tar(&[file("metadata/USE", b"ssl")]);
    tar(&[
        file("p/gpkg-1", b""),
        file("p/metadata.tar.zst", &zstd(&metadata, 3)),
        file("p/image.tar.zst", &zstd(&image, level)),
    ])
}

#[test]
fn archives_inside_of_archives_are_looked_into() {
    assert_snapshot!(message(&gpkg(b"#!/bin/sh", 3), &gpkg(b"#!/bin/ash", 3)), @r#"`p/image.tar.zst` › decompressed › `image/usr/initrd` › `init`: byte 7 differs: 73 68 "sh" and 61 73 68 "ash", of 9 and 10 bytes"#);
}

#[test]
fn when_all_inside_is_equal_the_outer_bytes_are_named() {
    let text = "so much text that the levels of zstd make something of it ".repeat(40);
    let message_of_levels = message(&gpkg(text.as_bytes(), 1), &gpkg(text.as_bytes(), 19));
    assert!(message_of_levels.starts_with("`p/image.tar.zst`: byte "), "{message_of_levels}");
    assert!(message_of_levels.ends_with("; what is inside is equal"), "{message_of_levels}");
    let archive = tar(&[file("a", b"1")]);
    let padded = [&archive[..], &[0; 8192]].concat();
    assert_snapshot!(message(&archive, &padded), @r#"byte 2048 differs: the end and 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................", of 2048 and 10240 bytes; what is inside is equal"#);
}

#[test]
fn an_initrd_of_two_archives_is_compared_to_its_end() {
    let initrd = |text: &[u8]| {
        [cpio(&[file("early", b"")]), vec![0; 64], zstd(&cpio(&[file("init", text)]), 3)].concat()
    };
    assert_snapshot!(message(&initrd(b"1"), &initrd(b"2")), @r#"after the end of the archive › decompressed › `init`: byte 0 differs: 31 "1" and 32 "2""#);
}

#[test]
fn a_compressed_disk_is_looked_into() {
    let mut large = vec![0; 10 << 20];
    let disk = disk(&[Partition { label: "ROOT", first: 100, last: 20_000, uuid: 1 }]);
    large[..disk.len()].copy_from_slice(&disk);
    let first = zstd(&large, 1);
    large[100 * 512 + 9_000_000] = b'!';
    assert_snapshot!(message(&first, &zstd(&large, 1)), @r#"decompressed › partition 1 `ROOT`: byte 9000000 differs: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................" and 21 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "!...............""#);
}

#[test]
fn disks_differ_in_the_table_then_in_a_partition_then_in_identifiers() {
    let parts = [
        Partition { label: "EFI-SYSTEM", first: 40, last: 47, uuid: 1 },
        Partition { label: "USR-A", first: 48, last: 63, uuid: 2 },
    ];
    let first = disk(&parts);
    let changed = |index: usize, part: Partition, at: usize| {
        let mut parts = parts.clone();
        parts[index] = part;
        let mut second = disk(&parts);
        second[at] ^= 1;
        message(&first, &second)
    };
    let [esp, usr] = parts.clone();
    let content = 48 * 512 + 1000;
    assert_snapshot!(changed(1, Partition { last: 62, ..usr.clone() }, content), @"partition 2 `USR-A`: last sector differs: 63 and 62");
    assert_snapshot!(changed(1, Partition { label: "USR-B", ..usr.clone() }, content), @"partition 2 `USR-A`: only in the first");
    assert_snapshot!(changed(0, Partition { uuid: 9, ..esp.clone() }, content), @r#"partition 2 `USR-A`: byte 1000 differs: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................" and 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................""#);
    assert_snapshot!(changed(0, Partition { uuid: 9, ..esp.clone() }, 0), @"partition 1 `EFI-SYSTEM`: UUID differs: 01010101-0101-0101-0101-010101010101 and 09090909-0909-0909-0909-090909090909");
    assert_snapshot!(changed(0, esp, 440), @r#"byte 440 differs: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................" and 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................"; what is inside is equal"#);
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_both() {
    let error = compare("/nowhere/a".into(), "/nowhere/b".into()).unwrap_err();
    assert_snapshot!(error, @"cannot compare `/nowhere/a` with `/nowhere/b`");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("`/nowhere/a`"));
}
