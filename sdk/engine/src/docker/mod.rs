//! The Docker engine: the root file system becomes an image once, every run a container of it.
//!
//! A daemon does not care whether its client lives. So a child (see `watch`) removes the containers of a client that
//! was killed, and the next client sweeps what even the child has missed.

mod body;
mod image;
mod terminal;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as BollardError;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptions,
};
use bytes::Bytes;
use camino::Utf8PathBuf;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
pub(crate) use watch::{WATCH_ROLE, watch};

use self::watch::Watcher;
use crate::prepare::{network_files, prepare};
use crate::scratch::{self, RunDir};
use crate::shell::join;
use crate::{
    Access, ChildProgram, Chunk, ContainerSpec, Engine, EngineError, Exit, Failure, Keep, Kept,
    Network, Run, RunFuture, Stdio, Stream,
};

/// Where a local daemon listens.
const LOCAL_SOCKET: &str = "/var/run/docker.sock";
/// Marks our containers with the scratch folder of the engine that made them.
const SCRATCH_LABEL: &str = "slipway.scratch";
/// Long requests, such as an import, must not time out.
const REQUEST_SECONDS: u64 = 3600;
/// A daemon that is there answers a ping at once.
const PING: Duration = Duration::from_secs(3);

/// Settings of the Docker engine.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    /// Where the daemon is.
    pub endpoint: DockerEndpoint,
    /// Where small files of running containers lie. The daemon must see it, and the mounts, by the same paths.
    pub scratch_dir: Utf8PathBuf,
    /// The program that becomes the child.
    pub child: ChildProgram,
    /// The time between SIGTERM and SIGKILL of a cancelled container; ten seconds is a good value.
    pub grace: Duration,
}

/// Where a Docker daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DockerEndpoint {
    /// The usual socket of this machine.
    Local,
    /// Another socket.
    Unix(Utf8PathBuf),
    /// A port, such as `http://build-host:2375`.
    Http(String),
}

impl DockerEndpoint {
    pub(crate) fn client(&self) -> Result<bollard::Docker, BollardError> {
        let version = bollard::API_DEFAULT_VERSION;
        match self {
            Self::Local => {
                bollard::Docker::connect_with_unix(LOCAL_SOCKET, REQUEST_SECONDS, version)
            }
            Self::Unix(path) => {
                bollard::Docker::connect_with_unix(path.as_str(), REQUEST_SECONDS, version)
            }
            Self::Http(url) => bollard::Docker::connect_with_http(url, REQUEST_SECONDS, version),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Local => LOCAL_SOCKET.to_owned(),
            Self::Unix(path) => path.to_string(),
            Self::Http(url) => url.clone(),
        }
    }
}

/// The engine that talks to a Docker daemon.
#[derive(Debug)]
pub struct Docker {
    client: bollard::Docker,
    config: DockerConfig,
    watcher: Arc<Watcher>,
    importing: Mutex<()>,
}

impl Docker {
    /// Connects to a daemon, and removes what runs that were killed have left.
    pub async fn connect(config: DockerConfig) -> Result<Self, EngineError> {
        let endpoint = config.endpoint.describe();
        let unreachable = |source| EngineError::DockerUnreachable {
            endpoint: endpoint.clone(),
            source: Box::new(source),
        };
        let client = config.endpoint.client().map_err(&unreachable)?;
        let answer = tokio::time::timeout(PING, async { client.negotiate_version().await });
        let client = answer
            .await
            .map_err(|_| unreachable(BollardError::RequestTimeoutError))?
            .map_err(&unreachable)?;
        let watcher = Watcher::start(&config.child, &config.endpoint)?;
        let docker = Self { client, config, watcher: Arc::new(watcher), importing: Mutex::new(()) };
        docker.sweep().await?;
        Ok(docker)
    }

