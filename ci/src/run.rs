//! Planning and running a pipeline, and the records that it leaves.

use std::{collections::BTreeMap, fmt};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use slipway_store::Digest;
use walkdir::WalkDir;

use crate::{CiError, Pipeline, Repeat, Stage, Step};

/// Gives the time in seconds since 1970.
pub type Clock<'a> = dyn Fn() -> u64 + 'a;

/// What carries a step out.
type Execute<'a> =
    dyn FnMut(&Stage, &Step) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What a stage did: kept as `STAGE.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// Its name.
    pub stage: String,
    /// What it ran.
    pub steps: Vec<String>,
    /// The digests of the files that went in, by their paths.
    pub inputs: BTreeMap<Utf8PathBuf, String>,
    /// The digests of the files that came out, by their paths.
    pub outputs: BTreeMap<Utf8PathBuf, String>,
    /// The digest of all that decides whether it is to be done again: steps, inputs and the stage before.
    pub key: String,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// When it ended.
    pub ended: u64,
}

/// Why a stage is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was never done.
    New,
    /// It runs something else.
    Steps,
    /// An input has changed.
    Input(Utf8PathBuf),
    /// An output is not what it made.
    Output(Utf8PathBuf),
    /// A stage before it is done.
    After,
    /// It is always done.
    Always,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("was never done"),
            Self::Steps => f.write_str("runs something else than before"),
            Self::Input(path) => write!(f, "`{path}` has changed"),
            Self::Output(path) => write!(f, "`{path}` is not what it made"),
            Self::After => f.write_str("comes after what is done"),
            Self::Always => f.write_str("is always done"),
        }
    }
}

/// A stage, and why it is to be done; `None`: it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// Why.
    pub reason: Option<Reason>,
}

/// What the stages would do, without doing it. `records` is the folder of the pipeline's records.
///
/// # Errors
/// When an input is not there or cannot be read.
pub fn plan<'a>(
    pipeline: &'a Pipeline,
    root: &Utf8Path,
    records: &Utf8Path,
) -> Result<Vec<Planned<'a>>, CiError> {
    let mut before = Before { key: String::new(), changed: false };
    let mut all = Vec::new();
    for stage in &pipeline.stages {
        let inputs = digests(root, &stage.inputs, |path| no_input(stage, path))?;
        let reason = reason(stage, &inputs, root, records, &before)?;
        before.key = key(stage, &inputs, &before.key);
        before.changed |= reason.is_some();
        all.push(Planned { stage, reason });
    }
    Ok(all)
}

/// Runs the stages that are not done, one after the other, and gives the records of all.
///
/// # Errors
/// When a step fails: what was done before stays done, and the next run goes on there.
pub fn run(
    pipeline: &Pipeline,
    root: &Utf8Path,
    records: &Utf8Path,
    clock: &Clock<'_>,
    execute: &mut Execute<'_>,
) -> Result<Vec<StageRecord>, CiError> {
    let mut before = Before { key: String::new(), changed: false };
    let mut all = Vec::new();
    for stage in &pipeline.stages {
        // A stage may change what a later one reads, so each one looks when it is its turn.
        let inputs = digests(root, &stage.inputs, |path| no_input(stage, path))?;
        let reason = reason(stage, &inputs, root, records, &before)?;
        before.key = key(stage, &inputs, &before.key);
        before.changed |= reason.is_some();
        let known = read(records, stage).filter(|_| reason.is_none());
        all.push(match known {
            Some(record) => record,
            None => {
                let began = clock();
                forget(records, stage)?;
                for step in &stage.steps {
                    execute(stage, step).map_err(|source| CiError::Step {
                        stage: stage.name.clone(),
                        step: step.to_string(),
                        source,
                    })?;
                }
                let outputs = digests(root, &stage.outputs, |path| no_output(stage, path))?;
                let record = StageRecord {
                    stage: stage.name.clone(),
                    steps: stage.steps.iter().map(ToString::to_string).collect(),
                    inputs,
                    outputs,
                    key: before.key.clone(),
                    began,
                    ended: clock(),
                };
                write(records, stage, &record)?;
                record
            }
        });
    }
    Ok(all)
}

/// What came before a stage.
struct Before {
    /// The key of the stage before.
    key: String,
    /// Whether a stage before is to be done.
    changed: bool,
}

fn no_input(stage: &Stage, path: &Utf8Path) -> CiError {
    CiError::NoInput { stage: stage.name.clone(), path: path.to_owned() }
}

fn no_output(stage: &Stage, path: &Utf8Path) -> CiError {
    CiError::NoOutput { stage: stage.name.clone(), path: path.to_owned() }
}

fn reason(
    stage: &Stage,
    inputs: &BTreeMap<Utf8PathBuf, String>,
    root: &Utf8Path,
    records: &Utf8Path,
    before: &Before,
) -> Result<Option<Reason>, CiError> {
    if stage.repeat == Repeat::Always {
        return Ok(Some(Reason::Always));
    }
    let Some(record) = read(records, stage) else { return Ok(Some(Reason::New)) };
    let steps: Vec<String> = stage.steps.iter().map(ToString::to_string).collect();
    if record.steps != steps {
        return Ok(Some(Reason::Steps));
    }
    if let Some(path) = differing(&record.inputs, inputs) {
        return Ok(Some(Reason::Input(path)));
    }
    let outputs = match digests(root, &stage.outputs, |path| no_output(stage, path)) {
        Err(CiError::NoOutput { path, .. }) => return Ok(Some(Reason::Output(path))),
        outputs => outputs?,
    };
    if let Some(path) = differing(&record.outputs, &outputs) {
        return Ok(Some(Reason::Output(path)));
    }
    let same = !before.changed && record.key == key(stage, inputs, &before.key);
    Ok((!same).then_some(Reason::After))
}

/// The first path at which two sets of files differ.
fn differing(
    old: &BTreeMap<Utf8PathBuf, String>,
    new: &BTreeMap<Utf8PathBuf, String>,
) -> Option<Utf8PathBuf> {
    old.keys().chain(new.keys()).find(|path| old.get(*path) != new.get(*path)).cloned()
}

/// The digest of all that decides whether a stage is to be done again.
fn key(stage: &Stage, inputs: &BTreeMap<Utf8PathBuf, String>, before: &str) -> String {
    // Lengths go before texts, so that no two of these say the same.
    let mut text = String::new();
    let mut add = |part: &str| {
        text.push_str(&part.len().to_string());
        text.push(':');
        text.push_str(part);
    };
    add(before);
    add(&stage.name);
    add(&stage.steps.len().to_string());
    for step in &stage.steps {
        add(match step.program {
            crate::Program::Xtask => "xtask",
            crate::Program::Cargo => "cargo",
        });
        add(&step.args.len().to_string());
        step.args.iter().for_each(|arg| add(arg));
    }
    for (path, digest) in inputs {
        add(path.as_str());
        add(digest);
    }
    Digest::of_bytes(text.as_bytes()).to_string()
}

/// The digests of files and of what is in folders, by their paths from the root.
fn digests(
    root: &Utf8Path,
    paths: &[Utf8PathBuf],
    missing: impl Fn(&Utf8Path) -> CiError,
) -> Result<BTreeMap<Utf8PathBuf, String>, CiError> {
    let mut all = BTreeMap::new();
    for path in paths {
        let top = root.join(path);
        if !top.exists() {
            return Err(missing(path));
        }
        // What is built, and what git keeps for itself, is no input.
        let skipped = |name: Option<&str>| matches!(name, Some(".git" | "target"));
        let walk = WalkDir::new(&top).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| !skipped(entry.file_name().to_str())) {
            let list = |source| CiError::List { path: top.clone(), source };
            let entry = entry.map_err(|error| list(error.into()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let file = Utf8PathBuf::try_from(entry.into_path())
                .map_err(|error| list(error.into_io_error()))?;
            let digest = Digest::of_file(&file)
                .map_err(|source| CiError::Digest { path: file.clone(), source })?;
            let name = file.strip_prefix(root).unwrap_or(&file).to_owned();
            all.insert(name, digest.to_string());
        }
    }
    Ok(all)
}

fn file(records: &Utf8Path, stage: &Stage) -> Utf8PathBuf {
    records.join(format!("{}.json", stage.name))
}

/// A record that cannot be read is none: the stage is done again.
fn read(records: &Utf8Path, stage: &Stage) -> Option<StageRecord> {
    serde_json::from_slice(&fs_err::read(file(records, stage)).ok()?).ok()
}

/// While a stage runs, it is not done.
fn forget(records: &Utf8Path, stage: &Stage) -> Result<(), CiError> {
    match fs_err::remove_file(file(records, stage)) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CiError::Record { stage: stage.name.clone(), source })
        }
        _ => Ok(()),
    }
}

/// Written aside and renamed: half a record is none.
fn write(records: &Utf8Path, stage: &Stage, record: &StageRecord) -> Result<(), CiError> {
    let failed = |source| CiError::Record { stage: stage.name.clone(), source };
    let text = serde_json::to_vec_pretty(record).map_err(|error| failed(error.into()))?;
    fs_err::create_dir_all(records).map_err(failed)?;
    let path = file(records, stage);
    let aside = path.with_extension("new");
    fs_err::write(&aside, text).map_err(failed)?;
    fs_err::rename(&aside, &path).map_err(failed)
}
