//! A world to build in: a store in a temporary folder, actions from a few words each, and runs as transcripts.
//!
//! An action is a line, `name: need need … ; word word …`. The words:
//!
//! ```text
//! 3s          runs so long               fetch       is of kind fetch
//! 64M         is expected to need that   env:K=V     has the variable
//! fail        exits with status 1        arg:x       has the argument
//! panic       panics                     in:k=text   has an input with these bytes
//! deaf        ignores the cancel token   =text       its output is this text, whatever the inputs
//! liar        gives a digest of nothing  silent      gives no output
//! extra       gives an output too many   fickle      its output is another one each time
//! phase:x     tells that phase x began
//! as:name     has the argument vector of that action
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8PathBuf;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use slipway_store::{Digest, Store};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use crate::*;

pub(super) struct World {
    _dir: TempDir,
    pub(super) store: Arc<Store>,
    pub(super) journal: Arc<Journal>,
    pub(super) cancel: Cancel,
}

/// What the runners saw.
#[derive(Default)]
pub(super) struct Journal {
    /// The actions that ran, in the order of their starts.
    pub(super) runs: Mutex<Vec<String>>,
    running: AtomicUsize,
    /// How many outputs were made that differ each time.
    count: AtomicUsize,
    /// How many ran at the same time at most.
    pub(super) most: AtomicUsize,
    /// The number of jobs that each was allowed.
    pub(super) jobs: AtomicUsize,
    /// Blobs to remove when an action starts, to lose an input under its hands.
    pub(super) sabotage: Mutex<BTreeMap<String, Digest>>,
}

#[derive(Clone, Default)]
struct Simulated {
    journal: Arc<Journal>,
    seconds: f64,
    text: Option<String>,
    fails: bool,
    panics: bool,
    deaf: bool,
    lies: bool,
    silent: bool,
    extra: bool,
    fickle: bool,
    phase: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().join("store")).unwrap();
        let store = Arc::new(Store::open(&root).unwrap());
        Self { _dir: dir, store, journal: Arc::default(), cancel: Cancel::new() }
    }

    pub(super) fn graph(&self, script: &str) -> Graph {
        Graph::new(self.actions(script)).unwrap()
    }

    pub(super) fn actions(&self, script: &str) -> Vec<Action> {
        script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| self.action(line))
            .collect()
    }

    fn action(&self, line: &str) -> Action {
        let (name, rest) = line.split_once(':').unwrap();
        let (needs, words) = rest.split_once(';').unwrap_or((rest, ""));
        let mut action = plain(name);
        let mut runner =
            Simulated { journal: Arc::clone(&self.journal), seconds: 1.0, ..Simulated::default() };
        for need in needs.split_whitespace() {
            let input = Input::Output { node: id(need), output: "out".to_owned() };
            action.inputs.insert(need.to_owned(), input);
        }
        for word in words.split_whitespace() {
            self.word(word, &mut action, &mut runner);
        }
        action.runner = Arc::new(runner);
        action
    }

    fn word(&self, word: &str, action: &mut Action, runner: &mut Simulated) {
        match word {
            "fetch" => action.kind = Kind::Fetch,
            "fail" => runner.fails = true,
            "panic" => runner.panics = true,
            "deaf" => runner.deaf = true,
            "liar" => runner.lies = true,
            "silent" => runner.silent = true,
            "extra" => runner.extra = true,
            "fickle" => runner.fickle = true,
            _ => self.word_with_value(word, action, runner),
        }
    }

    fn word_with_value(&self, word: &str, action: &mut Action, runner: &mut Simulated) {
        if let Some(text) = word.strip_prefix('=') {
            runner.text = Some(text.to_owned());
        } else if let Some(pair) = word.strip_prefix("env:") {
            let (name, value) = pair.split_once('=').unwrap();
            action.env.insert(name.to_owned(), value.to_owned());
        } else if let Some(phase) = word.strip_prefix("phase:") {
            runner.phase = Some(phase.to_owned());
        } else if let Some(name) = word.strip_prefix("as:") {
            action.argv = plain(name).argv;
        } else if let Some(argument) = word.strip_prefix("arg:") {
            action.argv.push(argument.to_owned());
        } else if let Some(pair) = word.strip_prefix("in:") {
            let (name, text) = pair.split_once('=').unwrap();
            let digest = self.store.put_bytes(text.as_bytes()).unwrap();
            action.inputs.insert(name.to_owned(), Input::Digest(digest));
        } else if let Some(megabytes) = word.strip_suffix('M') {
            action.memory_bytes = megabytes.parse::<u64>().unwrap() << 20;
        } else {
            runner.seconds = word.strip_suffix('s').unwrap().parse().unwrap();
        }
    }

    /// Runs for the wanted actions, given by name, and returns what happened.
    pub(super) async fn run(&self, script: &str, wanted: &str) -> String {
        self.run_with(script, wanted, options()).await
    }

    pub(super) async fn run_with(&self, script: &str, wanted: &str, options: RunOptions) -> String {
        transcript(&self.events(script, wanted, options).await.1)
    }

    pub(super) async fn events(
        &self,
        script: &str,
        wanted: &str,
        options: RunOptions,
    ) -> (Result<Outcome, BuildError>, Vec<Event>) {
        let (sender, mut receiver) = unbounded_channel();
        let graph = Arc::new(self.graph(script));
        let (store, cancel) = (Arc::clone(&self.store), self.cancel.clone());
        let result = run(graph, &ids(wanted), options, store, sender, cancel).await;
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        (result, events)
    }

    /// The plan after a survey.
    pub(super) fn plan(&self, script: &str, wanted: &str, force: &str) -> Plan {
        let (graph, wanted, force) =
            (self.graph(script), ids(wanted), ids(force).into_iter().collect());
        let inventory =
            survey(&graph, &wanted, &force, &self.store, &NodeStates::of(&self.store)).unwrap();
        plan(&graph, &wanted, &inventory).unwrap()
    }

    /// The names of the actions that ran since this was asked last.
    pub(super) fn ran(&self) -> String {
        std::mem::take(&mut *self.journal.runs.lock().unwrap()).join(" ")
    }

    /// The output of the last run of an action.
    pub(super) fn output(&self, name: &str) -> Digest {
        NodeStates::of(&self.store).load(&id(name)).unwrap().unwrap().outputs["out"]
    }

    /// The file with the bytes of the output of the last run of an action.
    pub(super) fn output_file(&self, name: &str) -> Utf8PathBuf {
        self.store.blob(&self.output(name)).unwrap().unwrap()
    }
}

