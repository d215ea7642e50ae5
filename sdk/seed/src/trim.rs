//! Makes a configured tree small and the same every time: what is not needed goes, what depends on the hour or the
//! machine goes, and no time is later than the release.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use rustix::fs::AtFlags;

use crate::{
    error::{SeedError, file},
    place, tree,
};

/// These are emptied, but stay as directories.
const EMPTIED: [&str; 13] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/doc-base",
    "var/cache",
    "var/lib/apt/lists",
    "var/log",
    "var/backups",
    "var/tmp",
    "tmp",
    "run",
];

/// These are removed: they are made anew where needed, differ between machines, or are backups.
const REMOVED: [&str; 12] = [
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/.pwd.lock",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old",
];

/// Trims the tree and sets no time in it later than `epoch`.
pub(crate) fn trim(root: &Utf8Path, epoch: u64) -> Result<(), SeedError> {
    for path in EMPTIED {
        let dir = root.join(path);
        // A link would lead out of the tree.
        if !fs_err::symlink_metadata(&dir).is_ok_and(|metadata| metadata.is_dir()) {
            continue;
        }
        for entry in dir.read_dir_utf8().map_err(file("list", &dir))? {
            place::remove_tree(entry.map_err(file("list", &dir))?.path())?;
        }
    }
    for path in REMOVED {
        place::remove_tree(&root.join(path))?;
    }
    clamp(root, epoch)
}

fn clamp(path: &Utf8Path, epoch: u64) -> Result<(), SeedError> {
    let metadata = fs_err::symlink_metadata(path).map_err(file("read", path))?;
    if metadata.is_dir() {
        for entry in path.read_dir_utf8().map_err(file("list", path))? {
            clamp(entry.map_err(file("list", path))?.path(), epoch)?;
        }
    }
    let late = u64::try_from(metadata.mtime()).is_ok_and(|time| time > epoch)
        || metadata.mtime_nsec() != 0;
    if late || metadata.is_dir() {
        let set = rustix::fs::utimensat(
            rustix::fs::CWD,
            path.as_std_path(),
            &tree::times(epoch),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        set.map_err(|error| file("set the time of", path)(error.into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimmed_and_clamped() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temporary.path()).unwrap();
        for dir in ["usr/share/doc/x", "var/log/apt", "etc", "outside"] {
            fs_err::create_dir_all(root.join(dir)).unwrap();
        }
        for path in [
            "usr/share/doc/x/README",
            "var/log/apt/log",
            "etc/machine-id",
            "etc/passwd",
            "outside/keep",
        ] {
            fs_err::write(root.join(path), "x").unwrap();
        }
        std::os::unix::fs::symlink(root.join("outside"), root.join("run")).unwrap();
        trim(root, 1_000_000).unwrap();
        assert_eq!(fs_err::read_dir(root.join("usr/share/doc")).unwrap().count(), 0);
        assert_eq!(fs_err::read_dir(root.join("var/log")).unwrap().count(), 0);
        assert!(!root.join("etc/machine-id").exists() && root.join("outside/keep").exists());
        for path in ["etc/passwd", "etc", "", "run"] {
            assert_eq!(
                fs_err::symlink_metadata(root.join(path)).unwrap().mtime(),
                1_000_000,
                "{path}"
            );
        }
    }
}
