//! One machine: what it is, what happened to it, and why it gets what it gets.

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    activity::page_number,
    address, application,
    explain::{self, Explained},
    form::{Fields, Submitted},
    page::{AppFrame, PageError, Shell, render},
    session::Visitor,
    time::When,
    words::{self, Badge},
};
use crate::{
    app::App,
    ids::MachineId,
    store::{Application, Event, Instance, Page, Role, Status},
};

const ROWS: u64 = 50;

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    here: String,
    name: String,
    machine: String,
    badge: Badge,
    since: When,
    error: String,
    facts: Vec<(&'static str, String)>,
    first_seen: When,
    last_seen: When,
    group: String,
    group_href: String,
    alias: String,
    pin: String,
    explained: Option<Explained>,
    history: Vec<HistoryRow>,
    newer: String,
    older: String,
}

#[derive(Serialize)]
struct HistoryRow {
    at: When,
    badge: Badge,
    words: String,
    version: String,
    by_server: bool,
}

async fn find(
    app: &App,
    visitor: &Visitor,
    (name, machine): &(String, String),
) -> Result<(Application, Instance), PageError> {
    let row = application(app, visitor, name).await?;
    let missing = || PageError::NotFound { what: "such instance".to_owned() };
    let id: MachineId = machine.parse().map_err(|_| missing())?;
    let instance = app.store.instance(&row.id, &id).await?.ok_or_else(missing)?;
    Ok((row, instance))
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, one) = find(&app, &visitor, &path).await?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let number = page_number(&fields);
    // One more than is shown says whether there are more.
    let page = Page { skip: number * ROWS, limit: ROWS + 1 };
    let history = app.store.history(&row.id, &one.machine, page).await?;
    let now = app.clock.now();
    let catalog = app.store.catalog().await?;
    let group = catalog.apps.get(&one.app).and_then(|app| app.groups.get(&one.group));
    let here = address(&row.id, &["instances", one.machine.as_str()]);
    let failed = one.status == Status::Error;
    let view = View {
        shell: Shell::new(&visitor, "apps", format!("{} · {}", one.name(), row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "instances"),
        here: here.clone(),
        name: one.name().to_owned(),
        machine: one.machine.to_string(),
        badge: words::status(one.status),
        since: When::new(one.status_since, now),
        error: one.error_code.filter(|_| failed).map(words::error).unwrap_or_default(),
        facts: facts(&one),
        first_seen: When::new(one.first_seen, now),
        last_seen: When::new(one.last_seen, now),
        group: group.map_or_else(|| one.group.to_string(), |group| group.group.label.clone()),
        group_href: group
            .map(|_| address(&one.app, &["groups", one.group.as_str()]))
            .unwrap_or_default(),
        alias: one.given_alias.clone(),
        pin: one.pin.clone().unwrap_or_default(),
        explained: explain::explain(&app, &one).await?,
        older: if history.len() as u64 > ROWS {
            format!("{here}?page={}#history", number + 1)
        } else {
            String::new()
        },
        newer: number
            .checked_sub(1)
            .map(|page| format!("{here}?page={page}#history"))
            .unwrap_or_default(),
        history: history.iter().take(ROWS as usize).map(|event| history_row(event, now)).collect(),
    };
    render("instance.html", &view)
}

fn facts(one: &Instance) -> Vec<(&'static str, String)> {
    let joined = |a: &str, b: &str| {
        [a, b].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let source = match one.install_source.as_str() {
        "ondemandupdate" => "a person",
        "scheduler" => "its timer",
        other => other,
    };
    let facts = [
        ("Version", one.version.clone()),
        ("Granted last", one.update_version.clone().unwrap_or_default()),
        ("First installed", one.aleph_version.clone()),
        ("Architecture", one.arch.to_string()),
        ("Track", one.track.clone()),
        ("Platform", joined(&one.oem, &one.oem_version)),
        ("Own alias", one.alias.clone()),
        ("Address", one.ip.clone()),
        ("Boot", one.boot_id.clone()),
        ("Asked last by", source.to_owned()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn history_row(event: &Event, now: jiff::Timestamp) -> HistoryRow {
    HistoryRow {
        at: When::new(event.at, now),
        badge: words::status(event.status),
        words: words::event(event),
        version: event.version.clone(),
        by_server: event.kind != "event",
    }
}

/// Gives the machine an alias.
pub(super) async fn alias(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, one) = find(&app, &visitor, &path).await?;
    visitor.must(Role::Operator, Some(&row.id))?;
    let alias = fields.get("alias");
    if alias.chars().count() > 100 || alias.chars().any(char::is_control) {
        return Err(PageError::Odd {
            what: "has an alias of more than 100 characters, or of characters that cannot be shown",
        });
    }
    app.store.set_alias(&visitor.by(&app), Some(&row.id), &one.machine, alias).await?;
    Ok(Redirect::to(&address(&row.id, &["instances", one.machine.as_str()])).into_response())
}

/// Pins the machine to a version, or lets it go.
pub(super) async fn pin(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, one) = find(&app, &visitor, &path).await?;
    visitor.must(Role::Operator, Some(&row.id))?;
    let version = Some(fields.get("pin")).filter(|version| !version.is_empty());
    app.store.set_pin(&visitor.by(&app), &row.id, &one.machine, version).await?;
    Ok(Redirect::to(&address(&row.id, &["instances", one.machine.as_str()])).into_response())
}
