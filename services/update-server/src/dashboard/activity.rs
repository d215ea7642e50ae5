//! What happened (activity), and who changed what (audit).

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    address,
    form::Fields,
    page::{PageError, Shell, render},
    session::Visitor,
    time::When,
    words::{self, Badge},
};
use crate::{
    app::App,
    ids::AppId,
    store::{Activity, ActivityFilter, AuditEntry, Catalog, Page, Role, Severity},
};

/// Entries of a page.
const ROWS: u64 = 50;

/// One entry.
#[derive(Serialize)]
pub(super) struct ActivityRow {
    at: When,
    badge: Badge,
    message: String,
    app: String,
    app_href: String,
    group: String,
    group_href: String,
    machine: String,
    machine_href: String,
}

/// How to leaf through a list.
#[derive(Serialize)]
pub(super) struct Pager {
    pub(super) newer: String,
    pub(super) older: String,
    pub(super) said: String,
}

impl Pager {
    /// By page numbers, counted from 0.
    pub(super) fn numbered(
        path: &str,
        fields: &Fields,
        keep: &[&str],
        (page, rows, total): (u64, u64, u64),
    ) -> Self {
        let link = |to: u64| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for name in keep.iter().filter(|name| !fields.get(name).is_empty()) {
                query.append_pair(name, fields.get(name));
            }
            query.append_pair("page", &to.to_string());
            format!("{path}?{}", query.finish())
        };
        let first = page * rows + 1;
        let last = total.min((page + 1) * rows);
        let said = match total {
            0 => String::new(),
            _ if first > total => format!("of {}", words::count(total)),
            _ => {
                format!("{}–{} of {}", words::count(first), words::count(last), words::count(total))
            }
        };
        Self {
            newer: page.checked_sub(1).map(link).unwrap_or_default(),
            older: if last < total && first <= total { link(page + 1) } else { String::new() },
            said,
        }
    }
}

/// The page of a query, limited so that nobody asks for the end of the world.
pub(super) fn page_number(fields: &Fields) -> u64 {
    fields.value::<u64>("page").unwrap_or(0).min(100_000)
}

/// An entry as a row. What is not there any more has no link.
pub(super) fn row(entry: &Activity, catalog: &Catalog, now: Timestamp) -> ActivityRow {
    let what = &entry.what;
    let app = catalog.apps.get(&what.app);
    let group = what.group.as_ref();
    let known = group.and_then(|id| app?.groups.get(id));
    let machine = what.machine.as_ref();
    ActivityRow {
        at: When::new(entry.at, now),
        badge: words::severity(what.severity),
        message: what.message.clone(),
        app: app.map_or_else(|| what.app.to_string(), |app| app.app.label.clone()),
        app_href: app.map(|_| address(&what.app, &[])).unwrap_or_default(),
        group: known
            .map(|group| group.group.label.clone())
            .or(group.map(ToString::to_string))
            .unwrap_or_default(),
        group_href: known
            .map(|group| address(&what.app, &["groups", group.group.id.as_str()]))
            .unwrap_or_default(),
        machine: machine.map(ToString::to_string).unwrap_or_default(),
        machine_href: machine
            .map(|id| address(&what.app, &["instances", id.as_str()]))
            .unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct View {
    shell: Shell,
    rows: Vec<ActivityRow>,
    pager: Pager,
    apps: Vec<Choice>,
    severity: String,
    filtered: bool,
}

/// An entry of a list to choose from.
#[derive(Serialize)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) chosen: bool,
}

impl Choice {
    pub(super) fn new(value: impl ToString, label: impl Into<String>, chosen: &str) -> Self {
        let value = value.to_string();
        let chosen = value == chosen;
        Self { value, label: label.into(), chosen }
    }
}

fn severity(text: &str) -> Option<Severity> {
    match text {
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "error" => Some(Severity::Error),
        _ => None,
    }
}

/// The activity of all applications that a visitor may see, or of one.
pub(super) async fn page(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let catalog = app.store.catalog().await?;
    let wanted = fields.value::<AppId>("app");
    let everywhere = visitor.may(Role::Viewer, None);
    let seen: Vec<&AppId> =
        catalog.apps.keys().filter(|id| visitor.may(Role::Viewer, Some(id))).collect();
    let app_filter = match wanted {
        Some(id) if seen.contains(&&id) => Some(id),
        // Who may not see everything sees one application at a time.
        _ if !everywhere => Some(
            seen.first().map(|id| (*id).clone()).ok_or(PageError::Forbidden { role: "viewer" })?,
        ),
        _ => None,
    };
    let chosen = app_filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let filter = ActivityFilter {
        app: app_filter,
        severity: severity(fields.get("severity")),
        ..ActivityFilter::default()
    };
    let number = page_number(&fields);
    let found = app.store.activity(&filter, Page { skip: number * ROWS, limit: ROWS }).await?;
    let now = app.clock.now();
    let labels = catalog.apps.values().filter(|one| seen.contains(&&one.app.id));
    let view = View {
        shell: Shell::new(&visitor, "activity", "Activity"),
        rows: found.items.iter().map(|entry| row(entry, &catalog, now)).collect(),
        pager: Pager::numbered(
            "/activity",
            &fields,
            &["app", "severity"],
            (number, ROWS, found.total),
        ),
        apps: labels.map(|one| Choice::new(&one.app.id, one.app.label.clone(), &chosen)).collect(),
        severity: fields.get("severity").to_owned(),
        filtered: filter.app.is_some() || filter.severity.is_some(),
    };
    render("activity.html", &view)
}

#[derive(Serialize)]
struct AuditView {
    shell: Shell,
    rows: Vec<AuditRow>,
    pager: Pager,
}

#[derive(Serialize)]
struct AuditRow {
    at: When,
    who: String,
    address: String,
    action: String,
    app: String,
    target: String,
    detail: String,
}

/// The audit log.
pub(super) async fn audit(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.must(Role::Admin, None)?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let catalog = app.store.catalog().await?;
    let number = page_number(&fields);
    let found = app.store.audit_log(None, Page { skip: number * ROWS, limit: ROWS }).await?;
    let now = app.clock.now();
    let view = AuditView {
        shell: Shell::new(&visitor, "audit", "Audit log"),
        rows: found.items.iter().map(|entry| audit_row(entry, &catalog, now)).collect(),
        pager: Pager::numbered("/audit", &fields, &[], (number, ROWS, found.total)),
    };
    render("audit.html", &view)
}

fn audit_row(entry: &AuditEntry, catalog: &Catalog, now: Timestamp) -> AuditRow {
    let app = entry.app.as_ref();
    let label = app
        .map(|id| catalog.apps.get(id).map_or_else(|| id.to_string(), |app| app.app.label.clone()));
    let empty = entry.detail.as_object().is_some_and(serde_json::Map::is_empty);
    AuditRow {
        at: When::new(entry.at, now),
        who: entry.who.clone(),
        address: entry.address.clone(),
        action: words::action(&entry.action),
        app: label.unwrap_or_default(),
        target: entry.target.clone(),
        detail: if empty {
            String::new()
        } else {
            serde_json::to_string_pretty(&entry.detail).unwrap_or_default()
        },
    }
}
