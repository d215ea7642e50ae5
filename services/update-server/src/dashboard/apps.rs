//! The applications, and one with its groups.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    address, application, chart,
    form::{Fields, Problems, Submitted, values},
    page::{AppFrame, PageError, Shell, render, render_with},
    session::Visitor,
    time::When,
    words::{self, Badge},
};
use crate::{
    app::App,
    ids::AppId,
    store::{Application, CatalogApp, CatalogGroup, Role, Status, StoreError},
};

/// How long a machine that is silent still counts.
const SEEN: SignedDuration = SignedDuration::from_hours(24);

#[derive(Serialize)]
struct ListView {
    shell: Shell,
    apps: Vec<AppCard>,
    administrator: bool,
}

#[derive(Serialize)]
struct AppCard {
    id: String,
    href: String,
    label: String,
    description: String,
    instances: String,
    failed: u64,
    groups: Vec<GroupLink>,
}

#[derive(Serialize)]
struct GroupLink {
    id: String,
    label: String,
    badge: Badge,
}

/// The applications that a visitor may see.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, PageError> {
    let catalog = app.store.catalog().await?;
    let mut apps = Vec::new();
    for one in catalog.apps.values().filter(|one| visitor.may(Role::Viewer, Some(&one.app.id))) {
        apps.push(card(&app, one).await?);
    }
    apps.sort_by(|a, b| a.label.cmp(&b.label).then_with(|| a.id.cmp(&b.id)));
    let administrator = visitor.may(Role::Admin, None);
    render(
        "apps.html",
        &ListView { shell: Shell::new(&visitor, "apps", "Applications"), apps, administrator },
    )
}

async fn card(app: &App, one: &CatalogApp) -> Result<AppCard, PageError> {
    let counts = app.store.status_counts(&one.app.id, None, seen_from(app.clock.now())).await?;
    let failed =
        counts.iter().filter(|count| count.status == Status::Error).map(|count| count.count).sum();
    let link = |group: &CatalogGroup| GroupLink {
        id: group.group.id.to_string(),
        label: group.group.label.clone(),
        badge: words::group(&group.group, target(group).as_deref()),
    };
    Ok(AppCard {
        id: one.app.id.to_string(),
        href: address(&one.app.id, &[]),
        label: one.app.label.clone(),
        description: one.app.description.clone(),
        instances: words::count(counts.iter().map(|count| count.count).sum()),
        failed,
        groups: one.groups.values().map(|group| link(group)).collect(),
    })
}

/// The version that a group is to have: its pin, else its channel's.
pub(super) fn target(group: &CatalogGroup) -> Option<String> {
    let channel = || Some(group.channel.as_ref()?.target.as_ref()?.version.clone());
    group.group.policy.pin.clone().or_else(channel)
}

