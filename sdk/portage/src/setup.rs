//! What makes Debian's packages into a Portage host with a hermetic toolchain: files that run once while the SDK is bootstrapped.

/// Part of the SDK's identity. Raise it when the files here stay the same but what is done with them changes.
pub const SETUP_VERSION: u32 = 1;

/// A file that the bootstrap needs inside the new root.
#[derive(Clone, Copy, Debug)]
pub struct SetupFile {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The files, in no particular order.
pub fn setup_files() -> [SetupFile; 4] {
    [
        SetupFile { name: "portage.sh", text: include_str!("../setup/portage.sh") },
        SetupFile { name: "toolchain.sh", text: include_str!("../setup/toolchain.sh") },
        SetupFile { name: "clock.c", text: include_str!("../setup/clock.c") },
        SetupFile { name: "package.provided", text: include_str!("../setup/package.provided") },
    ]
}
