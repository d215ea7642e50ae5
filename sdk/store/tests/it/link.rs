//! Trees put together by hard links.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::Utf8Path;
use slipway_store::{LinkError, LinkMode, LinkOptions, LinkReport, link_tree};

use crate::{Scratch, is_root};

const LINK: LinkOptions = LinkOptions { mode: LinkMode::HardLink };
const COPY: LinkOptions = LinkOptions { mode: LinkMode::Copy };

fn chmod(path: &Utf8Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn sample(scratch: &Scratch) {
    scratch.file("a/usr/bin/tool", b"tool");
    scratch.file("a/usr/lib/x/data", b"data");
    fs_err::os::unix::fs::symlink("usr/lib", scratch.path("a/lib")).unwrap();
    fs_err::hard_link(scratch.path("a/usr/bin/tool"), scratch.path("a/usr/bin/twin")).unwrap();
    chmod(&scratch.path("a/usr/bin/tool"), 0o755);
    chmod(&scratch.path("a/usr/lib/x"), 0o750);
    scratch.file("b/usr/bin/other", b"other");
    fs_err::os::unix::fs::symlink("usr/lib", scratch.path("b/lib")).unwrap();
}

#[test]
fn trees_are_merged() {
    let scratch = Scratch::new();
    sample(&scratch);
    let to = scratch.path("to");
    let report = link_tree(&scratch.path("a"), &to, &LINK).unwrap();
    assert_eq!(report, LinkReport { directories: 4, linked: 3, copied: 0, symlinks: 1 });
    let report = link_tree(&scratch.path("b"), &to, &LINK).unwrap();
    assert_eq!(report, LinkReport { directories: 0, linked: 1, copied: 0, symlinks: 0 });
    let inode = |path: &str| fs_err::metadata(scratch.path(path)).unwrap().ino();
    assert_eq!(inode("to/usr/bin/tool"), inode("a/usr/bin/tool"));
    assert_eq!(fs_err::read(to.join("usr/bin/other")).unwrap(), b"other");
    assert_eq!(fs_err::read(to.join("lib/x/data")).unwrap(), b"data");
    assert_eq!(fs_err::metadata(to.join("usr/lib/x")).unwrap().mode() & 0o7777, 0o750);
}

#[test]
fn copies_are_files_of_their_own() {
    let scratch = Scratch::new();
    sample(&scratch);
    let report = link_tree(&scratch.path("a"), &scratch.path("to"), &COPY).unwrap();
    assert_eq!(report, LinkReport { directories: 4, linked: 0, copied: 3, symlinks: 1 });
    let metadata = |path: &str| fs_err::metadata(scratch.path(path)).unwrap();
    assert_ne!(metadata("to/usr/bin/tool").ino(), metadata("a/usr/bin/tool").ino());
    assert_eq!(metadata("to/usr/bin/tool").ino(), metadata("to/usr/bin/twin").ino());
    assert_eq!(metadata("to/usr/bin/tool").mode() & 0o7777, 0o755);
    assert_eq!(
        metadata("to/usr/bin/tool").modified().unwrap(),
        metadata("a/usr/bin/tool").modified().unwrap()
    );
}

fn collision(scratch: &Scratch, options: &LinkOptions) -> String {
    let to = scratch.path("to");
    link_tree(&scratch.path("a"), &to, options).unwrap();
    match link_tree(&scratch.path("b"), &to, options).unwrap_err() {
        LinkError::Collision { path, .. } => path.into_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn collisions_name_the_path() {
    type Make = fn(&Scratch);
    let cases: [(&str, Make); 4] = [
        ("dir/same", |scratch| {
            scratch.file("a/dir/same", b"1");
            scratch.file("b/dir/same", b"1");
        }),
        ("dir", |scratch| {
            scratch.file("a/dir", b"1");
            scratch.file("b/dir/file", b"1");
        }),
        ("dir", |scratch| {
            fs_err::create_dir(scratch.path("a")).unwrap();
            fs_err::os::unix::fs::symlink("elsewhere", scratch.path("a/dir")).unwrap();
            scratch.file("b/dir/file", b"1");
        }),
        ("link", |scratch| {
            for (tree, target) in [("a", "x"), ("b", "y")] {
                fs_err::create_dir(scratch.path(tree)).unwrap();
                fs_err::os::unix::fs::symlink(target, scratch.path(tree).join("link")).unwrap();
            }
        }),
    ];
    for (expected, make) in cases {
        for options in [LINK, COPY] {
            let scratch = Scratch::new();
            make(&scratch);
            assert_eq!(collision(&scratch, &options), expected);
        }
    }
}

#[test]
fn another_file_system_is_copied_to() {
    let scratch = Scratch::new();
    sample(&scratch);
    // Elsewhere is a tmpfs on most systems; where it is not, or cannot be written to, linking was tested above.
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let to = Utf8Path::from_path(elsewhere.path()).unwrap();
    let device = |path: &Utf8Path| fs_err::metadata(path).unwrap().dev();
    if device(to) == device(&scratch.path("a")) {
        return;
    }
    let report = link_tree(&scratch.path("a"), to, &LINK).unwrap();
    assert_eq!((report.linked, report.copied), (0, 3));
    assert_eq!(fs_err::read(to.join("usr/bin/twin")).unwrap(), b"tool");
}

#[test]
fn owners_come_along() {
    if !is_root() {
        return;
    }
    for options in [LINK, COPY] {
        let scratch = Scratch::new();
        sample(&scratch);
        for path in ["a/lib", "a/usr/lib/x", "a/usr/lib/x/data"] {
            std::os::unix::fs::lchown(scratch.path(path), Some(7), Some(8)).unwrap();
        }
        link_tree(&scratch.path("a"), &scratch.path("to"), &options).unwrap();
        for path in ["to/lib", "to/usr/lib/x", "to/usr/lib/x/data"] {
            let metadata = fs_err::symlink_metadata(scratch.path(path)).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (7, 8), "{path}");
        }
    }
}
