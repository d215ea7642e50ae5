//! The disk: a partition table by `systemd-repart`, offline, from a layout.

use std::{collections::BTreeMap, fmt::Write as _};

use slipway_packages_manifest::{Layout, Partition, PartitionType, Release, Slot};

use crate::{Tool, uki_file_name};

/// How often a new version may fail to boot before the machine falls back.
const TRIES: u32 = 3;

/// Which programs the firmware finds on the ESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// The UKI as it was built, and the boot loader of the tree `/in/systemd`.
    Unsigned,
    /// A signed UKI, and the signed boot loader `/in/systemd-bootx64.efi`, with files below `/in/loader/keys` that enrol the
    /// certificates.
    Signed(Enrol),
}

/// When the boot loader enrols certificates in firmware that has none (loader.conf(5), `secure-boot-enroll`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrol {
    /// When somebody chooses so in its menu.
    Manual,
    /// By itself in virtual machines; on others, when somebody chooses so.
    IfSafe,
}

impl Enrol {
    /// As loader.conf(5) has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::IfSafe => "if-safe",
        }
    }

    /// The folder of the enrolment files, below the root of the ESP. Only `auto` enrols by itself.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Manual => "loader/keys/slipway",
            Self::IfSafe => "loader/keys/auto",
        }
    }
}

/// The name of the boot loader, as systemd installs it and as [`Programs::Signed`] expects it.
pub const BOOT_LOADER: &str = "systemd-bootx64.efi";

/// Where the boot loader is in the tree of systemd.
pub const BOOT_LOADER_PATH: &str = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";

/// Makes `disk.raw` from `/usr` with its hash tree, the UKI and systemd's boot loader. Slot A is filled, slot B is empty.
pub fn disk_tool(layout: &Layout, release: &Release, programs: Programs) -> Tool {
    let mut files: BTreeMap<_, _> = layout
        .partitions
        .iter()
        .enumerate()
        .map(|(index, partition)| {
            (format!("repart.d/{index:02}-{}.conf", partition.label), definition(partition))
        })
        .collect();
    let mut loader = "timeout 0\nconsole-mode keep\neditor no\n".to_owned();
    let boot = match programs {
        Programs::Unsigned => format!("/in/systemd/{BOOT_LOADER_PATH}"),
        Programs::Signed(enrol) => {
            loader.push_str(&["secure-boot-enroll ", enrol.as_str(), "\n"].concat());
            format!("/in/{BOOT_LOADER}")
        }
    };
    files.insert("loader/loader.conf".to_owned(), loader);
    Tool {
        script: include_str!("disk.sh"),
        args: vec![uki_file_name(release, TRIES), boot],
        files,
        outputs: &["disk.raw"],
    }
}

/// Converts `/in/disk.raw` to `disk.qcow2`.
pub fn qcow2_tool() -> Tool {
    Tool {
        script: "set -eu\nqemu-img convert -f raw -O qcow2 -o compat=1.1 /in/disk.raw /out/disk.qcow2\n",
        args: vec![],
        files: [].into(),
        outputs: &["disk.qcow2"],
    }
}

/// The definition of one partition (repart.d(5)). `@roothash-data@` and `@roothash-tree@` stand for UUIDs that the script fills in.
fn definition(partition: &Partition) -> String {
    let mut text = String::from("[Partition]\n");
    let mut set = |key: &str, value: &str| {
        let _infallible = writeln!(text, "{key}={value}");
    };
    set("Type", partition.kind.repart_name());
    set("Label", &partition.label);
    let size = partition.size.bytes().to_string();
    set("SizeMinBytes", &size);
    set("SizeMaxBytes", &size);
    match (partition.kind, partition.slot) {
        (PartitionType::Esp, _) => {
            set("Format", "vfat");
            set("CopyFiles", "/tmp/esp:/");
        }
        (PartitionType::Usr, Some(Slot::A)) => {
            set("UUID", "@roothash-data@");
            set("CopyBlocks", "/in/usr.erofs");
            set("ReadOnly", "yes");
        }
        (PartitionType::UsrVerity, Some(Slot::A)) => {
            set("UUID", "@roothash-tree@");
            set("CopyBlocks", "/in/usr.verity");
            set("ReadOnly", "yes");
        }
        // The empty slot: its content and UUIDs come with the first update.
        (PartitionType::Usr | PartitionType::UsrVerity, _) => {
            set("ReadOnly", "yes");
            set("NoAuto", "yes");
        }
        (PartitionType::Oem, _) => {
            set("Format", "ext4");
        }
        (PartitionType::Root, _) => {
            set("Format", "ext4");
            set("GrowFileSystem", "yes");
        }
    }
    text
}

