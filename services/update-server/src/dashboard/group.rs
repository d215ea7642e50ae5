//! One group: what it gives, how far its rollout is, and how its machines fare.

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    activity::{self, ActivityRow},
    address, application,
    apps::{seen_from, target},
    chart::{self, Chart, Columns},
    page::{AppFrame, PageError, Shell, render},
    policy_form,
    session::Visitor,
    time::{When, relative, short},
    words::{self, Badge},
};
use crate::{
    app::App,
    ids::{AppId, GroupId},
    policy::percent_at,
    store::{
        ActivityFilter, Application, CatalogGroup, Group, Page, Role, Span, Status, StatusCount,
        VersionCount,
    },
};

/// Columns of the charts: hours of two days.
const STEPS: usize = 48;
const STEP: u64 = 3600;

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    here: String,
    machines: String,
    group: GroupView,
    numbers: Numbers,
    rollout: RolloutView,
    versions: Vec<Share>,
    statuses: Vec<Share>,
    version_chart: Chart,
    status_chart: Chart,
    errors: Vec<ErrorRow>,
    policy: Vec<(&'static str, String)>,
    activity: Vec<ActivityRow>,
}

/// What the heading says.
#[derive(Serialize)]
struct GroupView {
    id: String,
    label: String,
    description: String,
    track: String,
    badge: Badge,
    enabled: bool,
    stopped: String,
    channel: String,
    version: String,
    floors: Vec<String>,
}

/// The numbers that are kept fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Numbers {
    instances: String,
    current: String,
    progress: String,
    failed: String,
    held: String,
}

#[derive(Serialize)]
struct RolloutView {
    caption: &'static str,
    share: String,
    version: String,
    since: Option<When>,
    next: String,
    done: String,
    chart: Option<Chart>,
}

/// A row of a table of shares.
#[derive(Serialize)]
struct Share {
    name: String,
    badge: Option<Badge>,
    query: String,
    count: String,
    share: String,
    bar: String,
    target: bool,
}

#[derive(Serialize)]
struct ErrorRow {
    code: i64,
    words: String,
    count: String,
}

/// A group of the address, with its application.
pub(super) async fn find(
    app: &App,
    visitor: &Visitor,
    (name, group): &(String, String),
) -> Result<(Application, Group), PageError> {
    let row = application(app, visitor, name).await?;
    let missing = || PageError::NotFound { what: "such group".to_owned() };
    let id: GroupId = group.parse().map_err(|_| missing())?;
    let group = app.store.group(&row.id, &id).await?.ok_or_else(missing)?;
    Ok((row, group))
}

/// The same for a visitor who may operate it.
pub(super) async fn find_operated(
    app: &App,
    visitor: &Visitor,
    path: &(String, String),
) -> Result<(Application, Group), PageError> {
    let (row, group) = find(app, visitor, path).await?;
    visitor.must(Role::Operator, Some(&row.id))?;
    Ok((row, group))
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, group) = find(&app, &visitor, &path).await?;
    let now = app.clock.now();
    let catalog = app.store.catalog().await?;
    let known = catalog.apps.get(&row.id).and_then(|one| one.groups.get(&group.id));
    let known = known.ok_or_else(|| PageError::NotFound { what: "such group".to_owned() })?;
    let goal = target(known).unwrap_or_default();
    let versions = app.store.version_counts(&row.id, Some(&group.id), seen_from(now)).await?;
    let statuses = app.store.status_counts(&row.id, Some(&group.id), seen_from(now)).await?;
    let errors = app.store.error_counts(&row.id, Some(&group.id), week_before(now)).await?;
    let filter = ActivityFilter {
        app: Some(row.id.clone()),
        group: Some(group.id.clone()),
        ..ActivityFilter::default()
    };
    let recent = app.store.activity(&filter, Page::first(6)).await?.items;
    let view = View {
        shell: Shell::new(&visitor, "apps", format!("{} · {}", group.label, row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "groups"),
        here: address(&row.id, &["groups", group.id.as_str()]),
        machines: format!(
            "{}?{}",
            address(&row.id, &["instances"]),
            query(&[("group", group.id.as_str())])
        ),
        group: heading(known, &goal),
        numbers: numbers(&versions, &statuses, &goal),
        rollout: rollout(known, &versions, &goal, now),
        versions: version_shares(&versions, &goal),
        statuses: status_shares(&statuses),
        version_chart: version_chart(&app, &row.id, &group.id, now).await?,
        status_chart: status_chart(&app, &row.id, &group.id, now).await?,
        errors: errors
            .iter()
            .map(|error| ErrorRow {
                code: error.error_code,
                words: words::error(error.error_code),
                count: words::count(error.count),
            })
            .collect(),
        policy: policy_form::summary(&group.policy),
        activity: recent.iter().map(|entry| activity::row(entry, &catalog, now)).collect(),
    };
    render("group.html", &view)
}

