//! From the repository's files to a graph of actions: what depends on what, and which runner carries what out.
//!
//! Concepts:
//! - [`Project`]: the manifests, the ebuild repository and the SDK's files of one work tree, read and validated.
//! - [`Shared`]: what runners need of the host: the engine (started on first use), the SDK root, scratch space, the network.
//! - [`Planner`]: turns a resolved set of packages and an image into [`slipway_build::Action`]s.
//! - [`Workspace`]: the cargo workspace, and the part of it that a package of this repository is built from.
//! - [`SignedPrograms`]: what was signed after a build, and goes onto a disk instead of what was built.
//! - Runners: [`fetch`](FetchRunner), crate, package, compose, tool and payload.

mod bootstrap;
mod component;
mod compose;
mod container;
mod crates;
mod error;
mod fetch;
mod manifest;
mod package;
mod payload;
mod pkgcheck;
mod planner;
mod programs;
mod project;
mod read_through;
mod resolve;
mod shared;
#[cfg(test)]
mod testing;
mod tool;
mod workspace;

pub use bootstrap::{EngineInRoot, setup_steps};
pub use crates::Cargo;
pub use error::PipelineError;
pub use fetch::{FetchRunner, Network, fetch_unknown};
pub use manifest::{ManifestChange, update_manifest};
pub use package::{CONTAINER_PHASE, DISTFILE, STORE_PHASE, SYSROOT, lay_out_root};
pub use payload::{PAYLOAD, PAYLOAD_NOTE, PayloadBase, PayloadNote, PayloadSystem, payload_action};
pub use pkgcheck::{FINDINGS, PackageIndex, pkgcheck_actions};
pub use planner::{Additions, ImageNodes, Planner, package_node};
pub use programs::{SignedPrograms, boot_loader};
pub use project::Project;
pub use read_through::read_through;
pub use resolve::{resolve_action, sources_action};
pub use shared::{EngineSource, Shared};
pub use workspace::{Part, RegistryCrate, Workspace, WorkspaceError};
