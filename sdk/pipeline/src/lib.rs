//! From the repository's files to a graph of actions: what depends on what, and which runner carries what out.
//!
//! Concepts:
//! - [`Project`]: the manifests, the ebuild repository and the SDK's files of one work tree, read and validated.
//! - [`Shared`]: what runners need of the host: the engine (started on first use), the SDK root, scratch space, the network.
//! - [`Planner`]: turns a resolved set of packages and an image into [`slipway_build::Action`]s.
//! - Runners: [`fetch`](FetchRunner), package, compose, tool and payload.

mod bootstrap;
mod compose;
mod container;
mod error;
mod fetch;
mod package;
mod payload;
mod planner;
mod project;
mod read_through;
mod resolve;
mod shared;
mod tool;

pub use bootstrap::{EngineInRoot, setup_steps};
pub use error::PipelineError;
pub use fetch::{FetchRunner, Network};
pub use package::{CONTAINER_PHASE, STORE_PHASE};
pub use payload::{PAYLOAD, PAYLOAD_NOTE, PayloadBase, PayloadNote, PayloadSystem, payload_action};
pub use planner::{ImageNodes, Planner, package_node};
pub use project::Project;
pub use read_through::read_through;
pub use resolve::resolve_action;
pub use shared::{EngineSource, Shared};
