//! What can go wrong, by operation.

use std::io;
use std::process::ExitStatus;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Why an engine could not do what it was asked. A program that fails is no error: see [`crate::Exit`].
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The spec contradicts itself.
    #[error("container `{container}`: {reason}")]
    InvalidSpec {
        /// The container.
        container: String,
        /// What is wrong.
        reason: String,
    },
    /// The root file system is not there.
    #[error("container `{container}`: its root file system `{path}` is not a directory")]
    RootMissing {
        /// The container.
        container: String,
        /// The directory that was named.
        path: Utf8PathBuf,
    },
    /// A host path to mount is not there.
    #[error(
        "container `{container}`: `{path}`, to be mounted at `{target}`, does not exist on the host"
    )]
    MountSourceMissing {
        /// The container.
        container: String,
        /// The host path.
        path: Utf8PathBuf,
        /// Where the container was to see it.
        target: Utf8PathBuf,
    },
    /// The embedded engine needs root.
    #[error(
        "the embedded engine needs root: run it with sudo, or start a Docker daemon that this user may use"
    )]
    NotRoot,
    /// The scratch folder could not be used.
    #[error("cannot use the scratch folder `{path}`")]
    Scratch {
        /// The folder of the engine or of a run.
        path: Utf8PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The child program could not be started.
    #[error("cannot start `{program}` as the child that guards containers")]
    ChildStart {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The child stopped talking.
    #[error("container `{container}`: lost touch with the child that guards it")]
    ChildTalk {
        /// The container.
        container: String,
        /// The cause.
        source: io::Error,
    },
    /// The child ended without a report.
    #[error(
        "container `{container}`: the child that guards it ended without a report ({status}); does its `main` call `embedded_child_main` first?"
    )]
    ChildDied {
        /// The container.
        container: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The container could not be made.
    #[error("container `{container}` could not be run")]
    Container {
        /// The container.
        container: String,
        /// The step that failed.
        source: Failure,
    },
    /// There is no Docker daemon to talk to.
    #[error("no Docker daemon answers at `{endpoint}`")]
    DockerUnreachable {
        /// Where it was looked for.
        endpoint: String,
        /// The cause.
        source: Box<bollard::errors::Error>,
    },
    /// The Docker daemon refused.
    #[error("container `{container}`: Docker could not {operation}")]
    Docker {
        /// The container.
        container: String,
        /// What was asked of it.
        operation: &'static str,
        /// The cause.
        source: Box<bollard::errors::Error>,
    },
    /// The root file system could not be made an image.
    #[error("cannot import `{path}` into Docker as `{image}`")]
    DockerImport {
        /// The root file system.
        path: Utf8PathBuf,
        /// The image.
        image: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A step of making a container that failed. It crosses from the child to its parent, hence the texts in place of errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Failure {
    /// The request was not understood.
    #[error("the child and its parent do not speak the same protocol: {message}")]
    Protocol {
        /// What was wrong.
        message: String,
    },
    /// The scratch folder could not be used.
    #[error("cannot use the scratch folder `{path}`: {message}")]
    Scratch {
        /// The path.
        path: Utf8PathBuf,
        /// The cause.
        message: String,
    },
    /// The scratch folder lies where no overlay can be written.
    #[error(
        "the scratch folder `{path}` lies on an overlay file system, which cannot carry another: choose one on a disk or a tmpfs"
    )]
    ScratchOnOverlay {
        /// The path.
        path: Utf8PathBuf,
    },
    /// The layers could not be mounted.
    #[error("cannot mount an overlay of `{root}` with its upper layer in `{scratch}`: {message}")]
    Overlay {
        /// The lower layer.
        root: Utf8PathBuf,
        /// The folder of the run.
        scratch: Utf8PathBuf,
        /// The cause.
        message: String,
    },
    /// A namespace could not be made.
    #[error("cannot {operation}: {message}")]
    Namespace {
        /// What was tried.
        operation: String,
        /// The cause.
        message: String,
    },
    /// A limit was asked for that cannot be enforced here.
    #[error("a limit of {limit} was asked for, but control groups cannot be used here: {message}")]
    LimitUnavailable {
        /// The limit.
        limit: String,
        /// The cause.
        message: String,
    },
    /// The container library failed.
    #[error("cannot {operation} the container: {message}")]
    Runtime {
        /// What was tried.
        operation: String,
        /// The cause.
        message: String,
    },
}

impl Failure {
    pub(crate) fn scratch(path: impl Into<Utf8PathBuf>, error: &io::Error) -> Self {
        Self::Scratch { path: path.into(), message: error.to_string() }
    }

    pub(crate) fn namespace(operation: &str, error: impl std::fmt::Display) -> Self {
        Self::Namespace { operation: operation.to_owned(), message: error.to_string() }
    }

    pub(crate) fn runtime(operation: &str, error: &dyn std::error::Error) -> Self {
        Self::Runtime { operation: operation.to_owned(), message: chain(error) }
    }
}

/// Renders an error with its causes on one line, without saying the same twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
