//! The policy of a group, as a form and in words.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Serialize;

use super::{
    activity::Choice,
    address,
    form::{Fields, Problems, Submitted, values},
    group::find_operated,
    group_forms::to_group,
    page::{AppFrame, PageError, Shell, render_with, sentence},
    session::Visitor,
    time::{seconds, short},
    words,
};
use crate::{
    app::App,
    policy::{AutoStop, OnDemand, PerPeriod, Policy, Window},
    store::{Application, Group},
};

const NAMES: [&str; 16] = [
    "percent",
    "pin",
    "allow_downgrade",
    "per_period_count",
    "per_period",
    "at_once",
    "lease",
    "safe_mode",
    "windows",
    "oem_blacklist",
    "on_demand",
    "stop_error",
    "stop_missing",
    "stop_minimum",
    "poll",
    "auto_stop",
];

const ON_DEMAND: [(&str, &str, OnDemand); 3] = [
    ("limits", "the share and the limits", OnDemand::Limits),
    (
        "limits-and-windows",
        "the share, the limits and the maintenance windows",
        OnDemand::LimitsAndWindows,
    ),
    ("nothing", "nothing", OnDemand::Nothing),
];

/// What a ticked box sends.
const TICKED: &str = "on";

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    label: String,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    on_demand: Vec<Choice>,
    action: String,
    back: String,
}

fn option(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn ticked(value: bool) -> String {
    if value { TICKED.to_owned() } else { String::new() }
}

fn present(policy: &Policy) -> BTreeMap<&'static str, String> {
    let stop = policy.auto_stop;
    values(&NAMES, |name| match name {
        "percent" => policy.percent.to_string(),
        "pin" => option(policy.pin.as_ref()),
        "allow_downgrade" => ticked(policy.allow_downgrade),
        "per_period_count" => option(policy.per_period.map(|period| period.count)),
        "per_period" => option(policy.per_period.map(|period| short(period.seconds))),
        "at_once" => option(policy.at_once),
        "lease" => short(policy.lease_seconds),
        "safe_mode" => ticked(policy.safe_mode),
        "windows" => policy.windows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        "oem_blacklist" => policy.oem_blacklist.join(", "),
        "on_demand" => on_demand(policy.on_demand).0.to_owned(),
        "stop_error" => option(stop.and_then(|stop| stop.error_percent)),
        "stop_missing" => option(stop.and_then(|stop| stop.missing_percent)),
        "stop_minimum" => option(stop.map(|stop| stop.minimum)),
        "auto_stop" => ticked(stop.is_some()),
        _ => option(policy.poll_seconds.map(|poll| short(poll.into()))),
    })
}

fn on_demand(value: OnDemand) -> (&'static str, &'static str, OnDemand) {
    ON_DEMAND.into_iter().find(|(.., known)| *known == value).unwrap_or(ON_DEMAND[0])
}

/// A duration in a field.
fn duration(fields: &Fields, problems: &mut Problems, name: &'static str) -> Option<u64> {
    let text = fields.get(name);
    if text.is_empty() {
        return None;
    }
    seconds(text).map_err(|error| problems.add(name, sentence(&error))).ok()
}

/// Reads the form over a policy; pause, resume and frames are not part of it.
fn read(fields: &Fields, problems: &mut Problems, policy: &mut Policy) {
    match problems.number(fields, "percent", 0.0, 100.0) {
        Some(percent) => policy.percent = percent,
        None if fields.get("percent").is_empty() => {
            problems.add("percent", "This field is needed.");
        }
        None => {}
    }
    policy.pin = Some(problems.text(fields, "pin", 64)).filter(|pin| !pin.is_empty());
    if policy.pin.as_ref().is_some_and(|pin| semver::Version::parse(pin).is_err()) {
        problems.add("pin", "Give a version of three numbers, such as 4001.2.0.");
    }
    policy.allow_downgrade = fields.ticked("allow_downgrade");
    policy.safe_mode = fields.ticked("safe_mode");
    policy.at_once = problems.number(fields, "at_once", 0, u32::MAX);
    policy.per_period = per_period(fields, problems);
    match duration(fields, problems, "lease") {
        Some(0) => problems.add("lease", "This has to be longer than nothing."),
        Some(lease) => policy.lease_seconds = lease,
        None if fields.get("lease").is_empty() => problems.add("lease", "This field is needed."),
        None => {}
    }
    policy.windows = windows(fields, problems);
    let oems = problems.text(fields, "oem_blacklist", 20_000);
    let parts = oems.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    policy.oem_blacklist = parts.map(str::to_owned).collect();
    let wanted = ON_DEMAND.into_iter().find(|(name, ..)| *name == fields.get("on_demand"));
    match wanted {
        Some((.., value)) => policy.on_demand = value,
        None => problems.add("on_demand", "Choose one of the list."),
    }
    policy.auto_stop = auto_stop(fields, problems);
    policy.poll_seconds =
        duration(fields, problems, "poll").and_then(|poll| match u32::try_from(poll) {
            Ok(poll @ 60..=604_800) => Some(poll),
            _ => {
                problems.add("poll", "Give a duration from 1m to 7d.");
                None
            }
        });
}