/// The numbers of a group, for the script that keeps them fresh.
pub(super) async fn fresh_numbers(
    app: &App,
    id: &AppId,
    group: &GroupId,
) -> Result<Numbers, PageError> {
    let from = seen_from(app.clock.now());
    let catalog = app.store.catalog().await?;
    let known = catalog.apps.get(id).and_then(|one| one.groups.get(group));
    let goal = known.and_then(|group| target(group)).unwrap_or_default();
    let versions = app.store.version_counts(id, Some(group), from).await?;
    let statuses = app.store.status_counts(id, Some(group), from).await?;
    Ok(numbers(&versions, &statuses, &goal))
}

fn week_before(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn heading(known: &CatalogGroup, goal: &str) -> GroupView {
    let group = &known.group;
    let floors = known.channel.iter().flat_map(|channel| &channel.floors);
    GroupView {
        id: group.id.to_string(),
        label: group.label.clone(),
        description: group.description.clone(),
        track: group.track.clone(),
        badge: words::group(group, Some(goal).filter(|goal| !goal.is_empty())),
        enabled: group.policy.updates_enabled && group.stopped_reason.is_none(),
        stopped: group.stopped_reason.clone().unwrap_or_default(),
        channel: known
            .channel
            .as_ref()
            .map(|channel| channel.channel.label.clone())
            .unwrap_or_default(),
        version: goal.to_owned(),
        floors: floors.map(|(package, _)| package.version.clone()).collect(),
    }
}

fn numbers(versions: &[VersionCount], statuses: &[StatusCount], goal: &str) -> Numbers {
    let total = versions.iter().map(|count| count.count).sum();
    let sum = |wanted: &dyn Fn(Status) -> bool| {
        words::count(
            statuses.iter().filter(|count| wanted(count.status)).map(|count| count.count).sum(),
        )
    };
    Numbers {
        instances: words::count(total),
        current: words::share(on_target(versions, goal), total),
        progress: sum(&Status::in_progress),
        failed: sum(&|status| status == Status::Error),
        held: sum(&|status| status == Status::OnHold),
    }
}

fn on_target(versions: &[VersionCount], goal: &str) -> u64 {
    versions.iter().filter(|count| count.version == goal).map(|count| count.count).sum()
}

fn rollout(
    known: &CatalogGroup,
    versions: &[VersionCount],
    goal: &str,
    now: Timestamp,
) -> RolloutView {
    let group = &known.group;
    let plan = &group.policy.rollout;
    // The frames begin anew whenever the channel moves.
    let begun = plan.since.map(|since| since.max(known.changed_at()));
    let elapsed =
        begun.map(|begun| u64::try_from(now.as_second() - begun.as_second()).unwrap_or(0));
    let (share, change) = match elapsed {
        Some(elapsed) => percent_at(&plan.frames, elapsed),
        None => (group.policy.percent, None),
    };
    let next = change.map(|seconds| {
        let then = elapsed.unwrap_or(0).saturating_add(seconds);
        format!("{} in {}", words::percent(percent_at(&plan.frames, then).0), short(seconds))
    });
    let total = versions.iter().map(|count| count.count).sum();
    RolloutView {
        caption: if plan.since.is_some() { "Frames (active)" } else { "Frames (not active)" },
        share: words::percent(share),
        version: group.rolling_version.clone().unwrap_or_default(),
        since: group.rolling_since.map(|at| When::new(at, now)),
        next: next.unwrap_or_default(),
        done: chart::bar(on_target(versions, goal), total),
        chart: (!plan.frames.is_empty()).then(|| chart::frames(&plan.frames, elapsed)),
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    pairs.iter().for_each(|(key, value)| {
        query.append_pair(key, value);
    });
    query.finish()
}

fn version_shares(versions: &[VersionCount], goal: &str) -> Vec<Share> {
    let total = versions.iter().map(|count| count.count).sum();
    let share = |one: &VersionCount| Share {
        name: one.version.clone(),
        badge: None,
        query: query(&[("version", &one.version)]),
        count: words::count(one.count),
        share: words::share(one.count, total),
        bar: chart::bar(one.count, total),
        target: one.version == goal,
    };
    versions.iter().take(12).map(share).collect()
}

fn status_shares(statuses: &[StatusCount]) -> Vec<Share> {
    let total = statuses.iter().map(|count| count.count).sum();
    let share = |one: &StatusCount| {
        let badge = words::status(one.status);
        Share {
            name: badge.word.clone(),
            badge: Some(badge),
            query: query(&[("status", one.status.as_str())]),
            count: words::count(one.count),
            share: words::share(one.count, total),
            bar: chart::bar(one.count, total),
            target: false,
        }
    };
    statuses.iter().map(share).collect()
}

/// The last two days, on whole steps.
fn span(now: Timestamp) -> Span {
    let step = i64::try_from(STEP).unwrap_or(3600);
    let end = (now.as_second().div_euclid(step) + 1) * step;
    let begin = end - step * i64::try_from(STEPS).unwrap_or(48);
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    Span { from: at(begin), until: at(end), step: STEP }
}

async fn version_chart(
    app: &App,
    id: &AppId,
    group: &GroupId,
    now: Timestamp,
) -> Result<Chart, PageError> {
    let span = span(now);
    let counts = app.store.checks_over_time(id, group, span).await?;
    // The newest version is the last, and so on top.
    let mut known: Vec<semver::Version> =
        counts.iter().filter_map(|count| semver::Version::parse(&count.version).ok()).collect();
    known.sort();
    known.dedup();
    let place = |name: &str| {
        let found = semver::Version::parse(name)
            .ok()
            .and_then(|version| known.binary_search(&version).ok());
        (found.map_or(0, |place| place as u64 + 1), None)
    };
    let columns = Columns {
        title: "Update checks by version, per hour of the last two days",
        from: span.from,
        step: STEP,
        steps: STEPS,
        order: &place,
    };
    Ok(columns.draw(counts.into_iter().map(|count| (count.at, count.version, count.count))))
}

async fn status_chart(
    app: &App,
    id: &AppId,
    group: &GroupId,
    now: Timestamp,
) -> Result<Chart, PageError> {
    let span = span(now);
    let counts = app.store.statuses_over_time(id, group, span).await?;
    let columns = Columns {
        title: "Instances that came into a status, per hour of the last two days",
        from: span.from,
        step: STEP,
        steps: STEPS,
        order: &|name| match name {
            "Up to date" => (0, Some("s-good")),
            "Waiting for reboot" => (1, Some("s-busy3")),
            "Downloaded" => (2, Some("s-busy2")),
            "Downloading" => (3, Some("s-busy1")),
            "Update granted" => (4, Some("s-busy0")),
            "On hold" => (5, Some("s-warn")),
            "Failed" => (6, Some("s-bad")),
            _ => (7, Some("s-calm")),
        },
    };
    let named = |name: &str| {
        name.parse().map_or_else(|_| name.to_owned(), |status| words::status(status).word)
    };
    Ok(columns.draw(counts.into_iter().map(|count| (count.at, named(&count.version), count.count))))
}

/// When a group's rollout was activated, in words.
pub(super) fn since(group: &Group, now: Timestamp) -> String {
    group.policy.rollout.since.map(|since| relative(since, now)).unwrap_or_default()
}
