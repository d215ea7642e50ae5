//! What a promise is tried out with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use fs_err as fs;
use slipway_engine::{
    CancellationToken, Choice, Chunk, ContainerSpec, Engine, EngineError, Exit, Keep, Kept, Limits,
    Network, RootFs, Stdio, Stream, User,
};
use tokio::sync::mpsc::channel;

/// An engine, a root file system and a folder for whatever a test needs.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) choice: Choice,
    pub(crate) root: RootFs,
    pub(crate) dir: Utf8PathBuf,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) kept: Option<Kept>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// When the first output came, and the last, counted from the start.
    pub(crate) first_output: Option<Duration>,
    pub(crate) last_output: Option<Duration>,
}

impl Bench {
    /// The spec of a shell script, to be changed by the test.
    pub(crate) fn script(&self, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: "conformance".into(),
            root: self.root.clone(),
            mounts: Vec::new(),
            env: BTreeMap::from([("PATH".into(), "/usr/bin".into())]),
            argv: ["sh", "-c", script].map(str::to_owned).into(),
            cwd: "/".into(),
            user: User::ROOT,
            network: Network::None,
            hostname: "sdk".into(),
            limits: Limits::default(),
            stdio: Stdio::Capture,
            keep: Keep::Never,
        }
    }

    pub(crate) async fn sh(&self, script: &str) -> Outcome {
        self.run(self.script(script)).await
    }

    pub(crate) async fn run(&self, spec: ContainerSpec) -> Outcome {
        self.try_run(spec, CancellationToken::new())
            .await
            .unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    pub(crate) async fn try_run(
        &self,
        spec: ContainerSpec,
        cancel: CancellationToken,
    ) -> Result<Outcome, EngineError> {
        let started = Instant::now();
        let (sender, mut receiver) = channel::<Chunk>(8);
        let collect = async {
            let (mut stdout, mut stderr, mut times) = (Vec::new(), Vec::new(), Vec::new());
            while let Some(chunk) = receiver.recv().await {
                times.push(started.elapsed());
                let stream = if chunk.stream == Stream::Stdout { &mut stdout } else { &mut stderr };
                stream.extend_from_slice(&chunk.data);
            }
            (stdout, stderr, times)
        };
        let (run, (stdout, stderr, times)) =
            tokio::join!(self.engine.run(spec, sender, cancel), collect);
        let run = run?;
        Ok(Outcome {
            exit: run.exit,
            kept: run.kept,
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            first_output: times.first().copied(),
            last_output: times.last().copied(),
        })
    }

    /// A fresh folder that containers may mount.
    pub(crate) fn folder(&self, name: &str) -> Utf8PathBuf {
        let path = self.dir.join(format!("{}-{name}", self.engine.name()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The folders of runs that are left in the engine's scratch folder.
    pub(crate) fn left_in_scratch(&self) -> Vec<String> {
        let scratch = self.dir.join(format!("scratch-{}", self.engine.name()));
        let entries = scratch.read_dir_utf8().into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().to_owned());
        names.filter(|name| name != ".lock").collect()
    }
}

/// The processes of this machine whose command line contains `marker`.
pub(crate) fn processes(marker: &str) -> Vec<String> {
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
    let ids = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| is_process(name));
    let lines = ids.filter_map(|id| fs::read(format!("/proc/{id}/cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    // The victim of a test bears the marker in its own arguments.
    lines.filter(|line| line.contains(marker) && !line.contains(crate::VICTIM)).collect()
}

/// Waits until something holds, for at most ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came true: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