fn per_period(fields: &Fields, problems: &mut Problems) -> Option<PerPeriod> {
    let count = problems.number(fields, "per_period_count", 0, u32::MAX);
    let seconds = duration(fields, problems, "per_period");
    match (count, seconds) {
        (Some(_), Some(0)) => {
            problems.add("per_period", "This has to be longer than nothing.");
            None
        }
        (Some(count), Some(seconds)) => Some(PerPeriod { count, seconds }),
        (Some(_), None) if fields.get("per_period").is_empty() => {
            problems.add("per_period", "Say in which time, such as 1h.");
            None
        }
        (None, Some(_)) if fields.get("per_period_count").is_empty() => {
            problems.add("per_period_count", "Say how many, or leave both empty.");
            None
        }
        _ => None,
    }
}

fn windows(fields: &Fields, problems: &mut Problems) -> Vec<Window> {
    let text = problems.text(fields, "windows", 20_000);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut windows = Vec::new();
    for line in lines {
        match line.parse() {
            Ok(window) => windows.push(window),
            Err(error) => problems.add("windows", sentence(&error as &dyn std::error::Error)),
        }
    }
    windows
}

fn auto_stop(fields: &Fields, problems: &mut Problems) -> Option<AutoStop> {
    let error_percent = problems.number(fields, "stop_error", 0.0, 100.0);
    let missing_percent = problems.number(fields, "stop_missing", 0.0, 100.0);
    let minimum = problems.number(fields, "stop_minimum", 1, u32::MAX);
    if !fields.ticked("auto_stop") {
        return None;
    }
    if error_percent.is_none() && missing_percent.is_none() {
        problems.add(
            "stop_error",
            "Give at least one of the two shares, or switch the automatic stop off.",
        );
    }
    Some(AutoStop { error_percent, missing_percent, minimum: minimum.unwrap_or(10) })
}

