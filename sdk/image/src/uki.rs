//! The unified kernel image: kernel, initrd and command line in one file that can be signed (UAPI group, `UKI` specification).

use slipway_packages_manifest::Release;

use crate::Tool;

/// The command line of the kernel without the root hash, which the tool adds.
///
/// `/usr` is found by the root hash alone: its first half is the UUID of the data partition, its second half that of the hash
/// partition. So a signed UKI chooses its slot, and nothing else can. ROOT is found by its type, on the disk that was booted from.
pub fn kernel_command_line() -> String {
    [
        "mount.usr=/dev/mapper/usr",
        "mount.usrfstype=erofs",
        "mount.usrflags=ro",
        // A block of `/usr` that is not what was signed ends this try; the boot loader counts it.
        "systemd.verity_usr_options=panic-on-corruption",
        "panic=10",
        "rw",
        "systemd.firstboot=off",
        // Warnings and worse; the journal has everything.
        "loglevel=4",
        "console=tty0",
        "console=ttyS0,115200n8",
    ]
    .join(" ")
}

/// The name of the UKI on the ESP with `tries` tries left (systemd: Automatic Boot Assessment).
pub fn uki_file_name(release: &Release, tries: u32) -> String {
    format!("slipway-{}+{tries}.efi", release.version)
}

/// Makes `slipway.efi` from the trees of the kernel and of systemd, the initrd and the root hash.
pub fn uki_tool(os_release: &str) -> Tool {
    Tool {
        script: include_str!("uki.sh"),
        args: vec![kernel_command_line()],
        files: [("os-release".to_owned(), os_release.to_owned())].into(),
        outputs: &["slipway.efi"],
    }
}
