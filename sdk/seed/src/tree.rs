//! Writes into the tree under construction. Every path is resolved by the kernel as inside of a chroot, so that neither
//! `..` nor a symbolic link leads out of it.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use camino::Utf8Path;
use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid},
    io::Errno,
};

/// Owner, permissions and time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: u64,
}

impl Meta {
    /// Owned by root, with this mode.
    pub(crate) fn root(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: 0 }
    }
}

/// Whether files get the owner that their package says: only root can do that, anyone else keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    AsPackaged,
    Ours,
}

/// An open directory that becomes a root file system.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    ownership: Ownership,
}

/// A path without `.`, `..` and slashes at its ends; empty is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TreePath(String);

impl TreePath {
    /// Nothing when the path has a `..` or a zero byte.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let good = !parts.contains(&"..") && !text.contains('\0');
        good.then(|| Self(parts.join("/")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }
}

impl Tree {
    /// Opens an existing directory as the root.
    pub(crate) fn open(dir: &Utf8Path) -> io::Result<Self> {
        let root = rustix::fs::open(
            dir.as_std_path(),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let ownership = if rustix::process::geteuid().is_root() {
            Ownership::AsPackaged
        } else {
            Ownership::Ours
        };
        Ok(Self { root, ownership })
    }

    /// Makes the directory and the ones above it. What is there already stays, also a link to a directory.
    pub(crate) fn directory(&self, path: &TreePath) -> io::Result<()> {
        if path.is_root() {
            return Ok(());
        }
        let (parent, name) = path.split();
        let parent = self.parent(parent)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => self.resolve(path.as_str()).map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a directory its owner and permissions, also through a link.
    pub(crate) fn set_directory(&self, path: &TreePath, meta: &Meta) -> io::Result<()> {
        let directory = self.resolve(path.as_str())?;
        self.set_owner(&directory, meta)?;
        // A handle that was opened with O_PATH cannot change permissions itself.
        let directory = rustix::fs::openat(
            &directory,
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(rustix::fs::fchmod(directory, Mode::from_raw_mode(meta.mode & 0o7777))?)
    }

    /// Writes a new file. An existing one is an error.
    pub(crate) fn file(
        &self,
        path: &TreePath,
        meta: &Meta,
        content: &mut impl Read,
    ) -> io::Result<()> {
        let (parent, name) = path.split();
        let parent = self.parent(parent)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file =
            File::from(rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o600))?);
        io::copy(content, &mut file)?;
        if self.ownership == Ownership::AsPackaged {
            rustix::fs::fchown(
                &file,
                Some(Uid::from_raw(meta.uid)),
                Some(Gid::from_raw(meta.gid)),
            )?;
        }
        // After the owner, whose change would clear the set-user-id bit.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode & 0o7777))?;
        Ok(rustix::fs::futimens(&file, &times(meta.mtime))?)
    }

    /// Makes a symbolic link. The same link may be there already.
    pub(crate) fn symlink(&self, path: &TreePath, meta: &Meta, target: &str) -> io::Result<()> {
        let (parent, name) = path.split();
        let parent = self.parent(parent)?;
        match rustix::fs::symlinkat(target, &parent, name) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let same = rustix::fs::readlinkat(&parent, name, Vec::new())
                    .is_ok_and(|old| old.to_bytes() == target.as_bytes());
                return if same { Ok(()) } else { Err(Errno::EXIST.into()) };
            }
            Err(error) => return Err(error.into()),
        }
        if self.ownership == Ownership::AsPackaged {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(rustix::fs::utimensat(&parent, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Makes a hard link to a file in the tree.
    pub(crate) fn hard_link(&self, path: &TreePath, target: &TreePath) -> io::Result<()> {
        let ((parent, name), (target_parent, target_name)) = (path.split(), target.split());
        let (parent, target_parent) = (self.parent(parent)?, self.resolve(target_parent)?);
        Ok(rustix::fs::linkat(target_parent, target_name, parent, name, AtFlags::empty())?)
    }

    fn set_owner(&self, file: &OwnedFd, meta: &Meta) -> io::Result<()> {
        if self.ownership == Ownership::AsPackaged {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            rustix::fs::chownat(file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }

    /// The directory above a new entry, made if a package forgot it.
    fn parent(&self, path: &str) -> io::Result<OwnedFd> {
        match self.resolve(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_empty() => {
                self.directory(&TreePath(path.to_owned()))?;
                self.resolve(path)
            }
            result => result,
        }
    }

    /// Opens a directory as a process inside of a chroot would.
    fn resolve(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            // The kernel gives up with EAGAIN when anything on the machine was renamed meanwhile.
            match rustix::fs::openat2(self.root.as_fd(), path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}

pub(crate) fn times(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    #[test]
    fn paths_are_normal() {
        assert_eq!(path("./usr//bin/").as_str(), "usr/bin");
        assert_eq!(path("/usr/./x").as_str(), "usr/x");
        assert!(path("./").is_root());
        for bad in ["../x", "a/../../x", "a/..", "a\0b"] {
            assert_eq!(TreePath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn links_do_not_lead_out() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(temporary.path()).unwrap();
        fs_err::create_dir_all(base.join("root")).unwrap();
        fs_err::create_dir_all(base.join("outside")).unwrap();
        let tree = Tree::open(&base.join("root")).unwrap();
        let meta = Meta::root(0o644);
        let outside = base.join("outside");
        tree.symlink(&path("absolute"), &meta, outside.as_str()).unwrap();
        tree.symlink(&path("relative"), &meta, "../outside").unwrap();
        assert!(tree.file(&path("absolute/x"), &meta, &mut &b"x"[..]).is_err());
        assert!(tree.file(&path("relative/x"), &meta, &mut &b"x"[..]).is_err());
        assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
        // Inside of the root the same link works, as it will in the container.
        tree.directory(&path("outside")).unwrap();
        tree.file(&path("relative/x"), &meta, &mut &b"x"[..]).unwrap();
        assert!(base.join("root/outside/x").exists());
    }

    #[test]
    fn nothing_is_overwritten() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(temporary.path()).unwrap();
        let tree = Tree::open(base).unwrap();
        let meta = Meta { mtime: 7, ..Meta::root(0o751) };
        tree.file(&path("usr/bin/a"), &meta, &mut &b"x"[..]).unwrap();
        assert!(tree.file(&path("usr/bin/a"), &meta, &mut &b"y"[..]).is_err());
        tree.hard_link(&path("b"), &path("usr/bin/a")).unwrap();
        tree.symlink(&path("bin"), &meta, "usr/bin").unwrap();
        tree.symlink(&path("bin"), &meta, "usr/bin").unwrap();
        tree.directory(&path("bin")).unwrap();
        assert!(tree.symlink(&path("bin"), &meta, "usr/sbin").is_err());
        let metadata = fs_err::metadata(base.join("b")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mtime(&metadata), 7);
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o751);
    }
}
