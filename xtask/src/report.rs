//! What people and programs see of a run: bars on a terminal, plain lines elsewhere, JSON on request; and errors.

use std::{collections::BTreeMap, io::IsTerminal as _, process::ExitCode, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use slipway_build::{Event, How, NodeId};
use slipway_seed::SeedEvent;
use tokio::sync::mpsc::UnboundedReceiver;

/// Prints a line for people.
pub(crate) fn say(text: impl std::fmt::Display) {
    #[expect(clippy::print_stderr, reason = "the one place for messages")]
    {
        eprintln!("{text}");
    }
}

/// Prints data.
pub(crate) fn print(text: impl std::fmt::Display) {
    #[expect(clippy::print_stdout, reason = "the one place for data")]
    {
        println!("{text}");
    }
}

/// Prints an error with its causes and gives the exit code.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    let mut said = error.to_string();
    say(format_args!("error: {said}"));
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if cause != said {
            say(format_args!("  because: {cause}"));
        }
        said = cause;
    }
    ExitCode::FAILURE
}

/// What happens while the SDK is made.
pub(crate) fn seed_events(event: SeedEvent) {
    match event {
        SeedEvent::WaitingForLock => say("waiting for another process that makes the SDK"),
        SeedEvent::FetchStarted { packages, bytes } => {
            say(format_args!(
                "fetching and unpacking {packages} packages of the SDK, {} MB",
                bytes / 1_000_000
            ));
        }
        SeedEvent::Retrying { url, reason } => say(format_args!("trying again: {url}: {reason}")),
        SeedEvent::NewerTaken { package, locked, taken } => {
            say(format_args!("{package}: {taken} instead of {locked}"));
        }
        SeedEvent::StepStarted { step } => say(format_args!("SDK: {step}")),
        SeedEvent::Ready { id } => {
            say(format_args!("the SDK {} is ready", &id[..12.min(id.len())]));
        }
        _ => {}
    }
}

/// Consumes the events of a run.
pub(crate) struct Reporter {
    json: bool,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    lines: BTreeMap<NodeId, ProgressBar>,
}

impl Reporter {
    pub(crate) fn new(json: bool) -> Self {
        let bars = (!json && std::io::stderr().is_terminal()).then(Bars::new);
        Self { json, bars }
    }

    pub(crate) async fn consume(mut self, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            if self.json {
                if let Ok(line) = serde_json::to_string(&event) {
                    print(line);
                }
            } else {
                self.show(event);
            }
        }
        if let Some(bars) = &self.bars {
            bars.total.finish_and_clear();
        }
    }

    fn line(&self, text: impl std::fmt::Display) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Waiting { holder } => {
                self.line(format_args!("waiting for another build: {holder}"));
            }
            Event::PlanReady { counts, estimate_seconds } if counts.stale + counts.unknown > 0 => {
                let (stale, fresh) = (counts.stale + counts.unknown, counts.fresh);
                self.line(format_args!(
                    "{stale} to do, {fresh} done before, about {}",
                    duration(estimate_seconds)
                ));
            }
            Event::Started { id, .. } => {
                if let Some(bars) = &mut self.bars {
                    bars.start(&id);
                }
            }
            Event::Phase { id, phase, .. } => {
                if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.lines.get(&id)) {
                    bar.set_message(format!("{id} {phase}"));
                }
            }
            Event::Finished { id, how, seconds, .. } => {
                self.end(&id);
                if how == How::Built {
                    self.line(format_args!("{:>8} {id}", duration(seconds)));
                }
            }
            Event::Failed { id, error, log, last_lines, .. } => {
                self.end(&id);
                self.line(format_args!("failed: {id}: {error}"));
                for line in last_lines {
                    self.line(format_args!("    {line}"));
                }
                if let Some(log) = log {
                    self.line(format_args!("the whole log is {log}"));
                }
            }
            Event::Stopped { id, .. } => self.end(&id),
            Event::Draining { running } => {
                self.line(format_args!(
                    "finishing {} running; press Ctrl-C again to stop them",
                    running.len()
                ));
            }
            Event::Forcing { .. } => self.line("stopping"),
            Event::Progress { done, total, remaining_seconds } => {
                if let Some(bars) = &self.bars {
                    bars.total.set_length(total as u64);
                    bars.total.set_position(done as u64);
                    bars.total.set_message(format!("{} left", duration(remaining_seconds)));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, id: &NodeId) {
        if let Some(bar) = self.bars.as_mut().and_then(|bars| bars.lines.remove(id)) {
            bar.finish_and_clear();
        }
    }
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            total.set_style(style);
        }
        Self { all, total, lines: BTreeMap::new() }
    }

    fn start(&mut self, id: &NodeId) {
        let bar = self.all.insert_before(&self.total, ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {elapsed:>4} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(id.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.lines.insert(id.clone(), bar);
    }
}

/// Seconds for people.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1}s", seconds.max(0.0)),
        10..120 => format!("{whole}s"),
        120..7200 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        #[track_caller]
        fn check(seconds: f64, expected: &str) {
            assert_eq!(duration(seconds), expected);
        }
        check(0.25, "0.2s");
        check(59.6, "60s");
        check(150.0, "2m30s");
        check(7260.0, "2h01m");
        check(-1.0, "0.0s");
    }
}
