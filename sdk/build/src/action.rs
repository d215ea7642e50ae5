//! `Action`: one step that costs time, described completely.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use slipway_store::{Digest, Key};

use crate::node::NodeId;
use crate::runner::Runner;

/// What an action does. Closed, so that every consumer of events handles every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Makes the root file system of the SDK.
    Seed,
    /// Resolves a manifest to a graph of packages.
    Resolve,
    /// Downloads a source.
    Fetch,
    /// Builds one package.
    Package,
    /// Makes the index of binary packages.
    Index,
    /// Makes the index of an image's kernel modules.
    Modules,
    /// Composes a root file system from packages.
    Root,
    /// Makes an initial RAM disk.
    Initrd,
    /// Makes the `/usr` file system with its verity tree.
    Usr,
    /// Makes a unified kernel image.
    Uki,
    /// Assembles a disk.
    Disk,
    /// Converts a disk for a platform.
    Format,
    /// Makes an update payload.
    Payload,
    /// Makes the software bill of materials.
    Sbom,
}

impl Kind {
    /// Every kind, in the order of a build.
    pub const ALL: [Self; 14] = [
        Self::Seed,
        Self::Resolve,
        Self::Fetch,
        Self::Package,
        Self::Index,
        Self::Modules,
        Self::Root,
        Self::Initrd,
        Self::Usr,
        Self::Uki,
        Self::Disk,
        Self::Format,
        Self::Payload,
        Self::Sbom,
    ];

    /// The name, as in keys, events and plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Resolve => "resolve",
            Self::Fetch => "fetch",
            Self::Package => "package",
            Self::Index => "index",
            Self::Modules => "modules",
            Self::Root => "root",
            Self::Initrd => "initrd",
            Self::Usr => "usr",
            Self::Uki => "uki",
            Self::Disk => "disk",
            Self::Format => "format",
            Self::Payload => "payload",
            Self::Sbom => "sbom",
        }
    }

    /// What an action of this kind is taken to need in seconds until one was measured.
    pub fn default_seconds(self) -> f64 {
        match self {
            Self::Seed => 180.0,
            Self::Package => 40.0,
            Self::Usr => 15.0,
            Self::Fetch | Self::Disk | Self::Resolve => 5.0,
            Self::Root | Self::Initrd | Self::Format | Self::Payload => 4.0,
            Self::Index | Self::Modules | Self::Uki | Self::Sbom => 1.0,
        }
    }

    /// Whether the action waits for the network rather than for a core. Such actions have a pool of their own.
    pub fn is_fetch(self) -> bool {
        matches!(self, Self::Fetch)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where the bytes of an input come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Known beforehand, and in the store.
    Digest(Digest),
    /// An output of another action.
    Output {
        /// The action.
        node: NodeId,
        /// The name of its output.
        output: String,
    },
}

/// One step that costs time.
///
/// Everything that can change what comes out stands in `kind`, `argv`, `env`, `inputs` and `outputs`; the key is made of
/// these alone. The remaining fields say how to run it, and changing them rebuilds nothing.
#[derive(Clone)]
pub struct Action {
    /// The name, stable from build to build.
    pub id: NodeId,
    /// What it does.
    pub kind: Kind,
    /// The argument vector. A runner that is no process takes its parameters from here too.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The inputs by the name under which the runner finds them.
    pub inputs: BTreeMap<String, Input>,
    /// The names of the outputs.
    pub outputs: BTreeSet<String>,
    /// How much memory it is expected to need at most.
    pub memory_bytes: u64,
    /// How many seconds it may take, as long as no run of it is known; `None` is what its kind usually takes. Not part of the key.
    pub guess_seconds: Option<f64>,
    /// What carries it out.
    pub runner: Arc<dyn Runner>,
}

impl Action {
    /// The key, given the digest of each input. The caller resolves the inputs of this very action.
    pub fn key(&self, inputs: &BTreeMap<String, Digest>) -> Key {
        crate::key::of(self.kind, &self.argv, &self.env, inputs, &self.outputs)
    }

    /// The actions whose outputs this one takes, each once.
    pub fn dependencies(&self) -> BTreeSet<&NodeId> {
        self.inputs
            .values()
            .filter_map(|input| match input {
                Input::Digest(_) => None,
                Input::Output { node, .. } => Some(node),
            })
            .collect()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
