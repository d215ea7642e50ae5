//! What goes on by itself while the server runs.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::{sync::mpsc, time};

use crate::{
    app::App,
    checks::{StopNotice, sweep},
};

/// How often the log of SQLite is moved.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// How long the webhook may take.
const WEBHOOK: Duration = Duration::from_secs(10);

/// How often the webhook is tried; the activity has the stop in any case.
const TRIES: u32 = 5;

/// Ends grants that are over, until the server ends.
pub async fn sweep_often(app: App, stops: mpsc::UnboundedSender<StopNotice>) {
    let mut ticks = app.ticks(Duration::from_secs(app.config.sweep_interval));
    while ticks.next().await.is_some() {
        match sweep(&app.store, app.clock.now()).await {
            Ok(notices) => notices.into_iter().for_each(|notice| drop(stops.send(notice))),
            Err(error) => {
                tracing::warn!(error = %crate::chain(&error), "cannot sweep; the next time does it");
            }
        }
    }
}

/// Moves what SQLite has logged to its place, until the server ends.
pub async fn checkpoint_often(app: App) {
    let mut ticks = app.ticks(CHECKPOINT);
    while ticks.next().await.is_some() {
        if let Err(error) = app.store.checkpoint().await {
            tracing::debug!(error = %crate::chain(&error), "cannot move the log of the database");
        }
    }
}

/// Forgets what is old, once an hour, until the server ends.
pub async fn forget_old(app: App) {
    let mut ticks = app.ticks(Duration::from_secs(3600));
    while ticks.next().await.is_some() {
        let now = app.clock.now();
        let before = |days: u32| {
            now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or_default()
        };
        match app
            .store
            .forget(before(app.config.retention_days), before(app.config.machine_days))
            .await
        {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "forgot what is old"),
            Err(error) => {
                tracing::warn!(error = %crate::chain(&error), "cannot forget what is old");
            }
        }
    }
}

/// Tells the webhook of groups that stopped, until nobody can send any more.
pub async fn tell_webhook(app: App, mut stops: mpsc::UnboundedReceiver<StopNotice>) {
    let client = reqwest::Client::builder()
        .timeout(WEBHOOK)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    while let Some(notice) = stops.recv().await {
        tracing::error!(app = %notice.app, group = %notice.group, version = notice.version, reason = notice.reason, "a group stopped by itself");
        let (Some(url), Ok(client)) = (&app.config.webhook, &client) else { continue };
        let body = serde_json::json!({ "event": "group-stopped", "detail": notice }).to_string();
        for attempt in 0..TRIES {
            let request = client
                .post(url.as_str())
                .header("content-type", "application/json")
                .body(body.clone());
            match request.send().await.and_then(reqwest::Response::error_for_status) {
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(error = %crate::chain(&error.without_url()), attempt, "the webhook was not told");
                    time::sleep(Duration::from_secs(1 << attempt)).await;
                }
            }
        }
    }
}
