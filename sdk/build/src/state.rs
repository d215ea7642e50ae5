//! `NodeStates`: what is remembered of the last run of each action, in the folder `nodes/` of the store.
//!
//! The keyed records of the store decide what is fresh. This is the other direction, from the name of an action to its
//! last run: it tells why something must run and how long that may take. Losing it costs a reason and an estimate, never
//! a rebuild, so a state that cannot be understood counts as none.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use slipway_store::{Digest, Key, Store};

use crate::action::Kind;
use crate::node::NodeId;
use crate::runner::Outputs;

/// The format of the files. A file of another format is ignored and overwritten by the next run.
const VERSION: u32 = 1;

/// The last run of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeState {
    version: u32,
    /// The key it had.
    pub key: Key,
    /// The kind it had.
    pub kind: Kind,
    /// The argument vector it had.
    pub argv: Vec<String>,
    /// The environment it had.
    pub env: BTreeMap<String, String>,
    /// The inputs it had.
    pub inputs: BTreeMap<String, Digest>,
    /// What came out.
    pub outputs: Outputs,
    /// How long it ran.
    pub seconds: f64,
}

impl NodeState {
    /// The state after a run of `action`.
    pub fn new(
        action: &crate::action::Action,
        key: Key,
        inputs: BTreeMap<String, Digest>,
        outputs: Outputs,
        seconds: f64,
    ) -> Self {
        let (kind, argv, env) = (action.kind, action.argv.clone(), action.env.clone());
        Self { version: VERSION, key, kind, argv, env, inputs, outputs, seconds }
    }
}

/// The states of all actions, one small file each.
#[derive(Clone, Debug)]
pub struct NodeStates {
    folder: Utf8PathBuf,
}

/// Why a state cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read.
    #[error("cannot read the state of `{id}`")]
    Read {
        /// The action.
        id: NodeId,
        /// The cause, which names the file.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the state of `{id}` in `{folder}`")]
    Write {
        /// The action.
        id: NodeId,
        /// The folder of states.
        folder: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl NodeStates {
    /// The states of the actions whose outputs are in this store.
    pub fn of(store: &Store) -> Self {
        Self::new(store.root().join("nodes"))
    }

    /// The states in the folder, which need not exist yet.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The file of an action.
    pub fn path(&self, id: &NodeId) -> Utf8PathBuf {
        self.folder.join(format!("{}.json", id.file_name()))
    }

    /// The last run of an action, if there was one that this version understands.
    pub fn load(&self, id: &NodeId) -> Result<Option<NodeState>, StateError> {
        match fs_err::read(self.path(id)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)
                .ok()
                .filter(|state: &NodeState| state.version == VERSION)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Read { id: id.clone(), source }),
        }
    }

    /// Replaces the last run of an action: the old state or the new one is there, never half of one. It is not flushed to
    /// the disk, because losing it costs an estimate only.
    pub fn save(&self, id: &NodeId, state: &NodeState) -> Result<(), StateError> {
        write(&self.folder, &self.path(id), state).map_err(|source| StateError::Write {
            id: id.clone(),
            folder: self.folder.clone(),
            source,
        })
    }
}

fn write(folder: &Utf8Path, path: &Utf8Path, state: &NodeState) -> io::Result<()> {
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