fn show(
    visitor: &Visitor,
    row: &Application,
    group: &Group,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
) -> Result<Response, PageError> {
    let chosen = values.get("on_demand").cloned().unwrap_or_default();
    let view = View {
        shell: Shell::new(visitor, "apps", format!("Policy of {} · {}", group.label, row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "groups"),
        label: group.label.clone(),
        values,
        problems: problems.clone(),
        on_demand: ON_DEMAND
            .iter()
            .map(|(value, label, _)| Choice::new(value, *label, &chosen))
            .collect(),
        action: address(&row.id, &["groups", group.id.as_str(), "policy"]),
        back: address(&row.id, &["groups", group.id.as_str()]),
    };
    render_with(problems.status(), "policy.html", &view)
}

/// The form.
pub(super) async fn page(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    show(&visitor, &row, &group, present(&group.policy), Problems::default())
}

/// Changes the policy.
pub(super) async fn save(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    let mut problems = Problems::default();
    let mut wanted = group.policy.clone();
    read(&fields, &mut problems, &mut wanted);
    if problems.is_empty() {
        // Whether updates are on, and the frames, may have changed since; only this form's fields are written.
        let change = |policy: &mut Policy| {
            *policy = Policy {
                updates_enabled: policy.updates_enabled,
                rollout: policy.rollout.clone(),
                ..wanted
            };
        };
        match app.store.change_policy(&visitor.by(&app), &row.id, &group.id, change).await {
            Ok(changed) => return Ok(to_group(&changed)),
            Err(error) => problems.store("percent", error)?,
        }
    }
    show(&visitor, &row, &group, values(&NAMES, |name| sent(&fields, name)), problems)
}

/// A box without a value of its own counts as ticked when it is there.
fn sent(fields: &Fields, name: &str) -> String {
    match name {
        "allow_downgrade" | "safe_mode" | "auto_stop" => ticked(fields.ticked(name)),
        _ => fields.get(name).to_owned(),
    }
}

/// A policy in words, for the page of its group.
pub(super) fn summary(policy: &Policy) -> Vec<(&'static str, String)> {
    let mut rows = vec![("Share", format!("{} of the instances", words::percent(policy.percent)))];
    if policy.rollout.since.is_some() {
        rows[0].1 = "by the frames of the rollout".to_owned();
    }
    if let Some(pin) = &policy.pin {
        rows.push(("Pinned to", pin.clone()));
    }
    if policy.allow_downgrade {
        rows.push(("Downgrade", "allowed".to_owned()));
    }
    if let Some(period) = policy.per_period {
        rows.push((
            "Rate",
            format!("at most {} in {}", words::count(period.count.into()), short(period.seconds)),
        ));
    }
    if let Some(count) = policy.at_once {
        rows.push(("At once", format!("at most {}", words::count(count.into()))));
    }
    rows.push(("Time for an update", short(policy.lease_seconds)));
    if policy.safe_mode {
        rows.push(("Canary", "one instance first".to_owned()));
    }
    let windows: Vec<String> = policy.windows.iter().map(ToString::to_string).collect();
    rows.push((
        "Windows",
        if windows.is_empty() { "at any time".to_owned() } else { windows.join("; ") },
    ));
    if !policy.oem_blacklist.is_empty() {
        rows.push(("Not for", policy.oem_blacklist.join(", ")));
    }
    rows.push(("A check by a person passes over", on_demand(policy.on_demand).1.to_owned()));
    rows.push(("Automatic stop", policy.auto_stop.map_or("off".to_owned(), stop_words)));
    if let Some(poll) = policy.poll_seconds {
        rows.push(("Instances ask every", short(poll.into())));
    }
    rows
}

fn stop_words(stop: AutoStop) -> String {
    let part = |percent: Option<f64>, words: &str| {
        percent.map(|value| format!("{} {words}", words::percent(value)))
    };
    let parts: Vec<String> =
        [part(stop.error_percent, "fail"), part(stop.missing_percent, "are missing")]
            .into_iter()
            .flatten()
            .collect();
    format!("when {} (after {} attempts)", parts.join(" or "), stop.minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(query: &str) -> (Policy, Problems) {
        let mut policy = Policy::default();
        let mut problems = Problems::default();
        read(&Fields::parse(query.as_bytes()), &mut problems, &mut policy);
        (policy, problems)
    }

    const FULL: &str = "percent=12.5&pin=4001.2.0&allow_downgrade=on&per_period_count=50&per_period=1h&at_once=9&lease=2h\
        &safe_mode=on&windows=Mon-Fri+09:00+%2B8h+Europe/Berlin%0D%0A%0D%0A*+02:00+%2B2h&oem_blacklist=ami,+gce&on_demand=nothing\
        &auto_stop=on&stop_error=5&stop_missing=10&stop_minimum=20&poll=10m";

    #[test]
    fn a_full_form_is_read_and_shown_alike() {
        let (policy, problems) = submit(FULL);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(policy.check(), Ok(()));
        let shown = present(&policy);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in shown.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        assert_eq!(submit(&query.finish()).0, policy);
        insta::assert_debug_snapshot!(summary(&policy).iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>(), @r#"
        [
            "Share: 12.5 % of the instances",
            "Pinned to: 4001.2.0",
            "Downgrade: allowed",
            "Rate: at most 50 in 1h",
            "At once: at most 9",
            "Time for an update: 2h",
            "Canary: one instance first",
            "Windows: Mon-Fri 09:00 +8h Europe/Berlin; * 02:00 +2h UTC",
            "Not for: ami, gce",
            "A check by a person passes over: nothing",
            "Automatic stop: when 5 % fail or 10 % are missing (after 20 attempts)",
            "Instances ask every: 10m",
        ]
        "#);
    }

    #[track_caller]
    fn check(query: &str, field: &str) {
        let (_, problems) = submit(query);
        let text = serde_json::to_string(&problems).unwrap();
        assert!(text.contains(&format!("\"field\":\"{field}\"")), "{query}: {text}");
    }

    #[test]
    fn odd_values_are_named() {
        check("", "percent");
        check("", "lease");
        check("", "on_demand");
        check("percent=101", "percent");
        check("percent=NaN", "percent");
        check("pin=newest", "pin");
        check("per_period_count=5", "per_period");
        check("per_period=1h", "per_period_count");
        check("per_period_count=5&per_period=0s", "per_period");
        check("at_once=-1", "at_once");
        check("lease=soon", "lease");
        check("lease=0s", "lease");
        check("windows=Someday+09:00+%2B8h", "windows");
        check("auto_stop=on", "stop_error");
        check("stop_error=1000", "stop_error");
        check("poll=1s", "poll");
        check("poll=99d", "poll");
    }
}