    async fn sweep(&self) -> Result<(), EngineError> {
        let dir = &self.config.scratch_dir;
        let label = format!("{SCRATCH_LABEL}={dir}");
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = self.client.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| refused("(any)", "list containers", error))?;
        let unusable = |source| EngineError::Scratch { path: dir.clone(), source };
        for name in listed.into_iter().filter_map(|summary| summary.names).flatten() {
            let name = name.trim_start_matches('/');
            if scratch::is_gone(dir, name).map_err(unusable)? {
                self.remove(name).await?;
            }
        }
        scratch::sweep(dir, |_| ()).map(drop).map_err(unusable)
    }

    async fn run_container(
        &self,
        spec: ContainerSpec,
        output: Sender<Chunk>,
        cancel: CancellationToken,
    ) -> Result<Run, EngineError> {
        let spec = prepare(spec)?;
        let image = {
            let _one_at_a_time = self.importing.lock().await;
            image::ensure(&self.client, &spec.root).await?
        };
        let dir = &self.config.scratch_dir;
        let run_dir = RunDir::create(dir, &spec.name)
            .map_err(|source| EngineError::Scratch { path: dir.clone(), source })?;
        let guard = self.watcher.guard(&run_dir.id);
        let ended = self.run_in(&spec, image, &run_dir, &output, &cancel).await;
        let failed = ended.as_ref().is_ok_and(|exit| !exit.success());
        let kept = if spec.keep == Keep::OnFailure && failed {
            run_dir
                .keep()
                .map_err(|source| EngineError::Scratch { path: run_dir.path.clone(), source })?;
            Some(kept(&spec, &run_dir))
        } else {
            self.remove(&run_dir.id).await?;
            let path = run_dir.path.clone();
            run_dir.remove().map_err(|source| EngineError::Scratch { path, source })?;
            None
        };
        guard.release();
        Ok(Run { exit: ended?, kept })
    }

    async fn run_in(
        &self,
        spec: &ContainerSpec,
        image: String,
        run_dir: &RunDir,
        output: &Sender<Chunk>,
        cancel: &CancellationToken,
    ) -> Result<Exit, EngineError> {
        let id = run_dir.id.as_str();
        let refused = |operation, error| refused(&spec.name, operation, error);
        let extra = network_files(spec, &run_dir.path)
            .map_err(|source| EngineError::Scratch { path: run_dir.path.clone(), source })?;
        let terminal = terminal::Terminal::open(spec.stdio);
        let mut body = body::create(spec, image, &extra, terminal.is_some());
        body.labels =
            Some(HashMap::from([(SCRATCH_LABEL.to_owned(), self.config.scratch_dir.to_string())]));
        let options = CreateContainerOptionsBuilder::default().name(id).build();
        let created = self.client.create_container(Some(options), body).await;
        let created = created.map_err(|error| refused("create the container", error))?;
        check_limits(spec, &created.warnings)?;
        let options =
            AttachContainerOptionsBuilder::default().stream(true).stdin(terminal.is_some());
        let attached =
            self.client.attach_container(id, Some(options.stdout(true).stderr(true).build())).await;
        let streams = attached.map_err(|error| refused("attach to the container", error))?;
        let started = self.client.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| refused("start the container", error))?;
        let pump = self.pump(spec.stdio, terminal, streams, output, id);
        let (cancelled, pumped) = tokio::join!(self.until_end(id, cancel), pump);
        pumped.map_err(|error| refused("pass on the output of the container", error))?;
        let cancelled = cancelled.map_err(|error| refused("wait for the container", error))?;
        let exit = self.exit(id).await.map_err(|error| refused("inspect the container", error))?;
        Ok(if cancelled { Exit::Cancelled } else { exit })
    }

    /// Waits for the end of a container, which it hastens on cancel; returns whether it did.
    async fn until_end(&self, id: &str, cancel: &CancellationToken) -> Result<bool, BollardError> {
        let wait = self.wait(id);
        tokio::pin!(wait);
        tokio::select! {
            biased;
            result = &mut wait => return result.map(|()| false),
            () = cancel.cancelled() => self.kill(id, "SIGTERM").await,
        }
        match tokio::time::timeout(self.config.grace, &mut wait).await {
            Ok(result) => result?,
            Err(_) => {
                self.kill(id, "SIGKILL").await;
                wait.await?;
            }
        }
        Ok(true)
    }

    async fn wait(&self, id: &str) -> Result<(), BollardError> {
        let mut answers = self.client.wait_container(id, None::<WaitContainerOptions>);
        match answers.next().await {
            Some(Err(BollardError::DockerContainerWaitError { .. }) | Ok(_)) | None => Ok(()),
            Some(Err(error)) => Err(error),
        }
    }

    async fn kill(&self, id: &str, signal: &str) {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let _already_ended = self.client.kill_container(id, Some(options)).await;
    }

    async fn exit(&self, id: &str) -> Result<Exit, BollardError> {
        let state = self.client.inspect_container(id, None).await?.state.unwrap_or_default();
        let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
        let out_of_memory = state.oom_killed == Some(true) && code != 0;
        Ok(if out_of_memory { Exit::OutOfMemory } else { Exit::from_code(code) })
    }

    async fn pump(
        &self,
        stdio: Stdio,
        terminal: Option<terminal::Terminal>,
        streams: AttachContainerResults,
        output: &Sender<Chunk>,
        id: &str,
    ) -> Result<(), BollardError> {
        let AttachContainerResults { output: mut log, input } = streams;
        let relay =
            terminal.map(|terminal| terminal.relay(self.client.clone(), id.to_owned(), input));
        while let Some(item) = log.next().await {
            let (stream, data) = match item? {
                LogOutput::StdErr { message } => (Stream::Stderr, message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    (Stream::Stdout, message)
                }
                LogOutput::StdIn { .. } => continue,
            };
            match stdio {
                Stdio::Capture => {
                    let _receiver_gone = output.send(Chunk { stream, data }).await;
                }
                Stdio::Inherit => pass_through(stream, &data)?,
            }
        }
        drop(relay);
        Ok(())
    }

    /// Removes a container, running or not; that there is none is fine.
    async fn remove(&self, name: &str) -> Result<(), EngineError> {
        remove(&self.client, name)
            .await
            .map(drop)
            .map_err(|error| refused(name, "remove the container", error))
    }
}

