//! The contract of an engine, and the choice between the two.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::{ContainerSpec, Docker, DockerConfig, Embedded, EmbeddedConfig, EngineError};

/// Runs containers.
pub trait Engine: Send + Sync {
    /// The engine's name for people: `docker` or `embedded`.
    fn name(&self) -> &'static str;

    /// Runs one container to its end.
    ///
    /// Output is sent as it comes; a receiver that went away does not stop the run. Cancelling sends SIGTERM, and SIGKILL
    /// after the grace time; dropping the future kills at once. In every case nothing of the container is left, unless
    /// the spec asked to keep it.
    fn run(
        &self,
        spec: ContainerSpec,
        output: Sender<Chunk>,
        cancel: CancellationToken,
    ) -> RunFuture<'_>;
}

/// The future of [`Engine::run`], boxed so that the trait can be used as `Arc<dyn Engine>`.
pub type RunFuture<'a> = BoxFuture<'a, Result<Run, EngineError>>;

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output. The order within a stream is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it was written to.
    pub stream: Stream,
    /// The bytes, split at arbitrary places.
    pub data: Bytes,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program ended with this code: 127 when it does not exist, 126 when it cannot be executed.
    Code(i32),
    /// A signal ended the program. A code of 128 + n reads the same, as shells pass a signal on so.
    Signal(i32),
    /// The caller cancelled the run.
    Cancelled,
    /// The program failed, and the kernel had killed a process of the container for its memory limit.
    OutOfMemory,
}

impl Exit {
    /// Whether the program ended with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// Reads the exit code of a container's init, which adds 128 to the number of a signal.
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            129..=192 => Self::Signal(code - 128),
            code => Self::Code(code),
        }
    }
}

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How the container ended.
    pub exit: Exit,
    /// The file system that was kept, if any.
    pub kept: Option<Kept>,
}

/// A failed container's file system that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// A command line that gives a shell in it.
    pub shell_command: String,
    /// A command line that removes it.
    pub remove_command: String,
}

/// Which engine to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Embedded for root, else Docker. Root needs no daemon.
    Auto,
    /// Docker or an error.
    Docker,
    /// Embedded or an error.
    Embedded,
}

/// The settings of both engines.
#[derive(Clone, Debug)]
pub struct AutoConfig {
    /// For Docker.
    pub docker: DockerConfig,
    /// For the embedded engine.
    pub embedded: EmbeddedConfig,
}

/// Makes the chosen engine.
pub async fn auto(choice: Choice, config: AutoConfig) -> Result<Arc<dyn Engine>, EngineError> {
    match choice {
        Choice::Docker => Ok(Arc::new(Docker::connect(config.docker).await?)),
        Choice::Embedded => Ok(Arc::new(Embedded::new(config.embedded)?)),
        Choice::Auto => match Embedded::new(config.embedded) {
            Ok(embedded) => Ok(Arc::new(embedded)),
            Err(not_root @ EngineError::NotRoot) => match Docker::connect(config.docker).await {
                Ok(docker) => Ok(Arc::new(docker)),
                Err(EngineError::DockerUnreachable { .. }) => Err(not_root),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_above_128_are_signals() {
        assert_eq!(Exit::from_code(0), Exit::Code(0));
        assert_eq!(Exit::from_code(128), Exit::Code(128));
        assert_eq!(Exit::from_code(143), Exit::Signal(15));
        assert_eq!(Exit::from_code(192), Exit::Signal(64));
        assert_eq!(Exit::from_code(255), Exit::Code(255));
        assert!(Exit::Code(0).success() && !Exit::OutOfMemory.success());
    }
}
