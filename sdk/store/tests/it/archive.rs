//! Archives: equal trees give equal bytes, and unpacking gives the tree back.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, XattrFlags};
use slipway_store::archive::{
    ArchiveError, Compress, HardLinks, Member, MemberKind, Owner, Reader, TarOptions,
    UnpackOptions, Writer, decompress, unpack, unpack_file, write_tree,
};

use crate::{Scratch, is_root};

const CLAMP: i64 = 1_600_000_000;

fn pack(dir: &Utf8Path, options: &TarOptions<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_tree(dir, &mut bytes, options).unwrap();
    bytes
}

fn plain(dir: &Utf8Path) -> Vec<u8> {
    pack(dir, &TarOptions::plain(CLAMP))
}

fn members(bytes: &[u8]) -> Vec<Member> {
    let mut reader = Reader::new(bytes);
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        members.push(entry.member().clone());
    }
    members
}

fn set_mtime(path: &Utf8Path, seconds: u64) {
    let file = fs_err::File::open(path).unwrap();
    file.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

/// A tree with one of everything that the user may make.
fn sample(dir: &Utf8Path) {
    fs_err::create_dir_all(dir.join("usr/bin")).unwrap();
    fs_err::write(dir.join("usr/bin/tool"), b"tool").unwrap();
    fs_err::set_permissions(dir.join("usr/bin/tool"), std::fs::Permissions::from_mode(0o4755))
        .unwrap();
    fs_err::hard_link(dir.join("usr/bin/tool"), dir.join("usr/bin/another")).unwrap();
    fs_err::os::unix::fs::symlink("usr/bin", dir.join("bin")).unwrap();
    fs_err::os::unix::fs::symlink("x".repeat(180), dir.join("far")).unwrap();
    let long = dir.join("d".repeat(120)).join("e".repeat(200));
    fs_err::create_dir_all(&long).unwrap();
    fs_err::write(long.join("ünïcode"), vec![1; 5000]).unwrap();
    rustix::fs::mknodat(
        CWD,
        dir.join("pipe").as_str(),
        FileType::Fifo,
        Mode::from_raw_mode(0o620),
        0,
    )
    .unwrap();
    fs_err::set_permissions(dir.join("pipe"), std::fs::Permissions::from_mode(0o620)).unwrap();
    fs_err::create_dir(dir.join("empty")).unwrap();
    fs_err::set_permissions(dir.join("empty"), std::fs::Permissions::from_mode(0o1777)).unwrap();
    set_mtime(&dir.join("usr/bin/tool"), 1_000_000_000);
    let binary = b"a\nb\0=\n12 c";
    rustix::fs::setxattr(
        dir.join("usr/bin/tool").as_str(),
        "user.note",
        binary,
        XattrFlags::empty(),
    )
    .ok();
    if is_root() {
        // A capability set whose bytes hold a newline.
        let mut value = [0_u8; 20];
        (value[3], value[4]) = (2, 10);
        let tool = dir.join("usr/bin/tool");
        rustix::fs::setxattr(tool.as_str(), "security.capability", &value, XattrFlags::empty())
            .unwrap();
        let device = rustix::fs::makedev(1, 3);
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(
            CWD,
            dir.join("null").as_str(),
            FileType::CharacterDevice,
            mode,
            device,
        )
        .ok();
        rustix::fs::mknodat(CWD, dir.join("block").as_str(), FileType::BlockDevice, mode, device)
            .ok();
        rustix::fs::chownat(
            CWD,
            dir.join("bin").as_str(),
            Some(rustix::fs::Uid::from_raw(12)),
            Some(rustix::fs::Gid::from_raw(3_000_000)),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
    }
}

#[test]
fn there_and_back_again() {
    for compress in [Compress::None, Compress::Zstd(3)] {
        let scratch = Scratch::new();
        let (dir, copy, file) =
            (scratch.path("dir"), scratch.path("copy"), scratch.path("archive"));
        sample(&dir);
        let options = TarOptions { compress, ..TarOptions::plain(CLAMP) };
        fs_err::write(&file, pack(&dir, &options)).unwrap();
        unpack_file(&file, &copy, &UnpackOptions::for_this_user()).unwrap();
        assert_eq!(pack(&copy, &options), pack(&dir, &options));

        let metadata = |path: &str| fs_err::symlink_metadata(copy.join(path)).unwrap();
        assert_eq!(metadata("usr/bin/tool").mode() & 0o7777, 0o4755);
        assert_eq!(metadata("usr/bin/tool").ino(), metadata("usr/bin/another").ino());
        assert_eq!(metadata("usr/bin/tool").mtime(), 1_000_000_000);
        assert_eq!(metadata("empty").mode() & 0o7777, 0o1777);
        assert_eq!(metadata("empty").mtime(), CLAMP);
        assert_eq!(metadata("pipe").mode() & 0o7777, 0o620);
        if is_root() {
            assert_eq!((metadata("bin").uid(), metadata("bin").gid()), (12, 3_000_000));
            let mut value = [0; 64];
            let tool = copy.join("usr/bin/tool");
            let length =
                rustix::fs::getxattr(tool.as_str(), "security.capability", &mut value).unwrap();
            assert_eq!((length, value[4]), (20, 10));
        }
    }
}

#[test]
fn members_are_sorted_and_bear_no_names_or_late_times() {
    let scratch = Scratch::new();
    let dir = scratch.path("dir");
    sample(&dir);
    let bytes = plain(&dir);
    let members = members(&bytes);
    let paths: Vec<_> = members
        .iter()
        .map(|member| member.path.split(|b| *b == b'/').collect::<Vec<_>>())
        .collect();
    assert!(paths.is_sorted());
    assert!(members.iter().all(|member| member.mtime <= CLAMP));
    let file = members.iter().find(|member| member.path == b"usr/bin/another").unwrap();
    let link = members.iter().find(|member| member.path == b"usr/bin/tool").unwrap();
    assert_eq!(
        (&file.kind, &link.kind),
        (&MemberKind::File, &MemberKind::HardLink(b"usr/bin/another".to_vec()))
    );
}

#[test]
fn options_are_obeyed() {
    let scratch = Scratch::new();
    let dir = scratch.path("dir");
    sample(&dir);
    let filter = |path: &Path| !path.starts_with("usr/bin") || path == Path::new("usr/bin");
    let options = TarOptions {
        owner: Owner::Root,
        hard_links: HardLinks::AsFiles,
        filter: Some(&filter),
        ..TarOptions::plain(CLAMP)
    };
    let members = members(&pack(&dir, &options));
    assert!(members.iter().all(|member| (member.uid, member.gid) == (0, 0)));
    assert!(members.iter().any(|member| member.path == b"usr/bin"));
    assert!(!members.iter().any(|member| member.path.starts_with(b"usr/bin/")));
}

#[test]
fn other_programs_read_it() {
    let scratch = Scratch::new();
    let dir = scratch.path("dir");
    sample(&dir);
    // The reference reader loses attributes with newlines, and all that follow them.
    for name in ["user.note", "security.capability"] {
        rustix::fs::removexattr(dir.join("usr/bin/tool").as_str(), name).ok();
    }
    let bytes = plain(&dir);
    let mut archive = tar::Archive::new(&bytes[..]);
    let theirs: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path_bytes().into_owned();
            let path = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
            (path, entry.header().uid().unwrap(), entry.header().gid().unwrap(), entry.size())
        })
        .collect();
    let ours: Vec<_> =
        members(&bytes).into_iter().map(|m| (m.path, m.uid, m.gid, m.size)).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn it_reads_other_programs() {
    let scratch = Scratch::new();
    let dir = scratch.path("dir");
    sample(&dir);
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    for name in ["bin", "far", "usr", &"d".repeat(120)] {
        if dir.join(name).is_dir() && name != "bin" {
            builder.append_dir_all(name, dir.join(name)).unwrap();
        } else {
            builder.append_path_with_name(dir.join(name), name).unwrap();
        }
    }
    let bytes = builder.into_inner().unwrap();
    let copy = scratch.path("copy");
    unpack(decompress(&bytes[..]).unwrap(), &copy, &UnpackOptions::for_this_user()).unwrap();
    let long = format!("{}/{}/ünïcode", "d".repeat(120), "e".repeat(200));
    assert_eq!(fs_err::read(copy.join(long)).unwrap(), vec![1; 5000]);
    assert_eq!(
        fs_err::read_link(copy.join("far")).unwrap().to_str(),
        Some("x".repeat(180).as_str())
    );
    assert_eq!(fs_err::read(copy.join("usr/bin/tool")).unwrap(), b"tool");
}

fn symlink(path: &str, target: &str) -> Member {
    Member { kind: MemberKind::Symlink(target.into()), ..Member::file(path, 0) }
}

fn hard_link(path: &str, target: &str) -> Member {
    Member { kind: MemberKind::HardLink(target.into()), ..Member::file(path, 0) }
}

fn archive_of(members: &[Member]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for member in members {
        writer.append(member, std::io::repeat(b'!')).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn nothing_leads_out() {
    let outside = Scratch::new();
    let secret = outside.file("secret", b"secret");
    let out = outside.path("");
    let out = out.as_str().trim_end_matches('/');
    let cases: Vec<Vec<Member>> = vec![
        vec![Member::file("../evil", 4)],
        vec![Member::file("a/../../evil", 4)],
        vec![Member::file(&format!("{out}/evil"), 4)],
        vec![symlink("d", out), Member::file("d/evil", 4)],
        vec![symlink("d", ".."), Member::file("d/evil", 4)],
        vec![symlink("d", out), symlink("e", "d"), Member::file("e/deeper/evil", 4)],
        vec![hard_link("h", secret.as_str())],
        vec![hard_link("h", "../secret")],
        vec![symlink("d", out), hard_link("h", "d/secret")],
        vec![symlink("loop", "loop"), Member::file("loop/evil", 4)],
    ];
    for members in cases {
        let scratch = Scratch::new();
        let bytes = archive_of(&members);
        let error = unpack(&bytes[..], &scratch.path("to/dest"), &UnpackOptions::for_this_user())
            .unwrap_err();
        assert!(matches!(error, ArchiveError::Escapes { .. }), "{members:?}: {error}");
        assert!(!scratch.path("to/evil").exists() && !outside.path("evil").exists());
        assert_eq!(fs_err::read(&secret).unwrap(), b"secret");
    }
}

#[test]
fn links_inside_are_followed_and_files_replaced() {
    let scratch = Scratch::new();
    let dest = scratch.path("dest");
    let lib = Member { kind: MemberKind::Directory, ..Member::file("lib", 0) };
    let bytes = archive_of(&[
        Member::file("usr/lib/a", 1),
        symlink("lib", "usr/lib"),
        lib,
        Member::file("lib/b", 2),
        Member::file("lib/a", 3),
        symlink("link", "/etc/passwd"),
        Member::file("link", 4),
    ]);
    unpack(&bytes[..], &dest, &UnpackOptions::for_this_user()).unwrap();
    assert!(fs_err::symlink_metadata(dest.join("lib")).unwrap().is_symlink());
    assert_eq!(fs_err::read(dest.join("usr/lib/b")).unwrap(), b"!!");
    assert_eq!(fs_err::read(dest.join("usr/lib/a")).unwrap(), b"!!!");
    assert_eq!(fs_err::read(dest.join("link")).unwrap(), b"!!!!");
}

#[test]
fn a_damaged_archive_is_an_error() {
    let bytes = archive_of(&[Member::file("a", 600), Member::file("b", 10)]);
    for length in (0..bytes.len() - 512).step_by(100) {
        let scratch = Scratch::new();
        unpack(&bytes[..length], &scratch.path("dest"), &UnpackOptions::for_this_user())
            .unwrap_err();
    }
    let mut flipped = bytes.clone();
    flipped[3] ^= 1;
    unpack(&flipped[..], &Scratch::new().path("dest"), &UnpackOptions::for_this_user())
        .unwrap_err();
}

/// A file of a generated tree.
#[derive(Debug, Clone)]
struct File {
    content: Vec<u8>,
    mode: u32,
    mtime: u64,
}

fn tree() -> impl Strategy<Value = BTreeMap<String, File>> {
    let file = (any::<Vec<u8>>(), 0o400_u32..0o1000, 0_u64..4_000_000_000)
        .prop_map(|(content, mode, mtime)| File { content, mode: mode | 0o400, mtime });
    prop::collection::btree_map("([a-c]{1,2}/){0,3}[d-f]{1,3}\\.[a-z]", file, 0..12)
}

fn make<'a>(dir: &Utf8Path, files: impl Iterator<Item = (&'a String, &'a File)>) {
    fs_err::create_dir_all(dir).unwrap();
    for (path, file) in files {
        let path = dir.join(path);
        for parent in path.parent().unwrap().ancestors().take_while(|parent| *parent != dir) {
            fs_err::create_dir_all(parent).unwrap();
            fs_err::set_permissions(parent, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs_err::write(&path, &file.content).unwrap();
        set_mtime(&path, file.mtime);
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equal_trees_give_equal_bytes(files in tree(), level in 1..6) {
        let scratch = Scratch::new();
        let (a, b) = (scratch.path("a"), scratch.path("some/where/else"));
        // Another order of making, hence other inodes and another order in the directories.
        make(&a, files.iter());
        make(&b, files.iter().rev());
        let bytes = plain(&a);
        prop_assert_eq!(&bytes, &plain(&b));
        let options = TarOptions { compress: Compress::Zstd(level), ..TarOptions::plain(CLAMP) };
        let compressed = pack(&a, &options);
        prop_assert_eq!(&compressed, &pack(&b, &options));
        let mut plain_again = Vec::new();
        decompress(&compressed[..]).unwrap().read_to_end(&mut plain_again).unwrap();
        prop_assert_eq!(plain_again, bytes);
    }

    #[test]
    fn a_change_changes_the_bytes(files in tree(), pick: prop::sample::Index) {
        prop_assume!(!files.is_empty());
        let scratch = Scratch::new();
        make(&scratch.path("a"), files.iter());
        let mut changed = files.clone();
        let path = files.keys().nth(pick.index(files.len())).unwrap();
        changed.get_mut(path).unwrap().content.push(1);
        make(&scratch.path("b"), changed.iter());
        prop_assert_ne!(plain(&scratch.path("a")), plain(&scratch.path("b")));
    }
}
