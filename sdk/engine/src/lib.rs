//! Containers: what a container is ([`ContainerSpec`]), who runs it ([`Engine`]), and the two engines that can.
//!
//! [`Docker`] talks to a daemon. [`Embedded`] needs nothing but root and a Linux kernel. One conformance suite holds
//! both to the same promises, so that a build gives the same bits on either. No other crate knows Docker or libcontainer.
//!
//! Concepts:
//! - **spec**: a value that says everything about a run. Nothing of the host leaks in that is not named in it.
//! - **child**: both engines re-execute a program ([`ChildProgram`]) that calls [`embedded_child_main`] first thing in
//!   its `main`. It is how a container dies when the process that wanted it is killed.
//! - **scratch**: one folder per run below the scratch folder, locked while its owner lives, swept when it is dead.

mod docker;
mod embedded;
mod engine;
mod error;
mod policy;
mod prepare;
mod scratch;
mod shell;
mod spec;

pub use docker::{Docker, DockerConfig, DockerEndpoint};
pub use embedded::{ChildProgram, Embedded, EmbeddedConfig, embedded_child_main};
pub use engine::{AutoConfig, Choice, Chunk, Engine, Exit, Kept, Run, RunFuture, Stream, auto};
pub use error::{EngineError, Failure};
pub use spec::{Access, ContainerSpec, Keep, Limits, Mount, Network, RootFs, Stdio, User};
pub use tokio_util::sync::CancellationToken;
