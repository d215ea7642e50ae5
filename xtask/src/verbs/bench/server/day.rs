//! A day of a fleet in compressed time: a good release in the morning, a bad one at noon, and how many hosts get that before
//! the group stops by itself.
//!
//! Everything is real but the hosts and the clock, which goes faster. What takes a host so long in the day takes it as much less
//! here: it asks every 45 minutes, and each step of an update takes ten.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{Database, Fleet, Line, Programs, Server, VERSION, load};
use crate::{
    cli::{BenchArgs, ServerArgs},
    context::Context,
    report,
};

/// How often hosts ask, in seconds of the day.
const POLL: f64 = 45.0 * 60.0;
/// How long a step of an update takes, in seconds of the day.
const STEP: f64 = 10.0 * 60.0;
const GOOD: &str = "2.0.0";
const BAD: &str = "3.0.0";
/// How many of a hundred hosts come back from the bad release …
const BACK: &str = "30";
/// … with this error …
const ROLLED_BACK: &str = "44";
/// … and how many are never heard of again.
const VANISH: &str = "10";

/// What an operator of such a fleet would set: a few hosts first, and a stop when more than one of twenty fails.
fn policy(now: Timestamp) -> Value {
    let frame = |hours: u64, percent: f64| json!({ "seconds": hours * 3600, "percent": percent });
    json!({
        "rollout": {
            "since": now,
            "frames": [frame(1, 1.0), frame(2, 10.0), frame(3, 50.0), frame(1, 100.0)],
        },
        "auto_stop": { "error_percent": 5.0, "missing_percent": 5.0, "minimum": 50 },
        "lease_seconds": 7200,
    })
}

/// How a day is compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    /// How many times as fast the clock goes.
    speed: u32,
    /// How long the day takes.
    lasts: Duration,
    hours: u32,
}

impl Scale {
    /// As fast as it goes with so many checks per second.
    fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let speed = (args.rate as f64 * POLL / args.hosts as f64).floor();
        anyhow::ensure!(
            (1.0..=10_000.0).contains(&speed),
            "{} checks per second are no day of {} hosts: it would be {speed} times as fast as a real one",
            args.rate,
            args.hosts,
        );
        let lasts = Duration::from_secs_f64(f64::from(args.hours) * 3600.0 / speed);
        // In range, as was just seen.
        Ok(Self { speed: speed as u32, lasts, hours: args.hours })
    }

    /// What is a time in the day, here.
    fn here(self, seconds: f64) -> f64 {
        seconds / f64::from(self.speed)
    }

    /// When a part of the day is over, here.
    fn after(self, share: f64) -> Duration {
        self.lasts.mul_f64(share)
    }
}

pub(in super::super) async fn measure(
    context: &Context,
    args: &BenchArgs,
) -> anyhow::Result<Vec<Line>> {
    let scale = Scale::new(&args.server)?;
    let programs = Programs::build(context.project.root())?;
    let database = Database::new(context, &args.server)?;
    let speed = scale.speed.to_string();
    let settings = ["--clock-speed", &speed, "--sweep-interval", "1"];
    let server = Server::start(&programs, &database.url, &database.folder()?, &settings)?;
    let fleet = Fleet::new(&server.base, VERSION, policy).await?;
    let begun = Instant::now();
    let hosts = start(&programs, &server, &args.server, scale)?;
    sleep_until(begun + scale.after(1.0 / 24.0)).await;
    fleet.publish(GOOD).await?;
    report::say(format_args!("{GOOD} is out"));
    sleep_until(begun + scale.after(0.5)).await;
    let published = fleet.publish(BAD).await?;
    report::say(format_args!("{BAD} is out"));
    let loaded = load::report(&hosts.wait_with_output()?.stdout)?;
    let stop = match fleet.stop().await? {
        Some((stopped, why)) => stop(published, stopped, &why),
        None => "it did not stop by itself".to_owned(),
    };
    Ok(lines(&args.server, scale, &loaded, &stop))
}

/// How long it took until a group stopped, in the time of the day, and why it did.
fn stop(published: Timestamp, stopped: Timestamp, why: &str) -> String {
    let minutes = stopped.duration_since(published).as_secs_f64() / 60.0;
    format!("{minutes:.0} min: {why}")
}

/// Starts the hosts.
fn start(
    programs: &Programs,
    server: &Server,
    args: &ServerArgs,
    scale: Scale,
) -> anyhow::Result<Child> {
    let poll = scale.here(POLL).to_string();
    let mut command = load::fake(programs, &server.base, args.hosts, VERSION);
    command.args(["--min-sleep", &poll, "--max-sleep", &poll]);
    command.args(["--step-sleep", &scale.here(STEP).to_string()]);
    command.args(["--duration", &scale.lasts.as_secs().max(1).to_string()]);
    command.args(["--bad-version", BAD, "--errorrate", BACK, "--error-code", ROLLED_BACK]);
    command.args(["--vanish", VANISH, "--connections", &args.connections.to_string()]);
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

fn lines(args: &ServerArgs, scale: Scale, loaded: &load::Report, stop: &str) -> Vec<Line> {
    let what =
        format!("{} hours of {} hosts, {} times as fast", scale.hours, args.hosts, scale.speed);
    let granted = |version: &str| loaded.all["granted_versions"][version].as_u64().unwrap_or(0);
    let share = 100.0 * granted(BAD) as f64 / args.hosts as f64;
    let number = |name: &str| loaded.all[name].as_u64().unwrap_or(0);
    let line =
        |name: &str, measured: String, goal| Line::new(format!("{what}: {name}"), measured, goal);
    vec![
        line(
            "hosts that got the bad release before the group stopped",
            format!("{} ({share:.2} %; one run)", granted(BAD)),
            "–",
        ),
        line("from the bad release to the stop, in the time of the day", stop.to_owned(), "–"),
        line(
            "of these hosts, how many came back, and how many vanished",
            format!("{}, {}", number("failed"), number("vanished")),
            "–",
        ),
        line("hosts that got the good release", granted(GOOD).to_string(), "–"),
        line(
            "checks, and how many per second here",
            format!("{:.0}, {:.0}", loaded.checks, loaded.rate),
            "–",
        ),
        line(
            "p50, p99, and the longest that a host waited for its turn, here",
            format!("{:.1} ms, {:.1} ms, {:.1} s", loaded.p50, loaded.p99, loaded.late),
            "p99 ≤ 20 ms",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(hosts: u64, hours: u32) -> ServerArgs {
        ServerArgs { hosts, hours, rate: 4000, ..ServerArgs::default() }
    }

    #[test]
    fn a_day_is_as_fast_as_the_rate_allows() {
        let scale = Scale::new(&args(100_000, 24)).unwrap();
        assert_eq!((scale.speed, scale.lasts.as_secs()), (108, 800));
        assert!((scale.here(POLL) - 25.0).abs() < 1e-9);
        assert_eq!(scale.after(0.5).as_secs(), 400);
        assert!(Scale::new(&args(100, 24)).is_err());
        assert!(Scale::new(&args(20_000_000, 24)).is_err());
    }

    #[test]
    fn the_stop_is_told_in_minutes_of_the_day() {
        let at = |text: &str| text.parse().unwrap();
        let told = stop(at("2030-01-01T12:00:00Z"), at("2030-01-01T12:25:30Z"), "too many failed");
        assert_eq!(told, "26 min: too many failed");
    }
}
