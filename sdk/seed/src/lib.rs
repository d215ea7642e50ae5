//! The SDK root file system, made from Debian packages by lock file.
//!
//! The stages are types, so that a wrong order does not compile:
//! [`SeedSpec`] (what is wanted) → [`SeedLock`] (exact files) → [`FetchedPackage`] (bytes that have the locked digest)
//! → [`UnpackedTree`] (all files in place, nothing configured) → [`SdkRoot`] (ready).
//!
//! - [`mirrors`] finds a Debian mirror in the host's APT configuration.
//! - [`update`] writes a new lock from the mirror's signed release.
//! - [`ensure`] makes the root file system of a lock, or finds it ready.
//!
//! The crate prints nothing, reads no environment and no clock, and knows no container engine: commands inside
//! of the tree run through [`RunInRoot`].

mod configure;
mod control;
mod deb;
mod depends;
mod dpkg;
mod ensure;
mod error;
mod event;
mod fetch;
#[doc(hidden)]
pub mod fuzz;
mod http;
mod index;
mod lock;
pub mod mirrors;
mod place;
mod release;
mod resolve;
mod spec;
mod tree;
mod trim;
mod types;
mod unpack;
mod update;
mod version;

pub use configure::{RunError, RunInRoot, SetupStep, StepMount};
pub use ensure::{EnsureOptions, ensure, root_id};
pub use error::SeedError;
pub use event::{Events, FetchedFrom, SeedEvent};
pub use fetch::FetchedPackage;
pub use lock::{LockedPackage, SeedLock};
pub use mirrors::Mirror;
pub use place::SdkRoot;
pub use spec::{KeyFile, PortageSpec, SeedSpec};
pub use types::{Architecture, PackageName, Sha256Digest};
pub use unpack::UnpackedTree;
pub use update::{UpdateOptions, UpdateReport, update};
pub use version::DebVersion;
