//! The file system of a container: the root as lower layer, an upper layer in the folder of the run.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};

use crate::Failure;

const OVERLAYFS_MAGIC: u64 = 0x794c_7630;

/// A mounted overlay.
#[derive(Debug)]
pub(super) struct Overlay {
    /// Where the container's file system is seen, in the mount namespace of this process only.
    pub(super) merged: Utf8PathBuf,
    /// What the container has written.
    pub(super) upper: Utf8PathBuf,
    /// The overlay's own folder.
    pub(super) work: Utf8PathBuf,
}

impl Overlay {
    /// Mounts `lower` with its changes in `run_dir`.
    pub(super) fn mount(lower: &Utf8Path, run_dir: &Utf8Path) -> Result<Self, Failure> {
        let overlay = Self {
            merged: run_dir.join("merged"),
            upper: run_dir.join("upper"),
            work: run_dir.join("work"),
        };
        for dir in [&overlay.merged, &overlay.upper, &overlay.work] {
            fs::create_dir(dir).map_err(|error| Failure::scratch(dir, &error))?;
        }
        match overlay.attach(lower) {
            Ok(()) => Ok(overlay),
            Err(_) if is_overlay(run_dir) => {
                Err(Failure::ScratchOnOverlay { path: run_dir.into() })
            }
            Err(error) => Err(Failure::Overlay {
                root: lower.into(),
                scratch: run_dir.into(),
                message: io::Error::from(error).to_string(),
            }),
        }
    }

    fn attach(&self, lower: &Utf8Path) -> rustix::io::Result<()> {
        let config = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&config, "lowerdir", escape(lower))?;
        fsconfig_set_string(&config, "upperdir", self.upper.as_str())?;
        fsconfig_set_string(&config, "workdir", self.work.as_str())?;
        // The upper layer does not outlive the run, so nothing needs to reach the disk. Kernels before 5.10 do not know it.
        let _unknown_to_old_kernels = fsconfig_set_flag(&config, "volatile");
        fsconfig_create(&config)?;
        let mount = fsmount(&config, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        move_mount(&mount, "", CWD, self.merged.as_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }

    /// Takes the mount away; the layers stay.
    pub(super) fn unmount(&self) {
        let _gone_with_the_namespace = unmount(self.merged.as_str(), UnmountFlags::DETACH);
    }

    /// Lets the layers be mounted once more, which the kernel refuses for volatile ones.
    pub(super) fn allow_remount(&self) {
        let _absent_on_old_kernels = fs::remove_dir_all(self.work.join("work/incompat"));
    }
}

/// A colon separates lower layers.
pub(super) fn escape(path: &Utf8Path) -> String {
    path.as_str().replace('\\', r"\\").replace(':', r"\:")
}

fn is_overlay(path: &Utf8Path) -> bool {
    rustix::fs::statfs(path.as_std_path())
        .is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(OVERLAYFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_paths_are_escaped() {
        assert_eq!(escape(Utf8Path::new(r"/a:b\c")), r"/a\:b\\c");
    }
}