impl Engine for Docker {
    fn name(&self) -> &'static str {
        "docker"
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

/// Removes a container by force and returns whether there was one.
async fn remove(client: &bollard::Docker, name: &str) -> Result<bool, BollardError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match client.remove_container(name, Some(options)).await {
        Ok(()) => Ok(true),
        Err(BollardError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        // Somebody else is at it already.
        Err(BollardError::DockerResponseServerError { status_code: 409, .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

fn refused(container: &str, operation: &'static str, error: BollardError) -> EngineError {
    EngineError::Docker { container: container.to_owned(), operation, source: Box::new(error) }
}

/// A daemon that cannot enforce a limit only warns.
fn check_limits(spec: &ContainerSpec, warnings: &[String]) -> Result<(), EngineError> {
    let limits = spec.limits;
    let asked = limits.memory_bytes.map(|_| ("memory", "memory")).into_iter();
    let asked = asked.chain(limits.pids.map(|_| ("processes", "pids")));
    for (limit, word) in asked {
        let discarded = |warning: &&String| {
            let warning = warning.to_lowercase();
            warning.contains(word) && warning.contains("discarded") && !warning.contains("swap")
        };
        if let Some(warning) = warnings.iter().find(discarded) {
            let source =
                Failure::LimitUnavailable { limit: limit.into(), message: warning.clone() };
            return Err(EngineError::Container { container: spec.name.clone(), source });
        }
    }
    Ok(())
}

/// Writes to the output streams of this process, which the caller has lent to the container.
fn pass_through(stream: Stream, data: &Bytes) -> Result<(), BollardError> {
    let mut rest = data.as_ref();
    while !rest.is_empty() {
        let written = match stream {
            Stream::Stdout => rustix::io::write(rustix::stdio::stdout(), rest),
            Stream::Stderr => rustix::io::write(rustix::stdio::stderr(), rest),
        };
        rest = &rest[written.map_err(std::io::Error::from)?..];
    }
    Ok(())
}

/// The commands for a container that was kept.
fn kept(spec: &ContainerSpec, run_dir: &RunDir) -> Kept {
    let mut words: Vec<String> =
        ["run", "--rm", "-it", "--init", "--workdir"].map(str::to_owned).into();
    words.push(spec.cwd.to_string());
    let network = if spec.network == Network::None { "none" } else { "host" };
    words.extend(["--network".into(), network.into(), "--hostname".into(), spec.hostname.clone()]);
    words.extend(["--user".into(), format!("{}:{}", spec.user.uid, spec.user.gid)]);
    for (name, value) in &spec.env {
        words.extend(["--env".into(), format!("{name}={value}")]);
    }
    for mount in &spec.mounts {
        let option = if mount.access == Access::ReadOnly { ",readonly" } else { "" };
        let mount = format!("type=bind,source={},target={}{option}", mount.source, mount.target);
        words.extend(["--mount".into(), mount]);
    }
    let image = format!("slipway/kept:{}", run_dir.id);
    words.extend(["--entrypoint".into(), "sh".into(), image.clone()]);
    let commit = join(["docker", "commit", &run_dir.id, &image]);
    let container = join(["docker", "rm", "-f", "-v", &run_dir.id]);
    let folder = join(["rm", "-rf", run_dir.path.as_str()]);
    Kept {
        shell_command: format!("{commit} >/dev/null && docker {}", join(words)),
        remove_command: format!("{container}; docker rmi {image}; {folder}"),
    }
}
