//! `bench`: the numbers of the design, measured.

mod guest;
mod leaf;
mod server;
mod usage;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use slipway_build::{Event, Kind, NodeStates};
use slipway_packages_manifest::DiskFormat;

use crate::{
    cli::{BenchArgs, Row},
    context::Context,
    report,
};

/// A line of the table.
struct Line {
    what: String,
    measured: String,
    goal: &'static str,
}

impl Line {
    fn new(what: impl Into<String>, measured: impl Into<String>, goal: &'static str) -> Self {
        Self { what: what.into(), measured: measured.into(), goal }
    }
}

/// Measures the rows that are asked for and prints them as a table.
pub(crate) async fn run(context: &Context, args: &BenchArgs) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for row in &args.rows {
        report::say(format_args!("measuring {}", clap_name(*row)));
        lines.extend(match row {
            Row::Noop => vec![noop(context, args)?],
            Row::Leaf => leaf::measure(context, args)?,
            Row::Emerge => leaf::beside_emerge(context, args).await?,
            Row::Boot => guest::measure(context, args)?,
            Row::Size => vec![size(context, args).await?],
            Row::Cold => cold(context, args).await?,
            Row::Server => server::measure(context, args).await?,
            Row::Day => server::day(context, args).await?,
        });
    }
    report::print("| what | measured | goal |\n|---|---|---|");
    for Line { what, measured, goal } in lines {
        report::print(format_args!("| {what} | {measured} | {goal} |"));
    }
    Ok(())
}

/// This program again, with the same engine and repository.
fn itself(context: &Context) -> anyhow::Result<Command> {
    itself_in(context, context.project.root())
}

fn itself_in(context: &Context, repository: &Utf8Path) -> anyhow::Result<Command> {
    let exe = std::env::current_exe()?;
    #[expect(clippy::disallowed_methods, reason = "what is measured is what a user starts")]
    let mut command = Command::new(exe);
    if let Some(engine) = context.global.engine {
        command.args(["--engine", clap_name(engine).as_str()]);
    }
    command.args(["--repository", repository.as_str()]);
    Ok(command)
}

fn clap_name(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn timed(command: &mut Command) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let took = begin.elapsed();
    let err = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?} failed: {err}");
    Ok(took)
}

/// Like [`timed`], and shows each event of the run.
fn watched(command: &mut Command, see: &mut dyn FnMut(Event)) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let took = begin.elapsed();
    let err = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?} failed: {err}");
    // The last line is the result.
    for event in output.stdout.split(|byte| *byte == b'\n') {
        if let Ok(event) = serde_json::from_slice(event) {
            see(event);
        }
    }
    Ok(took)
}

/// The middle one of several numbers, the least and the most.
fn spread(mut values: Vec<f64>, digits: usize, unit: &str) -> String {
    values.sort_by(f64::total_cmp);
    let (first, last) = (values[0], values[values.len() - 1]);
    let middle = values[values.len() / 2];
    format!(
        "{middle:.digits$}{unit} (median of {}; {first:.digits$} to {last:.digits$})",
        values.len()
    )
}

fn noop(context: &Context, args: &BenchArgs) -> anyhow::Result<Line> {
    let run = || timed(itself(context)?.args(["build-image", "--image", &args.image]));
    // What is measured is a second run.
    run()?;
    let seconds: Vec<f64> =
        (0..args.runs).map(|_| run().map(|took| took.as_secs_f64())).collect::<Result<_, _>>()?;
    Ok(Line::new(
        format!("no-op `build-image --image {}`, without cargo's own start", args.image),
        spread(seconds, 2, " s"),
        "≤ 0.3 s, no container started",
    ))
}

/// The actions of an image with the seconds of their last run, the longest first.
async fn slowest(context: &Context, image: &str) -> anyhow::Result<Vec<(String, f64)>> {
    let plan = context.image(&context.project.image(image)?, DiskFormat::Raw).await?;
    let states = NodeStates::of(&context.store);
    let mut all = Vec::new();
    for action in plan.graph.iter().filter(|action| action.kind != Kind::Fetch) {
        if let Some(state) = states.load(&action.id)? {
            all.push((action.id.to_string(), state.seconds));
        }
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(all)
}

async fn size(context: &Context, args: &BenchArgs) -> anyhow::Result<Line> {
    let plan = context.image(&context.project.image(&args.image)?, DiskFormat::Raw).await?;
    let outcome = context.run(&plan.graph, std::slice::from_ref(&plan.nodes.usr)).await?;
    let digest = outcome.outputs.get(&plan.nodes.usr).and_then(|outputs| outputs.get("usr.erofs"));
    let path = digest.map(|digest| context.store.blob(digest)).transpose()?.flatten();
    let bytes = fs_err::metadata(path.context("the build left no `/usr`")?)?.len();
    Ok(Line::new(
        format!("`/usr` of {}, compressed", args.image),
        format!("{:.1} MB", bytes as f64 / 1e6),
        "≤ 200 MB (production)",
    ))
}

async fn cold(context: &Context, args: &BenchArgs) -> anyhow::Result<Vec<Line>> {
    let fresh = tempfile::Builder::new().prefix("bench-cold-").tempdir_in(&context.cache)?;
    let cache = match &args.cold_cache {
        Some(dir) => std::path::absolute(dir)?.try_into()?,
        None => Utf8PathBuf::try_from(fresh.path().to_owned())?,
    };
    let empty = !cache.exists() || fs_err::read_dir(&cache)?.next().is_none();
    anyhow::ensure!(empty, "`{cache}` is not empty: a cold build starts from nothing");
    let usage = usage::Usage::begin()?;
    let took = timed(
        itself(context)?.args(["build-image", "--image", &args.image]).env("SLIPWAY_CACHE", &cache),
    )?;
    let (busy, both) = usage.end()?;
    let context = Context::at(cache, context.global.clone())?;
    let slow: Vec<String> = slowest(&context, &args.image)
        .await?
        .into_iter()
        .take(10)
        .map(|(name, seconds)| format!("{name} {seconds:.0} s"))
        .collect();
    let minutes = took.as_secs_f64() / 60.0;
    Ok(vec![
        Line::new(
            format!("cold `build-image --image {}`, SDK and all sources downloaded", args.image),
            format!("{minutes:.1} min (one run)"),
            "≤ 45 min (minimal, 2 cores)",
        ),
        Line::new("cores busy during that build", format!("{busy:.0} %"), "≥ 90 %"),
        Line::new("share of its seconds in which all cores were busy", format!("{both:.0} %"), "–"),
        Line::new("its ten slowest actions", slow.join(", "), "–"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_their_spread() {
        assert_eq!(spread(vec![3.0, 1.0, 2.26], 1, " ms"), "2.3 ms (median of 3; 1.0 to 3.0)");
        assert_eq!(spread(vec![5_000.4], 0, ""), "5000 (median of 1; 5000 to 5000)");
    }
}
