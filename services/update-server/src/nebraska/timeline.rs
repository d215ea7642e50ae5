//! Counts of a group: now, and over time.

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Map, Value, json};

use super::{Ask, Refusal, Reply, instances::since};
use crate::store::{Group, Role, Span, Status, StatusCount, TimedCount};

/// Steps so long that a chart has a few dozen.
fn span(ask: &Ask) -> Result<Span, Refusal> {
    let from = since(ask)?;
    let until = ask.by.at;
    let seconds = until.as_second().saturating_sub(from.as_second()).unsigned_abs();
    let step = match seconds {
        0..=3600 => 60,
        3601..=172_800 => 3600,
        _ => 86_400,
    };
    Ok(Span { from, until, step })
}

/// By time, then by what was counted.
fn by_time(counts: Vec<TimedCount>) -> BTreeMap<String, Vec<TimedCount>> {
    let mut times: BTreeMap<String, Vec<TimedCount>> = BTreeMap::new();
    for count in counts {
        times.entry(count.at.to_string()).or_default().push(count);
    }
    times
}

/// `{time: {version: count}}`.
pub(super) async fn versions(ask: Ask) -> Reply<Value> {
    let Group { app, id, .. } = ask.group(Role::Viewer).await?;
    let counts = ask.app.store.checks_over_time(&app, &id, span(&ask)?).await?;
    let at = |counts: Vec<TimedCount>| {
        counts.into_iter().map(|count| (count.version, json!(count.count))).collect::<Map<_, _>>()
    };
    let times = by_time(counts).into_iter().map(|(time, counts)| (time, Value::Object(at(counts))));
    Ok(Json(Value::Object(times.collect())))
}

/// `{time: {status: {version: count}}}`. Versions are not told apart: the name is empty.
pub(super) async fn statuses(ask: Ask) -> Reply<Value> {
    let Group { app, id, .. } = ask.group(Role::Viewer).await?;
    let counts = ask.app.store.statuses_over_time(&app, &id, span(&ask)?).await?;
    let status =
        |count: &TimedCount| count.version.parse::<Status>().map_or(0, Status::number).to_string();
    let at = |counts: Vec<TimedCount>| {
        counts
            .into_iter()
            .map(|count| (status(&count), json!({ "": count.count })))
            .collect::<Map<_, _>>()
    };
    let times = by_time(counts).into_iter().map(|(time, counts)| (time, Value::Object(at(counts))));
    Ok(Json(Value::Object(times.collect())))
}

/// How many instances do what.
pub(super) async fn stats(ask: Ask) -> Reply<Value> {
    let Group { app, id, .. } = ask.group(Role::Viewer).await?;
    let counts = ask.app.store.status_counts(&app, Some(&id), since(&ask)?).await?;
    Ok(Json(stats_form(&counts)))
}

fn stats_form(counts: &[StatusCount]) -> Value {
    let of = |status| {
        counts.iter().filter(|count| count.status == status).map(|count| count.count).sum::<u64>()
    };
    json!({
        "total": counts.iter().map(|count| count.count).sum::<u64>(),
        "undefined": of(Status::Undefined),
        "update_granted": of(Status::Granted),
        "error": of(Status::Error),
        "complete": of(Status::Complete),
        "installed": of(Status::Installed),
        "downloaded": of(Status::Downloaded),
        "downloading": of(Status::Downloading),
        "onhold": of(Status::OnHold),
    })
}

/// How many instances run what, in percent too.
pub(super) async fn breakdown(ask: Ask) -> Reply<Vec<Value>> {
    let Group { app, id, .. } = ask.group(Role::Viewer).await?;
    let counts = ask.app.store.version_counts(&app, Some(&id), since(&ask)?).await?;
    let total = counts.iter().map(|count| count.count).sum::<u64>();
    let share = |count: u64| {
        // Two decimals are what a chart can show.
        (count * 10_000).checked_div(total).map_or(0.0, |share| share as f64 / 100.0)
    };
    let entry = |count: crate::store::VersionCount| json!({ "version": count.version, "instances": count.count, "percentage": share(count.count) });
    Ok(Json(counts.into_iter().map(entry).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_nobody_is_in_count_zero() {
        let counts = [
            StatusCount { status: Status::Complete, count: 3 },
            StatusCount { status: Status::OnHold, count: 2 },
        ];
        let form = stats_form(&counts);
        assert_eq!(
            (&form["total"], &form["complete"], &form["onhold"]),
            (&json!(5), &json!(3), &json!(2))
        );
        assert_eq!(form.as_object().map(Map::len), Some(9));
        assert_eq!(form["error"], json!(0));
    }
}
