//! The embedded engine, as its caller sees it: it starts a child per container and passes on what comes out of it.
//!
//! What runs after libcontainer's `clone` is not safe in a process with threads, and the callers are full of them. So
//! the container is made by a child that has one thread: the same program, executed again (see `child`). The two share
//! a socket. When it closes, the child knows that its parent is gone and kills the container.

mod cgroup;
mod child;
mod console;
mod init;
mod kept;
mod loopback;
mod oci;
mod overlay;
mod protocol;
mod supervise;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio as ProcessStdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use camino::Utf8PathBuf;
pub use child::embedded_child_main;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use self::protocol::{CANCEL, Report, Request};
use crate::prepare::prepare;
use crate::{
    Chunk, ContainerSpec, Engine, EngineError, Exit, Run, RunFuture, Stdio, Stream, scratch,
};

/// The name under which a program is executed again; `embedded_child_main` looks for it in the first argument.
pub(crate) const CHILD_NAME: &str = "slipway-engine-child";

/// Reads of output are at most this long.
const CHUNK_BYTES: usize = 64 << 10;

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// Where the writable layers of running containers lie: on a disk or a tmpfs, not on an overlay.
    pub scratch_dir: Utf8PathBuf,
    /// The program that becomes the child.
    pub child: ChildProgram,
    /// The time between SIGTERM and SIGKILL of a cancelled container; ten seconds is a good value.
    pub grace: Duration,
}

/// A program whose `main` calls [`embedded_child_main`] first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildProgram {
    /// The running program.
    CurrentExe,
    /// Another one.
    Path(Utf8PathBuf),
}

impl ChildProgram {
    /// The command that starts it in `role`, without environment. In its own process group a Ctrl-C does not reach it.
    pub(crate) fn command(&self, role: &str) -> std::process::Command {
        let program = match self {
            Self::CurrentExe => "/proc/self/exe",
            Self::Path(path) => path.as_str(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the engine, and environment and directory are set"
        )]
        let mut command = std::process::Command::new(program);
        std::os::unix::process::CommandExt::arg0(&mut command, CHILD_NAME);
        command.arg(role).env_clear().current_dir("/").stdin(ProcessStdio::null());
        command
    }
}

/// The engine that needs no daemon.
#[derive(Debug)]
pub struct Embedded {
    config: EmbeddedConfig,
}

impl Embedded {
    /// Makes the engine, and removes what runs that were killed have left in the scratch folder.
    pub fn new(config: EmbeddedConfig) -> Result<Self, EngineError> {
        if !rustix::process::geteuid().is_root() {
            return Err(EngineError::NotRoot);
        }
        scratch::sweep(&config.scratch_dir, |id| cgroup::Cgroups::of(id).kill_and_remove())
            .map_err(|source| EngineError::Scratch { path: config.scratch_dir.clone(), source })?;
        Ok(Self { config })
    }

    async fn run_container(
        &self,
        spec: ContainerSpec,
        output: Sender<Chunk>,
        cancel: CancellationToken,
    ) -> Result<Run, EngineError> {
        let spec = prepare(spec)?;
        let container = spec.name.clone();
        let talk = |source| EngineError::ChildTalk { container: container.clone(), source };
        let (mut child, mut control) = self.start_child(&spec)?;
        let request = Request {
            spec,
            scratch_dir: self.config.scratch_dir.clone(),
            grace_ms: millis(self.config.grace),
        };
        control.write_all(&request.to_line().map_err(talk)?).await.map_err(talk)?;

        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let pump = async {
            tokio::join!(
                forward(Stream::Stdout, stdout, &output),
                forward(Stream::Stderr, stderr, &output)
            );
        };
        let (answer, ()) = tokio::join!(converse(&mut control, &cancel), pump);
        let status = child.wait().await.map_err(talk)?;
        let line = answer.map_err(talk)?;
        if line.is_empty() {
            return Err(EngineError::ChildDied { container, status });
        }
        match Report::from_line(&line).map_err(talk)? {
            Report::Done { cancelled: true, kept, .. } => Ok(Run { exit: Exit::Cancelled, kept }),
            Report::Done { out_of_memory: true, code, kept, .. } if code != 0 => {
                Ok(Run { exit: Exit::OutOfMemory, kept })
            }
            Report::Done { code, kept, .. } => Ok(Run { exit: Exit::from_code(code), kept }),
            Report::Failed(source) => Err(EngineError::Container { container, source }),
        }
    }

    fn start_child(&self, spec: &ContainerSpec) -> Result<(Child, UnixStream), EngineError> {
        let mut command = self.config.child.command(child::CONTAINER_ROLE);
        let failed = |source| EngineError::ChildStart {
            program: format!("{:?}", self.config.child),
            source,
        };
        let (ours, theirs) = StdUnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        command.stdin(ProcessStdio::from(OwnedFd::from(theirs)));
        match spec.stdio {
            Stdio::Capture => {
                command.stdout(ProcessStdio::piped()).stderr(ProcessStdio::piped());
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
            }
            Stdio::Inherit => {
                command.stdout(ProcessStdio::inherit()).stderr(ProcessStdio::inherit());
            }
        }
        let control = UnixStream::from_std(ours).map_err(failed)?;
        let child = Command::from(command).spawn().map_err(failed)?;
        Ok((child, control))
    }
}

impl Engine for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn run(
        &self,
        spec: ContainerSpec,
        output: Sender<Chunk>,
        cancel: CancellationToken,
    ) -> RunFuture<'_> {
        Box::pin(self.run_container(spec, output, cancel))
    }
}

/// Reads the report, and passes on a cancellation that comes before it.
async fn converse(control: &mut UnixStream, cancel: &CancellationToken) -> io::Result<Vec<u8>> {
    let (mut reader, mut writer) = control.split();
    let mut line = Vec::new();
    let read = reader.read_to_end(&mut line);
    tokio::pin!(read);
    tokio::select! {
        biased;
        result = &mut read => return result.map(|_| line),
        () = cancel.cancelled() => (),
    }
    // A child that has ended meanwhile does not listen any more; its report says how the run went.
    let _sent = writer.write_all(CANCEL).await;
    read.await?;
    Ok(line)
}

/// Sends what a stream yields until it ends. Without a receiver it still reads, so that the program is not stopped.
async fn forward(stream: Stream, source: Option<impl AsyncRead + Unpin>, output: &Sender<Chunk>) {
    let Some(mut source) = source else { return };
    let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
    while let Ok(1..) = source.read_buf(&mut buffer).await {
        let data: Bytes = buffer.split().freeze();
        let _receiver_gone = output.send(Chunk { stream, data }).await;
        buffer.reserve(CHUNK_BYTES);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
