//! Requests of a group, counted over time.

use std::collections::BTreeMap;

use axum::{Json, Router};
use jiff::Timestamp;
use slipway_coreupdate::wire::{GroupRequestsItem, GroupRequestsRollup, GroupRequestsValues};

use super::{Answer, Call, Failure, NoBody, groups::named, mount};
use crate::{app::App, store::Span};

/// The steps that CoreUpdate knows, in seconds.
const STEPS: [i64; 3] = [60, 3600, 86_400];

/// The most steps before the end that are counted: a week of minutes. What is earlier is left out.
const MAX_STEPS: i64 = 10_080;

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.group.requests.events.rollup", events);
    mount(router, "update.group.requests.versions.rollup", versions)
}

/// One line of a chart: version, kind, result.
type Line = (String, String, String);

fn span(call: &Call<NoBody>) -> Result<Span, Failure> {
    let time = |name: &str, zero: Timestamp| match call.number(name)? {
        0 => Ok(zero),
        second => Timestamp::from_second(second)
            .map_err(|_| Failure::bad(format!("`{name}` is `{second}`, which is no time"))),
    };
    let step = call.asked_number("resolution")?.filter(|step| *step != 0).unwrap_or(STEPS[0]);
    if !STEPS.contains(&step) {
        return Err(Failure::bad(format!(
            "`resolution` is `{step}`; 60, 3600 and 86400 seconds are possible"
        )));
    }
    let until = time("dateEnd", after(call.by.at))?;
    let from = time("dateStart", Timestamp::UNIX_EPOCH)?;
    let earliest = Timestamp::from_second(until.as_second().saturating_sub(MAX_STEPS * step));
    let from = earliest.map_or(from, |earliest| earliest.max(from));
    Ok(Span { from, until, step: step.unsigned_abs() })
}

/// What comes in now still counts.
fn after(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second().saturating_add(1)).unwrap_or(now)
}

/// Whether a version is asked for; all are, if none is named.
fn wanted(call: &Call<NoBody>, version: &str) -> bool {
    call.asked("versions")
        .is_none_or(|versions| versions.split(',').any(|wanted| wanted.trim() == version))
}

fn rollup(lines: BTreeMap<Line, Vec<GroupRequestsValues>>) -> Json<GroupRequestsRollup> {
    let item =
        |((version, kind, result), values)| GroupRequestsItem { result, kind, values, version };
    Json(GroupRequestsRollup { items: lines.into_iter().map(item).collect() })
}

fn value(at: Timestamp, count: u64) -> GroupRequestsValues {
    GroupRequestsValues {
        count: i64::try_from(count).unwrap_or(i64::MAX),
        timestamp: at.as_second(),
    }
}

async fn events(call: Call<NoBody>) -> Answer<GroupRequestsRollup> {
    let group = named(&call, "groupId").await?;
    let counts = call.app.store.events_over_time(&group.app, &group.id, span(&call)?).await?;
    let mut lines: BTreeMap<Line, Vec<_>> = BTreeMap::new();
    for count in counts.into_iter().filter(|count| wanted(&call, &count.version)) {
        let line = (count.version, count.event_type.to_string(), count.event_result.to_string());
        lines.entry(line).or_default().push(value(count.at, count.count));
    }
    Ok(rollup(lines))
}

async fn versions(call: Call<NoBody>) -> Answer<GroupRequestsRollup> {
    let group = named(&call, "groupId").await?;
    let counts = call.app.store.checks_over_time(&group.app, &group.id, span(&call)?).await?;
    let mut lines: BTreeMap<Line, Vec<_>> = BTreeMap::new();
    for count in counts.into_iter().filter(|count| wanted(&call, &count.version)) {
        let line = (count.version, String::new(), String::new());
        lines.entry(line).or_default().push(value(count.at, count.count));
    }
    Ok(rollup(lines))
}
