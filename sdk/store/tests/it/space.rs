//! A full disk: a clear error, and nothing left behind.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::mount::{MountFlags, UnmountFlags};
use slipway_store::archive::TarOptions;
use slipway_store::{Ingest, Store, StoreError};

use crate::{Scratch, debris, is_root};

struct SmallDisk {
    path: Utf8PathBuf,
}

impl SmallDisk {
    /// `None` without the right to mount.
    fn mount(path: Utf8PathBuf) -> Option<Self> {
        if !is_root() {
            return None;
        }
        fs_err::create_dir(&path).unwrap();
        rustix::mount::mount("tmpfs", path.as_str(), "tmpfs", MountFlags::empty(), c"size=1m")
            .ok()?;
        Some(Self { path })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(self.path.as_str(), UnmountFlags::DETACH).unwrap();
    }
}

fn check(error: &StoreError, store: &Store, names: &Utf8Path) {
    let text = error.to_string();
    assert!(text.contains(names.as_str()), "{text}");
    assert!(error.hint().is_some_and(|hint| hint.contains("free space")), "{text}");
    assert_eq!(debris(store.root()), [""; 0], "{text}");
    assert_eq!(store.scrub().unwrap(), []);
}

#[test]
fn a_full_disk_is_said_to_be_one() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(scratch.path("disk")) else { return };
    let store = Store::open(&disk.path.join("store")).unwrap();
    let kept = store.put_bytes(b"small").unwrap();
    let big = vec![7; 2 << 20];

    let error = store.put_bytes(&big).unwrap_err();
    check(&error, &store, &store.root().join("blobs"));
    let file = scratch.file("big", &big);
    for ingest in [Ingest::Copy, Ingest::Move] {
        let error = store.put_file(&file, ingest).unwrap_err();
        check(&error, &store, &file);
        assert_eq!(fs_err::read(&file).unwrap(), big, "the file is still its owner's");
    }
    let dir = scratch.path("tree");
    scratch.file("tree/big", &big);
    check(&store.put_tree(&dir, &TarOptions::plain(0)).unwrap_err(), &store, &dir);

    // Compressed it fits, unpacked it does not.
    let compress = slipway_store::archive::Compress::Zstd(3);
    let archive = store.put_tree(&dir, &TarOptions { compress, ..TarOptions::plain(0) }).unwrap();
    let error = store.tree(&archive).unwrap_err();
    check(&error, &store, &store.root().join("trees"));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("root/big"), "{source}");
    assert!(store.blob(&kept).unwrap().is_some());
    drop(store);
    Store::open(&disk.path.join("store")).unwrap();
}
