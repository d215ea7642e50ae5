//! Instances that do not exist, in a process of their own (`updatectl instance fake`).

use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::{
    fleet::{APP, GROUP},
    programs::Programs,
};

/// What came of a load.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// How many checks were answered.
    pub(super) checks: f64,
    /// Checks per second.
    pub(super) rate: f64,
    /// The median of the times that checks took, in milliseconds.
    pub(super) p50: f64,
    /// What 99 of 100 checks took at most, in milliseconds.
    pub(super) p99: f64,
    /// The longest that a check waited for a free connection, in seconds.
    pub(super) late: f64,
    /// The whole report.
    pub(super) all: Value,
}

/// A command that lets so many instances ask, all of which run a version.
pub(super) fn fake(programs: &Programs, server: &str, instances: u64, version: &str) -> Command {
    let mut command = programs.control(server);
    command.args(["instance", "fake", "--app-id", APP, "--group-id", GROUP, "--version", version]);
    command.args(["--clients-per-app", &instances.to_string()]).stderr(Stdio::null());
    command
}

/// Runs a load to its end.
pub(super) fn run(command: &mut Command) -> anyhow::Result<Report> {
    let output = command.output()?;
    report(&output.stdout).with_context(|| format!("the load failed ({})", output.status))
}

/// Reads what a load printed. Requests without an answer make it worthless.
pub(super) fn report(printed: &[u8]) -> anyhow::Result<Report> {
    let all: Value = serde_json::from_slice(printed)?;
    let number = |name: &str| all[name].as_f64().with_context(|| format!("no `{name}` in {all}"));
    let report = Report {
        checks: number("checks")?,
        rate: number("checks_per_second")?,
        p50: number("p50_ms")?,
        p99: number("p99_ms")?,
        late: number("late_seconds")?,
        all: all.clone(),
    };
    let lost = number("lost")?;
    anyhow::ensure!(lost == 0.0, "{lost} requests had no answer, the last: {}", all["last_loss"]);
    anyhow::ensure!(report.checks > 0.0, "nothing was asked");
    let refused = all["other"].as_object().is_some_and(|other| !other.is_empty());
    anyhow::ensure!(!refused, "the server answered {}", all["other"]);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_losses_is_none() {
        let text = |lost: u32, other: &str| {
            format!(
                r#"{{"checks":10,"checks_per_second":5.0,"p50_ms":1.0,"p99_ms":2.0,"late_seconds":0.5,"lost":{lost},"last_loss":"refused","other":{other}}}"#
            )
        };
        let good = report(text(0, "{}").as_bytes()).unwrap();
        assert_eq!(
            (good.checks, good.rate, good.p50, good.p99, good.late),
            (10.0, 5.0, 1.0, 2.0, 0.5)
        );
        let check = |text: String, expected: &str| {
            let error = report(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(text(1, "{}"), "1 requests had no answer, the last: \"refused\"");
        check(text(0, r#"{"error-internal":7}"#), "the server answered {\"error-internal\":7}");
        assert!(report(b"").is_err());
    }
}