pub(super) fn options() -> RunOptions {
    RunOptions {
        slots: 2,
        fetches: 4,
        memory_bytes: 1 << 30,
        keep_going: false,
        force: BTreeSet::new(),
        unix_time: 1_700_000_000,
    }
}

pub(super) fn id(name: &str) -> NodeId {
    name.parse().unwrap()
}

pub(super) fn ids(names: &str) -> Vec<NodeId> {
    names.split_whitespace().map(id).collect()
}

/// An action without inputs.
pub(super) fn plain(name: &str) -> Action {
    Action {
        id: id(name),
        kind: Kind::Package,
        argv: vec!["make".to_owned(), name.to_owned()],
        env: BTreeMap::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeSet::from(["out".to_owned()]),
        memory_bytes: 1 << 20,
        guess_seconds: None,
        runner: Arc::new(Simulated::default()),
    }
}

impl Runner for Simulated {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let simulated = self.clone();
        async move {
            let journal = Arc::clone(&simulated.journal);
            journal.begin(&cx);
            let _running = Running(journal);
            simulated.work(&cx).await
        }
        .boxed()
    }
}

/// Counts down also when the run is killed.
struct Running(Arc<Journal>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Journal {
    fn begin(&self, cx: &RunContext) {
        self.runs.lock().unwrap().push(cx.action.id.to_string());
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.jobs.store(cx.jobs, Ordering::SeqCst);
        if let Some(digest) = self.sabotage.lock().unwrap().remove(cx.action.id.as_str()) {
            fs_err::remove_file(cx.store.blob(&digest).unwrap().unwrap()).unwrap();
        }
    }
}

impl Simulated {
    async fn work(&self, cx: &RunContext) -> Result<Outputs, RunError> {
        cx.log.line(&format!("making {}", cx.action.id)).unwrap();
        for (name, digest) in &cx.inputs {
            if cx.store.blob(digest).unwrap().is_none() {
                return Err(RunError::InputLost { input: name.clone() });
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(self.seconds)) => {}
            () = cx.cancel.cancelled(), if !self.deaf => return Err(RunError::Cancelled),
        }
        if let Some(phase) = &self.phase {
            cx.progress.phase(phase);
        }
        assert!(!self.panics, "as told");
        if self.fails {
            cx.log.line("it does not compile").unwrap();
            return Err(RunError::Exit { status: 1 });
        }
        if self.silent {
            return Ok(Outputs::new());
        }
        let mut text = self.text.clone().unwrap_or_else(|| made_of(&cx.action, &cx.inputs));
        if self.fickle {
            write!(text, " {}", self.journal.count.fetch_add(1, Ordering::SeqCst)).unwrap();
        }
        let digest = match self.lies {
            true => Digest::of_bytes(b"never stored"),
            false => cx.store.put_bytes(text.as_bytes()).unwrap(),
        };
        let names = if self.extra { vec!["out", "extra"] } else { vec!["out"] };
        Ok(names.into_iter().map(|name| (name.to_owned(), digest)).collect())
    }
}

/// The bytes that a simulated action makes: its whole description.
pub(super) fn made_of(action: &Action, inputs: &BTreeMap<String, Digest>) -> String {
    format!("{:?} {:?} {inputs:?}", action.argv, action.env)
}

/// The events as text, without the progress.
pub(super) fn transcript(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        if !matches!(event, Event::Progress { .. }) {
            writeln!(text, "{}", line(event)).unwrap();
        }
    }
    text
}