/// The definitions that a booted system carries in `/usr/lib/repart.d`: they let the last partition grow to the end of the disk.
/// Every partition of the layout is named, because `systemd-repart` matches definitions with partitions in order.
pub fn repart_on_device(layout: &Layout) -> BTreeMap<String, String> {
    let file = |(index, partition): (usize, &Partition)| {
        let mut text = format!("[Partition]\nType={}\n", partition.kind.repart_name());
        let bound = if partition.grow { "" } else { "SizeMaxBytes=" };
        if !bound.is_empty() {
            let _infallible = writeln!(text, "{bound}{}", partition.size.bytes());
        }
        if partition.grow {
            text.push_str("GrowFileSystem=yes\n");
        }
        (format!("{index:02}-{}.conf", partition.label.to_lowercase()), text)
    };
    layout.partitions.iter().enumerate().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::parse("v1.toml", include_str!("../../../packages-manifest/layouts/v1.toml"))
            .unwrap()
    }

    #[test]
    fn slot_a_is_found_by_the_root_hash_and_slot_b_is_empty() {
        let release = Release::parse("release.toml", "version = \"4.2.0\"\nepoch = 7\n").unwrap();
        let tool = disk_tool(&layout(), &release, Programs::Unsigned);
        let boot = "/in/systemd/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
        assert_eq!(tool.args, ["slipway-4.2.0+3.efi", boot]);
        assert!(!tool.files["loader/loader.conf"].contains("secure-boot"));
        insta::assert_snapshot!(tool.files["repart.d/01-USR-A.conf"], @r"
        [Partition]
        Type=usr-x86-64
        Label=USR-A
        SizeMinBytes=1073741824
        SizeMaxBytes=1073741824
        UUID=@roothash-data@
        CopyBlocks=/in/usr.erofs
        ReadOnly=yes
        ");
        insta::assert_snapshot!(tool.files["repart.d/03-USR-B.conf"], @r"
        [Partition]
        Type=usr-x86-64
        Label=USR-B
        SizeMinBytes=1073741824
        SizeMaxBytes=1073741824
        ReadOnly=yes
        NoAuto=yes
        ");
    }

    /// Nothing but the programs on the ESP and how they are enrolled differs.
    #[test]
    fn a_signed_disk_differs_in_its_boot_loader() {
        #[track_caller]
        fn check(enrol: Enrol, expected: &str) {
            let release =
                Release::parse("release.toml", "version = \"4.2.0\"\nepoch = 7\n").unwrap();
            let unsigned = disk_tool(&layout(), &release, Programs::Unsigned);
            let mut signed = disk_tool(&layout(), &release, Programs::Signed(enrol));
            assert_eq!(signed.args.pop().unwrap(), "/in/systemd-bootx64.efi");
            assert_eq!(signed.args, unsigned.args[..1]);
            let loader = signed.files.get_mut("loader/loader.conf").unwrap();
            assert_eq!(loader.lines().last().unwrap(), expected);
            loader.clone_from(&unsigned.files["loader/loader.conf"]);
            assert_eq!((signed.script, signed.files), (unsigned.script, unsigned.files));
        }
        check(Enrol::Manual, "secure-boot-enroll manual");
        check(Enrol::IfSafe, "secure-boot-enroll if-safe");
        assert!(Enrol::IfSafe.folder().ends_with("/auto"));
        assert!(!Enrol::Manual.folder().ends_with("/auto"));
    }

    #[test]
    fn only_root_grows_on_the_device() {
        let files = repart_on_device(&layout());
        assert_eq!(files.len(), 7);
        for (name, text) in files {
            assert_eq!(text.contains("SizeMaxBytes"), name != "06-root.conf", "{name}");
        }
    }
}