/// Machines seen since then are counted.
pub(super) fn seen_from(now: Timestamp) -> Timestamp {
    now.saturating_sub(SEEN).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[derive(Serialize)]
struct GroupsView {
    shell: Shell,
    app: AppFrame,
    description: String,
    product_id: String,
    groups: Vec<GroupRow>,
    channels: usize,
    created: When,
}

#[derive(Serialize)]
struct GroupRow {
    id: String,
    label: String,
    track: String,
    badge: Badge,
    channel: String,
    version: String,
    instances: String,
    share: String,
    bar: String,
    failed: u64,
}

/// One application: its groups.
pub(super) async fn groups(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = application(&app, &visitor, &name).await?;
    let catalog = app.store.catalog().await?;
    let one = catalog.apps.get(&row.id);
    let mut groups = Vec::new();
    for group in one.iter().flat_map(|one| one.groups.values()) {
        groups.push(group_row(&app, group).await?);
    }
    let view = GroupsView {
        shell: Shell::new(&visitor, "apps", &row.label),
        app: AppFrame::new(&visitor, &row.id, &row.label, "groups"),
        description: row.description.clone(),
        product_id: row.product_id.clone().unwrap_or_default(),
        groups,
        channels: one.map_or(0, |one| one.channels.len()),
        created: When::new(row.created_at, app.clock.now()),
    };
    render("groups.html", &view)
}

async fn group_row(app: &App, group: &CatalogGroup) -> Result<GroupRow, StoreError> {
    let row = &group.group;
    let from = seen_from(app.clock.now());
    let versions = app.store.version_counts(&row.app, Some(&row.id), from).await?;
    let statuses = app.store.status_counts(&row.app, Some(&row.id), from).await?;
    let target = target(group);
    let total = versions.iter().map(|count| count.count).sum();
    let current = versions.iter().filter(|count| Some(&count.version) == target.as_ref());
    let current = current.map(|count| count.count).sum();
    Ok(GroupRow {
        id: row.id.to_string(),
        label: row.label.clone(),
        track: row.track.clone(),
        badge: words::group(row, target.as_deref()),
        channel: group
            .channel
            .as_ref()
            .map(|channel| channel.channel.label.clone())
            .unwrap_or_default(),
        version: target.unwrap_or_default(),
        instances: words::count(total),
        share: words::share(current, total),
        bar: chart::bar(current, total),
        failed: statuses
            .iter()
            .filter(|count| count.status == Status::Error)
            .map(|count| count.count)
            .sum(),
    })
}

#[derive(Serialize)]
struct FormView {
    shell: Shell,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    action: String,
    fresh: bool,
    back: String,
}

const NAMES: [&str; 4] = ["id", "label", "product_id", "description"];

fn form(
    visitor: &Visitor,
    fields: &Fields,
    problems: Problems,
    existing: Option<&AppId>,
) -> Result<Response, PageError> {
    let title = if existing.is_some() { "Edit application" } else { "New application" };
    let view = FormView {
        shell: Shell::new(visitor, "apps", title),
        values: values(&NAMES, |name| fields.get(name).to_owned()),
        problems: problems.clone(),
        action: existing.map_or("/apps".to_owned(), |id| address(id, &["edit"])),
        fresh: existing.is_none(),
        back: existing.map_or("/".to_owned(), |id| address(id, &[])),
    };
    render_with(problems.status(), "app_form.html", &view)
}

/// The form for a new application.
pub(super) async fn new(visitor: Visitor) -> Result<Response, PageError> {
    visitor.must(Role::Admin, None)?;
    form(&visitor, &Fields::default(), Problems::default(), None)
}

fn read(
    fields: &Fields,
    problems: &mut Problems,
    id: Option<AppId>,
    created_at: Timestamp,
) -> Option<Application> {
    let label = problems.need_text(fields, "label", 100);
    let description = problems.text(fields, "description", 2000);
    let product_id = Some(problems.text(fields, "product_id", 128)).filter(|text| !text.is_empty());
    let id = id.or_else(|| match fields.get("id") {
        "" => crate::ids::new_uuid().parse().ok(),
        _ => problems.need(fields, "id"),
    });
    problems.is_empty().then_some(Application {
        id: id?,
        product_id,
        label,
        description,
        created_at,
    })
}

/// Makes an application.
pub(super) async fn create(
    State(app): State<App>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    visitor.must(Role::Admin, None)?;
    let mut problems = Problems::default();
    let Some(new) = read(&fields, &mut problems, None, app.clock.now()) else {
        return form(&visitor, &fields, problems, None);
    };
    match app.store.create_app(&visitor.by(&app), &new).await {
        Ok(()) => Ok(Redirect::to(&address(&new.id, &[])).into_response()),
        Err(StoreError::Exists { .. }) => {
            problems.add("id", "There is an application of this id or product id already.");
            form(&visitor, &fields, problems, None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The form for an application that is there.
pub(super) async fn edit(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = application(&app, &visitor, &name).await?;
    visitor.must(Role::Admin, Some(&row.id))?;
    let product_id = row.product_id.unwrap_or_default();
    let text = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("id", row.id.as_str())
        .append_pair("label", &row.label)
        .append_pair("product_id", &product_id)
        .append_pair("description", &row.description)
        .finish();
    form(&visitor, &Fields::parse(text.as_bytes()), Problems::default(), Some(&row.id))
}

/// Changes an application.
pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let row = application(&app, &visitor, &name).await?;
    visitor.must(Role::Admin, Some(&row.id))?;
    let mut problems = Problems::default();
    let Some(wanted) = read(&fields, &mut problems, Some(row.id.clone()), row.created_at) else {
        return form(&visitor, &fields, problems, Some(&row.id));
    };
    let change = |app: &mut Application| *app = wanted;
    match app.store.change_app(&visitor.by(&app), &row.id, change).await {
        Ok(_) => Ok(Redirect::to(&address(&row.id, &[])).into_response()),
        Err(StoreError::Exists { .. }) => {
            problems.add("product_id", "Another application has this product id.");
            form(&visitor, &fields, problems, Some(&row.id))
        }
        Err(error) => Err(error.into()),
    }
}
