//! What a container is: a plain value, complete by itself, the same for every engine.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Everything about one run of one program in a container.
///
/// Every container also has its own `/proc`, `/dev`, `/dev/shm` and `/tmp`, an empty read-only `/sys`, its own process,
/// IPC, mount and host name spaces, `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` made for it, and an init that
/// reaps orphans and passes on SIGTERM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// A name for people: letters, digits, `-`, `_` and `.`. Two runs may share it.
    pub name: String,
    /// The root file system, which is never written to.
    pub root: RootFs,
    /// Host paths that the container sees.
    pub mounts: Vec<Mount>,
    /// The whole environment. Only `HOME` is added (as `/`) when it is absent, because a Docker daemon insists on one.
    pub env: BTreeMap<String, String>,
    /// The program and its arguments. A program without a slash is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The working directory, absolute. It is made when it is missing.
    pub cwd: Utf8PathBuf,
    /// Whom the program runs as.
    pub user: User,
    /// What it sees of the network.
    pub network: Network,
    /// The host name, fixed so that nothing of the machine leaks into a build.
    pub hostname: String,
    /// What it may use at most.
    pub limits: Limits,
    /// Where its standard streams go.
    pub stdio: Stdio,
    /// What becomes of its file system.
    pub keep: Keep,
}

/// A directory tree that is the lower, read-only layer of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Where the tree lies.
    pub dir: Utf8PathBuf,
    /// The digest that names the content. Docker imports a tree once per `id`: equal ids must mean equal trees.
    pub id: String,
}

/// A host path made visible in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The file or directory on the host. It must exist.
    pub source: Utf8PathBuf,
    /// Where the container sees it, absolute.
    pub target: Utf8PathBuf,
    /// Whether the container may write to it.
    pub access: Access,
}

/// Whether a mount may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Writes fail, also below nested mounts.
    ReadOnly,
    /// Writes reach the host path.
    ReadWrite,
}

/// A numeric user and group, without supplementary groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

impl User {
    /// The super-user of the container, with the fourteen capabilities that Docker grants by default.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

/// What a container sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// A loopback interface and nothing else.
    None,
    /// The network of the host, with its `/etc/resolv.conf` and `/etc/hosts`.
    Host,
}

/// Upper bounds. An engine that cannot enforce one that is set refuses to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all processes together, in bytes. There is no swap beyond it.
    pub memory_bytes: Option<u64>,
    /// Processes and threads, those of the container's init included.
    pub pids: Option<u32>,
}

/// Where the standard streams of a container go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdio {
    /// Standard input is empty; output is sent as chunks.
    Capture,
    /// The terminal of the calling process, for a shell. Without a terminal: its output streams, and empty input.
    Inherit,
}

/// What becomes of the file system of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// It is removed.
    Never,
    /// It is kept when the program fails or is cancelled, and the run says how to get a shell in it.
    OnFailure,
}
