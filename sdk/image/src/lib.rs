//! From packages to a disk: composing trees, the initrd archive, `/usr` with its hash tree, the UKI, the partition table.
//!
//! What is made of bytes alone is made here ([`compose`], [`write_cpio`]). What needs a tool is a [`Tool`]: a script that runs in
//! a container on the SDK root with its inputs below `/in` and its outputs below `/out`. Root, loop devices and KVM are not needed.

mod budget;
mod compose;
mod cpio;
mod disk;
mod error;
mod modules;
mod os_release;
mod tool;
mod uki;
mod usr;

pub use budget::{BudgetReport, check_budget};
pub use compose::{Composed, PackageSize, PackageTree, compose};
pub use cpio::{CpioError, write_cpio};
pub use disk::{
    BOOT_LOADER, BOOT_LOADER_PATH, Enrol, Programs, disk_tool, qcow2_tool, repart_on_device,
};
pub use error::ImageError;
pub use modules::modules_tool;
pub use os_release::os_release;
pub use tool::{Tool, ToolInput};
pub use uki::{kernel_command_line, uki_file_name, uki_tool};
pub use usr::usr_tool;
