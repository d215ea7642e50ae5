//! The only place that knows Portage: what to run in a container to resolve atoms or to build one package, what came out
//! of it, and the binary package format.
//!
//! Nothing here runs a container. The crate makes [`ContainerSpec`](slipway_engine::ContainerSpec)s and reads results, so that all
//! of it can be tested without one.

mod binhost;
mod build;
mod container;
mod error;
mod gpkg;
mod hosted;
mod manifest;
mod overlay;
mod package;
mod pkgcheck;
mod resolve;
mod setup;
mod sources;

pub use binhost::{IndexEntry, index};
pub use build::{BUILD_SCRIPT, BuildDirs, build_argv, build_env, build_spec, profile_use};
pub use container::{Target, base_spec};
pub use error::PortageError;
pub use gpkg::{Normalised, normalise};
pub use hosted::for_host;
pub use manifest::{Manifest, ManifestEntry, ManifestPlan};
pub use overlay::{Overlay, RecipeFile};
pub use package::{Cpv, CpvError, DigestText, Distfile, Edges, Package};
pub use pkgcheck::{
    Finding, PKGCHECK_REQUIREMENTS, PKGCHECK_SCRIPT, PkgcheckDirs, WHEELS_SCRIPT, findings,
    pkgcheck_spec, unexpected, wheels_spec,
};
pub use resolve::{
    Question, RESOLVE_SCRIPT, Resolution, ResolveDirs, parse_resolution, resolve_spec,
};
pub use setup::{SETUP_VERSION, SetupFile, setup_files};
pub use sources::{PackageSources, SOURCES_SCRIPT, Source, parse_sources};
