//! What is built: images, layouts, platforms and the release, as TOML parsed and validated into types.
//!
//! The crate does no I/O. Callers read the files and pass their text; errors name the file that the text came from.

mod atom;
mod error;
mod glob;
mod image;
mod layout;
mod release;
mod size;

pub use atom::{Atom, AtomError};
pub use error::ManifestError;
pub use glob::{Glob, GlobError, PathFilter};
pub use image::{Budget, Image, ImageName, Images};
pub use layout::{Layout, Partition, PartitionType, Slot};
pub use release::{DiskFormat, Platform, Release, Version, VersionError};
pub use size::{Size, SizeError};
