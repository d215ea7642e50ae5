//! `/metrics`, in the text format of Prometheus.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::http::StatusCode;
use jiff::SignedDuration;

use crate::{app::App, store::StoreError};

/// What was counted since the server started.
#[derive(Debug, Default)]
pub struct Metrics {
    answers: [AtomicU64; 6],
    limited: AtomicU64,
    reloads: [AtomicU64; 2],
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).min(5);
        self.answers[class].fetch_add(1, Relaxed);
    }

    /// Another certificate was read.
    pub fn reloaded(&self) {
        self.reloads[0].fetch_add(1, Relaxed);
    }

    /// A certificate was to be read and cannot be used.
    pub fn reload_failed(&self) {
        self.reloads[1].fetch_add(1, Relaxed);
    }

    /// A request was refused because its address had sent too many.
    pub fn limited(&self) {
        self.limited.fetch_add(1, Relaxed);
    }
}

/// One metric with its values.
struct Metric<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl<'a> Metric<'a> {
    fn new(text: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { text, name }
    }

    fn value(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let escape =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _written = writeln!(self.text, "{}{labels} {value}", self.name);
        self
    }
}

pub(super) async fn text(app: &App) -> Result<String, StoreError> {
    let mut text = String::new();
    let metrics = &app.metrics;
    let mut answers = Metric::new(
        &mut text,
        "slipway_http_responses_total",
        "counter",
        "Answers by class of status.",
    );
    for class in 1..=5 {
        answers.value(&[("class", &format!("{class}xx"))], metrics.answers[class].load(Relaxed));
    }
    Metric::new(
        &mut text,
        "slipway_http_limited_total",
        "counter",
        "Requests refused by the limit per address.",
    )
    .value(&[], metrics.limited.load(Relaxed));
    if app.config.tls.is_some() {
        let help = "Certificates read while the server ran.";
        Metric::new(&mut text, "slipway_tls_reloads_total", "counter", help)
            .value(&[("result", "done")], metrics.reloads[0].load(Relaxed))
            .value(&[("result", "failed")], metrics.reloads[1].load(Relaxed));
    }
    let counts = app.engine.counts();
    for (name, help, count) in [
        ("slipway_check_requests_total", "Omaha requests that were kept.", &counts.requests),
        ("slipway_check_batches_total", "Transactions that they were kept in.", &counts.batches),
        ("slipway_grants_total", "Updates granted.", &counts.grants),
        (
            "slipway_check_failures_total",
            "Omaha requests that the database failed.",
            &counts.failures,
        ),
        (
            "slipway_check_refused_total",
            "Omaha requests refused because too many waited.",
            &counts.refused,
        ),
        ("slipway_group_stops_total", "Groups that stopped by themselves.", &counts.stops),
    ] {
        Metric::new(&mut text, name, "counter", help).value(&[], count.load(Relaxed));
    }
    let help = "Bytes that the database takes.";
    Metric::new(&mut text, "slipway_database_bytes", "gauge", help)
        .value(&[], app.store.size().await?);
    groups(app, &mut text).await?;
    Ok(text)
}

async fn groups(app: &App, text: &mut String) -> Result<(), StoreError> {
    let day_ago = app.clock.now().checked_sub(SignedDuration::from_hours(24)).unwrap_or_default();
    let catalog = app.store.catalog().await?;
    let mut versions = String::new();
    let mut statuses = String::new();
    let mut running = String::new();
    let help = "Machines seen in the last day, by version.";
    let mut by_version = Metric::new(&mut versions, "slipway_instances", "gauge", help);
    let help = "Machines seen in the last day, by what they do.";
    let mut by_status = Metric::new(&mut statuses, "slipway_instance_status", "gauge", help);
    let mut enabled = Metric::new(
        &mut running,
        "slipway_group_running",
        "gauge",
        "Whether a group gives updates.",
    );
    for known in catalog.apps.values() {
        for group in known.groups.values() {
            let labels = [("app", known.app.id.as_str()), ("group", group.group.id.as_str())];
            let on = group.group.policy.updates_enabled && group.group.stopped_reason.is_none();
            enabled.value(&labels, u8::from(on));
            for count in
                app.store.version_counts(&known.app.id, Some(&group.group.id), day_ago).await?
            {
                by_version.value(&[labels[0], labels[1], ("version", &count.version)], count.count);
            }
            for count in
                app.store.status_counts(&known.app.id, Some(&group.group.id), day_ago).await?
            {
                by_status
                    .value(&[labels[0], labels[1], ("status", count.status.as_str())], count.count);
            }
        }
    }
    for part in [versions, statuses, running] {
        text.push_str(&part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        Metric::new(&mut text, "x_total", "counter", "Help.").value(&[("a", "1\"2\n")], 3);
        assert_eq!(
            text,
            "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"1\\\"2\\n\"} 3\n"
        );
    }
}