fn line(event: &Event) -> String {
    match event {
        Event::Waiting { .. } => "waiting for another run".to_owned(),
        Event::PlanReady { counts: Counts { fresh, stale, unknown }, estimate_seconds } => {
            format!(
                "plan: {fresh} fresh, {stale} stale, {unknown} unknown, about {}",
                seconds(*estimate_seconds)
            )
        }
        Event::Started { id, reason, at, .. } => format!("{} start {id}: {reason}", seconds(*at)),
        Event::Phase { id, phase, .. } => format!("phase {id}: {phase}"),
        Event::Finished { id, how: How::Cached, .. } => format!("cached {id}"),
        Event::Finished { id, how: How::Built, end, .. } => format!("{} built {id}", seconds(*end)),
        Event::Finished { id, how: How::CutOff, end, .. } => {
            format!("{} cut off {id}", seconds(*end))
        }
        Event::Failed { id, end, error, .. } => format!("{} failed {id}: {error}", seconds(*end)),
        Event::Stopped { id, end, .. } => format!("{} stopped {id}", seconds(*end)),
        Event::Skipped { id, because } => format!("skipped {id} because of {because}"),
        Event::Postponed { id, waits_for } => format!("postponed {id} until {waits_for} is there"),
        Event::Draining { running } => format!("draining {}", names(running)),
        Event::Forcing { running } => format!("forcing {}", names(running)),
        Event::Progress { done, total, remaining_seconds } => {
            format!("{done} of {total}, {} to go", seconds(*remaining_seconds))
        }
        Event::RunFinished { end, built, cached, cut_off, failed, skipped, seconds: time } => {
            format!(
                "{} {end:?}: {built} built, {cached} cached, {cut_off} cut off, {failed} failed, {skipped} skipped",
                seconds(*time)
            )
        }
    }
}

fn names(ids: &[NodeId]) -> String {
    ids.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" ")
}

/// The progress alone, as text.
pub(super) fn progress(events: &[Event]) -> String {
    let lines = events.iter().filter(|event| matches!(event, Event::Progress { .. }));
    lines.map(|event| line(event) + "\n").collect()
}

/// Timers are exact to a millisecond; the scripts speak in tenths of seconds.
fn seconds(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    format!("{tenths}s")
}
