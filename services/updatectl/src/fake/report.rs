//! What came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Event, Histogram, Outcome};

/// Counts of what hosts did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How long checks took, in microseconds.
    pub checks: Histogram,
    /// The longest that a check waited for its turn.
    pub late: Duration,
    /// How many checks were answered with an update.
    pub granted: u64,
    /// The same, by version.
    pub versions: BTreeMap<String, u64>,
    /// How many were answered with none.
    pub nothing: u64,
    /// Other answers, by the server's word.
    pub other: BTreeMap<String, u64>,
    /// How many reports were answered.
    pub reports: u64,
    /// How many hosts came to run another version.
    pub updated: u64,
    /// How many updates failed by intention.
    pub failed: u64,
    /// How many hosts vanished by intention.
    pub vanished: u64,
    /// How many requests had no answer.
    pub lost: u64,
    /// The last reason for that.
    pub why: Option<String>,
    /// How long all of it took.
    pub elapsed: Duration,
}

impl Report {
    /// Counts what a host did.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Checked { took, late, outcome } => {
                self.late = self.late.max(*late);
                self.checks.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                match outcome {
                    Outcome::Granted { version } => {
                        self.granted += 1;
                        *self.versions.entry(version.clone()).or_default() += 1;
                    }
                    Outcome::Nothing => self.nothing += 1,
                    Outcome::Other(word) => *self.other.entry(word.clone()).or_default() += 1,
                }
            }
            Event::Reported => self.reports += 1,
            Event::Updated { .. } => self.updated += 1,
            Event::Failed => self.failed += 1,
            Event::Vanished => self.vanished += 1,
            Event::Lost { why } => {
                self.lost += 1;
                self.why = Some(why.clone());
            }
            Event::Said(_) => {}
        }
    }

    /// Checks per second.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        // Counts are far below what a double cannot hold.
        if seconds > 0.0 { self.checks.count() as f64 / seconds } else { 0.0 }
    }

    fn milliseconds(&self, share: f64) -> f64 {
        self.checks.quantile(share) as f64 / 1000.0
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "checks": self.checks.count(),
            "checks_per_second": self.rate(),
            "p50_ms": self.milliseconds(0.5),
            "p90_ms": self.milliseconds(0.9),
            "p99_ms": self.milliseconds(0.99),
            "max_ms": self.checks.max() as f64 / 1000.0,
            "late_seconds": self.late.as_secs_f64(),
            "granted": self.granted,
            "granted_versions": self.versions,
            "nothing": self.nothing,
            "other": self.other,
            "reports": self.reports,
            "updated": self.updated,
            "failed": self.failed,
            "vanished": self.vanished,
            "lost": self.lost,
            "last_loss": self.why,
        })
    }

    /// As lines for people.
    pub fn to_text(&self) -> String {
        let others =
            self.other.iter().map(|(word, count)| format!(", {count} {word}")).collect::<String>();
        let why = self.why.as_ref().map(|why| format!(" (last: {why})")).unwrap_or_default();
        format!(
            "{} checks in {:.1} s: {:.1} checks/s\np50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms\n\
             answers: {} updates, {} none{others}\nhosts: {} updated, {} failed, {} vanished\n{} reports, {} requests lost{why}\n",
            self.checks.count(),
            self.elapsed.as_secs_f64(),
            self.rate(),
            self.milliseconds(0.5),
            self.milliseconds(0.9),
            self.milliseconds(0.99),
            self.checks.max() as f64 / 1000.0,
            self.granted,
            self.nothing,
            self.updated,
            self.failed,
            self.vanished,
            self.reports,
            self.lost,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted() {
        let mut report = Report { elapsed: Duration::from_secs(2), ..Report::default() };
        let checked = |millis, outcome| Event::Checked {
            took: Duration::from_millis(millis),
            late: Duration::from_secs(millis),
            outcome,
        };
        for event in [
            checked(1, Outcome::Granted { version: "1.2.3".into() }),
            checked(2, Outcome::Nothing),
            checked(3, Outcome::Nothing),
            checked(4, Outcome::Other("error-internal".into())),
            Event::Reported,
            Event::Updated { machine: "m".into(), from: "1".into(), to: "2".into() },
            Event::Failed,
            Event::Vanished,
            Event::Lost { why: "refused".into() },
            Event::Said("<request/>".into()),
        ] {
            report.add(&event);
        }
        assert!((report.rate() - 2.0).abs() < f64::EPSILON);
        let json = report.to_json();
        assert_eq!(
            (&json["checks"], &json["granted"], &json["nothing"]),
            (&json!(4), &json!(1), &json!(2))
        );
        assert_eq!(
            (&json["granted_versions"]["1.2.3"], &json["late_seconds"]),
            (&json!(1), &json!(4.0))
        );
        assert_eq!(
            (&json["other"]["error-internal"], &json["lost"], &json["last_loss"]),
            (&json!(1), &json!(1), &json!("refused"))
        );
        assert!(
            report.to_text().starts_with("4 checks in 2.0 s: 2.0 checks/s\n"),
            "{}",
            report.to_text()
        );
        assert!(report.to_text().contains("1 updates, 2 none, 1 error-internal\n"));
    }

    #[test]
    fn nothing_is_no_rate() {
        assert!(Report::default().rate().abs() < f64::EPSILON);
    }
}
