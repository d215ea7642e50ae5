//! What the agent knows of its machine: version, root hash, identifiers. Everything is read below a root, which is `/` on a host.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use slipway_payload::{Digest, Version};

use crate::install::{Running, halves};

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The version that runs.
    pub running: Running,
    /// The architecture, as Debian and Go call it.
    pub arch: String,
    /// `/etc/machine-id`: 32 hexadecimal digits.
    pub machine_id: String,
    /// The boot's identifier.
    pub boot_id: String,
    /// The platform, from `/etc/oem-release` or `/usr/share/oem/oem-release`.
    pub oem: String,
    /// Its version.
    pub oem_version: String,
}

/// Why the machine is not one that can be updated.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file.
    #[error("cannot learn about this machine")]
    Io(#[source] io::Error),
    /// A file without what should be in it.
    #[error("`{file}` does not say {what}; this is no Slipway Linux that updates itself")]
    Lacks {
        /// The file.
        file: &'static str,
        /// What is not in it.
        what: &'static str,
    },
    /// A running `/usr` that is on no disk.
    #[error("the disk with the partition {0} was not found; set `disk` in /etc/slipway/update.d")]
    NoDisk(String),
}

impl Host {
    /// Looks around.
    ///
    /// # Errors
    /// When this is no system of ours, or was not booted from a slot.
    pub fn read(root: &Path) -> Result<Self, HostError> {
        let os = assignments(&text(root, "usr/lib/os-release")?);
        let version = os.get("VERSION_ID").and_then(|version| version.parse::<Version>().ok());
        let lacks = |file, what| HostError::Lacks { file, what };
        let version = version.ok_or_else(|| lacks("/usr/lib/os-release", "a version"))?;
        let command_line = text(root, "proc/cmdline")?;
        let hash = command_line.split_whitespace().find_map(|word| word.strip_prefix("usrhash="));
        let hash = hash.and_then(|hash| hash.parse::<Digest>().ok());
        let usr_root_hash = hash.ok_or_else(|| lacks("/proc/cmdline", "usrhash"))?;
        let oem = ["etc/oem-release", "usr/share/oem/oem-release"]
            .into_iter()
            .find_map(|path| text(root, path).ok());
        let oem = assignments(&oem.unwrap_or_default());
        let get = |key: &str| oem.get(key).cloned().unwrap_or_default();
        Ok(Self {
            running: Running { version, usr_root_hash },
            arch: arch().to_owned(),
            machine_id: text(root, "etc/machine-id")?.trim().to_owned(),
            boot_id: text(root, "proc/sys/kernel/random/boot_id")?.trim().to_owned(),
            oem: get("ID"),
            oem_version: get("VERSION_ID"),
        })
    }

    /// The disk that the running `/usr` is on.
    ///
    /// # Errors
    /// When it is on none.
    pub fn disk(&self, root: &Path) -> Result<PathBuf, HostError> {
        let (usr, _) = halves(&self.running.usr_root_hash);
        let none = || HostError::NoDisk(usr.to_string());
        let link = root.join("dev/disk/by-partuuid").join(usr.to_string());
        let partition = fs::canonicalize(link).map_err(|_| none())?;
        let name = partition.file_name().ok_or_else(none)?;
        // `/sys/class/block/vda2` is a link to `…/vda/vda2`.
        let device =
            fs::canonicalize(root.join("sys/class/block").join(name)).map_err(|_| none())?;
        let disk = device.parent().and_then(Path::file_name).ok_or_else(none)?;
        Ok(root.join("dev").join(disk))
    }
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn text(root: &Path, path: &str) -> Result<String, HostError> {
    fs::read_to_string(root.join(path)).map_err(HostError::Io)
}

/// `KEY=value` lines as in os-release(5).
fn assignments(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let hash = Digest::of_bytes(b"usr");
        write("usr/lib/os-release", "NAME=\"Slipway Linux\"\nVERSION_ID=4.1.0\n");
        write("proc/cmdline", &format!("quiet usrhash={hash} rw\n"));
        write("etc/machine-id", "0f3a5c0e1b7d4e55a0b6c2d19e8f7a42\n");
        write("proc/sys/kernel/random/boot_id", "6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11\n");
        write("etc/oem-release", "ID=qemu\nVERSION_ID=\"0.1\"\n");
        root
    }

    #[test]
    fn a_machine_is_known() {
        let root = machine();
        let host = Host::read(root.path()).unwrap();
        assert_eq!(host.running.version.to_string(), "4.1.0");
        assert_eq!(host.running.usr_root_hash, Digest::of_bytes(b"usr"));
        assert_eq!((host.oem.as_str(), host.oem_version.as_str()), ("qemu", "0.1"));
        assert!(host.disk(root.path()).unwrap_err().to_string().starts_with("the disk with"));
        let partuuid = root.path().join("dev/disk/by-partuuid");
        let device = root.path().join("sys/devices/pci/block/vda/vda2");
        fs::create_dir_all(&partuuid).unwrap();
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(root.path().join("sys/class/block")).unwrap();
        fs::write(root.path().join("dev/vda2"), "").unwrap();
        let (usr, _) = halves(&host.running.usr_root_hash);
        symlink("../../vda2", partuuid.join(usr.to_string())).unwrap();
        symlink(&device, root.path().join("sys/class/block/vda2")).unwrap();
        assert_eq!(host.disk(root.path()).unwrap(), root.path().join("dev/vda"));
    }

    #[test]
    fn other_systems_are_left_alone() {
        let root = machine();
        fs::write(root.path().join("proc/cmdline"), "quiet\n").unwrap();
        assert_eq!(
            Host::read(root.path()).unwrap_err().to_string(),
            "`/proc/cmdline` does not say usrhash; this is no Slipway Linux that updates itself"
        );
    }
}
