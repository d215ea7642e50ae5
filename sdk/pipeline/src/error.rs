//! The errors of this crate.

use std::io;

use camino::Utf8PathBuf;
use slipway_build::{GraphError, NodeIdError};
use slipway_packages_manifest::ManifestError;
use slipway_portage::PortageError;
use slipway_store::StoreError;

use crate::WorkspaceError;

/// Why a plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A file of the repository cannot be read; the cause names it.
    #[error("cannot read the repository at `{path}`")]
    Repository {
        /// The repository.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A manifest is not valid.
    #[error("the manifests cannot be used")]
    Manifest {
        /// The cause.
        #[source]
        source: ManifestError,
    },
    /// The ebuild repository cannot be used, or the packages cannot be resolved.
    #[error("the packages cannot be planned")]
    Portage {
        /// The cause.
        #[source]
        source: PortageError,
    },
    /// A package of this repository cannot be planned.
    #[error("the crates of `{package}` cannot be planned")]
    Workspace {
        /// The package.
        package: String,
        /// The cause.
        #[source]
        source: WorkspaceError,
    },
    /// A source that no Manifest knows yet cannot be had.
    #[error("`{name}` cannot be had from any of its addresses: {}", reasons.join("; "))]
    Source {
        /// The file.
        name: String,
        /// For each address why.
        reasons: Vec<String>,
    },
    /// A work folder cannot be used; the cause names it.
    #[error("cannot use a work folder")]
    Work {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store does not work.
    #[error("the store does not work")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// A name that no action can have.
    #[error("a name cannot be used for an action")]
    Node {
        /// The cause.
        #[source]
        source: NodeIdError,
    },
    /// The packages depend on each other in a circle, or something else that no graph can have.
    #[error("the actions do not make a graph")]
    Graph {
        /// The cause.
        #[source]
        source: GraphError,
    },
    /// An image asks for something that the repository does not have.
    #[error("image `{image}`: {problem}")]
    Image {
        /// The image.
        image: String,
        /// What is missing.
        problem: String,
    },
    /// The boot loader cannot be taken out of its package to be signed.
    #[error("cannot find the boot loader in the package of systemd")]
    BootLoader {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A package that no ebuild provides was asked for.
    #[error("there is no package `{0}` in the plan")]
    UnknownPackage(String),
}
