//! Machines: found by text, filtered, sorted, and leafed through.
//!
//! In the order of last sight, pages go by key: a link names the moment at which the page before ended, so that leafing
//! costs the same at the end of a long list as at its beginning, and nothing is shown twice while machines report.
//! The other orders go by page number.

use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    activity::{Choice, Pager, page_number},
    address, application,
    apps::seen_from,
    form::Fields,
    page::{AppFrame, PageError, Shell, render},
    session::Visitor,
    time::When,
    words::{self, Badge},
};
use crate::{
    app::App,
    ids::{AppId, GroupId},
    store::{Catalog, Instance, InstanceFilter, InstanceSort, Page, SortOrder, Status},
};

const ROWS: u64 = 50;

/// The fields that a link to another page or order keeps.
const KEPT: [&str; 7] = ["q", "group", "status", "version", "oem", "sort", "order"];

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    rows: Vec<Row>,
    heads: Vec<Head>,
    pager: Pager,
    groups: Vec<Choice>,
    statuses: Vec<Choice>,
    versions: Vec<Choice>,
    q: String,
    oem: String,
    sort: String,
    order: String,
    filtered: bool,
    total: String,
}

#[derive(Serialize)]
struct Row {
    name: String,
    machine: String,
    version: String,
    badge: Badge,
    error: String,
    group: String,
    group_href: String,
    ip: String,
    oem: String,
    seen: When,
    href: String,
}

/// A column that can be sorted by.
#[derive(Serialize)]
struct Head {
    label: &'static str,
    href: String,
    sorted: &'static str,
}

/// Where a page begins.
enum Start {
    /// At a page by its number.
    Number(u64),
    /// Seen before a moment, leaving out so many that share its last millisecond with the page before.
    Key(Timestamp, u64),
}

fn sort(fields: &Fields) -> (InstanceSort, SortOrder) {
    let sort = match fields.get("sort") {
        "machine" => InstanceSort::Machine,
        "name" => InstanceSort::Alias,
        "version" => InstanceSort::Version,
        "status" => InstanceSort::Status,
        "ip" => InstanceSort::Ip,
        _ => InstanceSort::LastSeen,
    };
    let order = match fields.get("order") {
        "asc" => SortOrder::Ascending,
        "desc" => SortOrder::Descending,
        _ if sort == InstanceSort::LastSeen => SortOrder::Descending,
        _ => SortOrder::Ascending,
    };
    (sort, order)
}

fn filter(app: &AppId, fields: &Fields) -> InstanceFilter {
    let text = |name: &str| Some(fields.get(name).to_owned()).filter(|text| !text.is_empty());
    InstanceFilter {
        app: Some(app.clone()),
        group: fields.value::<GroupId>("group"),
        status: fields.value::<Status>("status"),
        version: text("version"),
        oem: text("oem"),
        search: text("q").map(|text| text.chars().take(200).collect()),
        ..InstanceFilter::default()
    }
}

fn start(fields: &Fields, by_key: bool) -> Start {
    match (by_key, fields.value::<i64>("until").map(Timestamp::from_millisecond)) {
        (true, Some(Ok(until))) => {
            Start::Key(until, fields.value::<u64>("skip").unwrap_or(0).min(1_000_000))
        }
        _ => Start::Number(page_number(fields)),
    }
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = application(&app, &visitor, &name).await?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let filter = filter(&row.id, &fields);
    let (sort, order) = sort(&fields);
    let by_key = (sort, order) == (InstanceSort::LastSeen, SortOrder::Descending);
    let start = start(&fields, by_key);
    let (narrowed, page) = match start {
        Start::Number(number) => (filter.clone(), Page { skip: number * ROWS, limit: ROWS }),
        Start::Key(until, skip) => (
            InstanceFilter { seen_until: Some(until), ..filter.clone() },
            Page { skip, limit: ROWS },
        ),
    };
    let found = app.store.instances(&narrowed, sort, order, page).await?;
    let total = match start {
        Start::Number(_) => found.total,
        Start::Key(..) => app.store.count_instances(&filter).await?,
    };
    let path = address(&row.id, &["instances"]);
    let pager = match by_key {
        true => by_keys(&path, &fields, &start, &found.items, found.total, total),
        false => Pager::numbered(&path, &fields, &KEPT, (page_number(&fields), ROWS, total)),
    };
    let catalog = app.store.catalog().await?;
    let known = app.store.version_counts(&row.id, None, seen_from(app.clock.now())).await?;
    let known = known.into_iter().map(|count| count.version);
    let view = View {
        shell: Shell::new(&visitor, "apps", format!("Instances · {}", row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "instances"),
        rows: found.items.iter().map(|one| shown(one, &catalog, app.clock.now())).collect(),
        heads: heads(&path, &fields, sort, order),
        pager,
        groups: groups(&catalog, &row.id, fields.get("group")),
        statuses: statuses(fields.get("status")),
        versions: versions(known, fields.get("version")),
        q: fields.get("q").to_owned(),
        oem: fields.get("oem").to_owned(),
        sort: fields.get("sort").to_owned(),
        order: fields.get("order").to_owned(),
        filtered: KEPT[..5].iter().any(|name| !fields.get(name).is_empty()),
        total: words::count(total),
    };
    render("instances.html", &view)
}

fn shown(one: &Instance, catalog: &Catalog, now: Timestamp) -> Row {
    let group = catalog.apps.get(&one.app).and_then(|app| app.groups.get(&one.group));
    let failed = one.status == Status::Error;
    Row {
        name: one.name().to_owned(),
        machine: one.machine.to_string(),
        version: one.version.clone(),
        badge: words::status(one.status),
        error: one.error_code.filter(|_| failed).map(words::error).unwrap_or_default(),
        group: group.map_or_else(|| one.group.to_string(), |group| group.group.label.clone()),
        group_href: group
            .map(|_| address(&one.app, &["groups", one.group.as_str()]))
            .unwrap_or_default(),
        ip: one.ip.clone(),
        oem: one.oem.clone(),
        seen: When::new(one.last_seen, now),
        href: address(&one.app, &["instances", one.machine.as_str()]),
    }
}

fn groups(catalog: &Catalog, app: &AppId, chosen: &str) -> Vec<Choice> {
    let groups = catalog.apps.get(app).into_iter().flat_map(|app| app.groups.values());
    groups.map(|group| Choice::new(&group.group.id, group.group.label.clone(), chosen)).collect()
}

fn statuses(chosen: &str) -> Vec<Choice> {
    Status::ALL.iter().map(|one| Choice::new(one, words::status(*one).word, chosen)).collect()
}

/// The versions that are in use, and the one that was chosen even if it is not.
fn versions(known: impl Iterator<Item = String>, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> =
        known.take(100).map(|version| Choice::new(&version, version.clone(), chosen)).collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.chosen) {
        choices.push(Choice::new(chosen, chosen, chosen));
    }
    choices
}

