//! The update server under load: how many checks it answers, how fast, in how much memory and on how much disk.
//!
//! Concepts:
//! - [`Programs`]: what is measured, built with optimisations. [`Server`]: one that runs.
//! - [`Fleet`]: what the server must know before machines come.
//! - [`load`]: instances that do not exist, in a process of their own.
//! - [`day`]: a fleet in compressed time that gets a bad release.

mod day;
mod fleet;
mod load;
mod programs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use super::{Line, spread};
use crate::{
    cli::{BenchArgs, ServerArgs},
    context::Context,
    report,
};

pub(super) use day::measure as day;
use fleet::Fleet;
use load::Report;
use programs::{Programs, Server};

/// The version that all instances run, and that the channel points to: nothing is to be updated.
const VERSION: &str = "1.0.0";

/// How many requests are under way while the instances make themselves known. Nobody measures how long they take.
const FILLING: u16 = 256;

/// A database of its own for a server.
struct Database {
    url: String,
    name: &'static str,
    /// The file of SQLite is on the disk of the cache, as the memory of a temporary folder may be.
    folder: tempfile::TempDir,
}

impl Database {
    fn new(context: &Context, args: &ServerArgs) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-server-").tempdir_in(&context.cache)?;
        let path = Utf8Path::from_path(folder.path()).context("the cache is not UTF-8")?;
        let (url, name) = match &args.database_url {
            Some(url) => (url.clone(), "PostgreSQL"),
            None => (format!("sqlite:{}", path.join("server.sqlite")), "SQLite"),
        };
        Ok(Self { url, name, folder })
    }

    fn folder(&self) -> anyhow::Result<Utf8PathBuf> {
        Ok(Utf8PathBuf::try_from(self.folder.path().to_owned())?)
    }
}

/// What one run came to.
struct Run {
    report: Report,
    /// Processor time of the server per check, in microseconds.
    processor: f64,
    /// Bytes that the database grew by per check.
    growth: f64,
}

pub(super) async fn measure(context: &Context, args: &BenchArgs) -> anyhow::Result<Vec<Line>> {
    let programs = Programs::build(context.project.root())?;
    let database = Database::new(context, &args.server)?;
    let server = Server::start(&programs, &database.url, &database.folder()?, &[])?;
    let fleet = Fleet::new(&server.base, VERSION, |_| json!({})).await?;
    let mut lines = Vec::new();
    for instances in &args.server.instances {
        let empty = fleet.database_bytes().await?;
        fill(&programs, &server, *instances)?;
        let full = fleet.database_bytes().await?;
        let busy = load_average()?;
        let mut runs = Vec::new();
        for n in 0..args.runs {
            report::say(format_args!("{instances} instances, run {} of {}", n + 1, args.runs));
            runs.push(run(&programs, &server, &fleet, &args.server, *instances).await?);
        }
        let what = format!("{}, {instances} known instances", database.name);
        lines.extend(lines_of(&what, &runs, &server.memory()?));
        lines.push(Line::new(
            format!("{what}: the database, and what making them known added to it"),
            format!("{:.1} MB, {:.1} MB", full / 1e6, (full - empty) / 1e6),
            "–",
        ));
        let after = load_average()?;
        lines.push(Line::new(
            format!("{what}: load average of the machine before and after the runs"),
            format!("{busy}, {after}"),
            "–",
        ));
    }
    Ok(lines)
}

/// Lets each instance check once. Whoever was known checks again.
fn fill(programs: &Programs, server: &Server, instances: u64) -> anyhow::Result<()> {
    report::say(format_args!("making {instances} instances known"));
    let mut command = load::fake(programs, &server.base, instances, VERSION);
    command.args(["--checks", &instances.to_string(), "--connections", &FILLING.to_string()]);
    command.args(["--min-sleep", "0", "--max-sleep", "0", "--duration", "86400"]);
    let report = load::run(&mut command)?;
    anyhow::ensure!(report.checks == instances as f64, "{} of {instances} asked", report.checks);
    Ok(())
}

/// All instances ask in turn, as fast as they are answered.
async fn run(
    programs: &Programs,
    server: &Server,
    fleet: &Fleet,
    args: &ServerArgs,
    instances: u64,
) -> anyhow::Result<Run> {
    let mut command = load::fake(programs, &server.base, instances, VERSION);
    command.args(["--duration", &args.seconds.to_string(), "--min-sleep", "0", "--max-sleep", "0"]);
    command.args(["--connections", &args.connections.to_string()]);
    let (bytes, seconds) = (fleet.database_bytes().await?, server.processor_seconds()?);
    let report = load::run(&mut command)?;
    let processor = (server.processor_seconds()? - seconds) * 1e6 / report.checks;
    let growth = (fleet.database_bytes().await? - bytes) / report.checks;
    Ok(Run { report, processor, growth })
}

fn lines_of(what: &str, runs: &[Run], memory: &programs::Memory) -> Vec<Line> {
    let of = |value: fn(&Run) -> f64| runs.iter().map(value).collect::<Vec<f64>>();
    vec![
        Line::new(
            format!("{what}: checks per second"),
            spread(of(|run| run.report.rate), 0, ""),
            "≥ 5,000 on 2 cores",
        ),
        Line::new(format!("{what}: p50"), spread(of(|run| run.report.p50), 1, " ms"), "–"),
        Line::new(format!("{what}: p99"), spread(of(|run| run.report.p99), 1, " ms"), "≤ 20 ms"),
        Line::new(
            format!("{what}: processor time of the server per check"),
            spread(of(|run| run.processor), 0, " µs"),
            "–",
        ),
        Line::new(
            format!("{what}: resident memory of the server, its peak so far"),
            format!("{:.0} MiB, {:.0} MiB", memory.now, memory.peak),
            "–",
        ),
        Line::new(
            format!("{what}: growth of the database per million checks that change nothing"),
            spread(of(|run| run.growth), 2, " MB"),
            "–",
        ),
    ]
}

/// How many threads of the machine ran or wanted to, in the last minute (proc(5)).
fn load_average() -> anyhow::Result<String> {
    let text = fs_err::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
