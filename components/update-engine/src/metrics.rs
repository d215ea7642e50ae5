//! Metrics as Prometheus reads them, in a file of `/run`.

use std::{fmt::Write as _, io, path::Path};

use fs_err as fs;

use crate::{agent::Report, status::Status};

/// The metrics as text.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, labels: &str, value: u64| {
        let _infallible = write!(
            text,
            "# HELP update_engine_{name} {help}\n# TYPE update_engine_{name} {kind}\nupdate_engine_{name}{labels} {value}\n"
        );
    };
    let counters = report.counters;
    let checked = u64::try_from(report.last_checked).unwrap_or(0);
    metric(
        "last_check_seconds",
        "gauge",
        "When the server was asked last, in seconds since 1970.",
        "",
        checked,
    );
    for (name, help, value) in [
        ("checks_total", "Checks for an update.", counters.checks),
        ("attempts_total", "Installations that were begun.", counters.attempts),
        ("installed_total", "Installations that came to a reboot.", counters.installed),
        ("failures_total", "Checks and installations that failed.", counters.failures),
        ("blocked_total", "Updates that were not taken.", counters.blocked),
        ("rollbacks_total", "Versions that were left again.", counters.rollbacks),
        ("payload_bytes_total", "Bytes of payloads from the network.", counters.bytes),
    ] {
        metric(name, "counter", help, "", value);
    }
    let info = format!(
        "{{version=\"{}\",channel=\"{}\"}}",
        escape(&report.running),
        escape(&report.channel)
    );
    metric("info", "gauge", "The version that runs.", &info, 1);
    let state = format!("{{state=\"{:?}\"}}", report.status.stage());
    metric("state", "gauge", "What the agent is doing.", &state, 1);
    if let Status::Blocked { reason } = &report.status {
        let reason = format!("{{reason=\"{}\"}}", escape(reason));
        metric("blocked", "gauge", "Why an update is not taken.", &reason, 1);
    }
    text
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writes them to `metrics.prom` of a folder.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(folder: &Path, report: &Report) -> io::Result<()> {
    let aside = folder.join("metrics.new");
    fs::write(&aside, text(report))?;
    fs::rename(aside, folder.join("metrics.prom"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Counters;

    #[test]
    fn every_sample_has_a_type_and_labels_are_escaped() {
        let report = Report {
            status: Status::Blocked { reason: "pinned to \"4.1.0\"".to_owned() },
            running: "4.0.0".to_owned(),
            channel: "stable".to_owned(),
            pin: None,
            last_checked: 7,
            failed: Default::default(),
            counters: Counters { attempts: 3, ..Counters::default() },
        };
        let text = text(&report);
        assert!(text.contains("\nupdate_engine_attempts_total 3\n"));
        assert!(text.contains("update_engine_blocked{reason=\"pinned to \\\"4.1.0\\\"\"} 1\n"));
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let types = text.lines().filter(|line| line.starts_with("# TYPE"));
        assert_eq!(samples.count(), types.count());
    }
}