fn link(path: &str, fields: &Fields, keep: &[&str], more: &[(&str, String)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in keep.iter().filter(|name| !fields.get(name).is_empty()) {
        query.append_pair(name, fields.get(name));
    }
    more.iter().for_each(|(name, value)| {
        query.append_pair(name, value);
    });
    format!("{path}?{}", query.finish())
}

/// Links by key. There is no way back by key but the browser's own, and one to the beginning.
fn by_keys(
    path: &str,
    fields: &Fields,
    start: &Start,
    items: &[Instance],
    rest: u64,
    total: u64,
) -> Pager {
    let (until, skipped) = match start {
        Start::Number(number) => (None, number * ROWS),
        Start::Key(until, skip) => (Some(*until), *skip),
    };
    let more = rest > skipped + items.len() as u64;
    let older = items.last().filter(|_| more).map(|last| {
        let end = last.last_seen.as_millisecond();
        let tied = items.iter().filter(|one| one.last_seen.as_millisecond() == end).count() as u64;
        // If the page before ended in the same millisecond, what it left out has to be left out again.
        let again = until.is_some_and(|until| until.as_millisecond() == end + 1);
        let skip = tied + if again { skipped } else { 0 };
        link(path, fields, &KEPT, &[("until", (end + 1).to_string()), ("skip", skip.to_string())])
    });
    let before = total.saturating_sub(rest) + skipped;
    let said = match items.len() as u64 {
        0 => String::new(),
        shown => format!(
            "{}–{} of {}",
            words::count(before + 1),
            words::count(before + shown),
            words::count(total)
        ),
    };
    let first = until.is_none() && skipped == 0;
    let newer = if first { String::new() } else { link(path, fields, &KEPT, &[]) };
    Pager { newer, older: older.unwrap_or_default(), said }
}

fn heads(path: &str, fields: &Fields, sort: InstanceSort, order: SortOrder) -> Vec<Head> {
    let columns = [
        ("Instance", "name", InstanceSort::Alias),
        ("Version", "version", InstanceSort::Version),
        ("Status", "status", InstanceSort::Status),
        ("Group", "", InstanceSort::Machine),
        ("Address", "ip", InstanceSort::Ip),
        ("Last seen", "seen", InstanceSort::LastSeen),
    ];
    let head = |(label, name, column): (&'static str, &'static str, InstanceSort)| {
        let here = !name.is_empty() && column == sort;
        let next = match (here, order) {
            (true, SortOrder::Ascending) => "desc",
            (true, SortOrder::Descending) => "asc",
            (false, _) if name == "seen" => "desc",
            (false, _) => "asc",
        };
        let sorted = match (here, order) {
            (false, _) => "",
            (true, SortOrder::Ascending) => "ascending",
            (true, SortOrder::Descending) => "descending",
        };
        let href = link(
            path,
            fields,
            &KEPT[..5],
            &[("sort", name.to_owned()), ("order", next.to_owned())],
        );
        Head { label, href: if name.is_empty() { String::new() } else { href }, sorted }
    };
    columns.into_iter().map(head).collect()
}
