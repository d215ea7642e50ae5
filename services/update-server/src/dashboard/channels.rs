//! Channels: what they point to, which versions may not be skipped, which are never given.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    activity::Choice,
    address, application,
    form::{Fields, Problems, Submitted, values},
    group_forms::channel_label,
    operated,
    page::{AppFrame, PageError, Shell, render, render_with},
    session::Visitor,
    time::When,
};
use crate::{
    app::App,
    ids::{ChannelId, PackageId},
    store::{Application, Arch, CatalogApp, CatalogChannel, Channel, Floor, Package, Page},
};

const NAMES: [&str; 6] = ["label", "arch", "color", "package", "publish", "reason"];

/// The accent of the pages, for channels without a colour of their own.
const COLOR: &str = "#1a6b8f";

#[derive(Serialize)]
struct ListView {
    shell: Shell,
    app: AppFrame,
    channels: Vec<ChannelRow>,
    packages: usize,
}

#[derive(Serialize)]
struct ChannelRow {
    id: String,
    label: String,
    arch: String,
    version: String,
    changed: When,
    published: bool,
    upstream: String,
    groups: Vec<(String, String)>,
    floors: Vec<FloorRow>,
    blocked: Vec<PackageLink>,
}

#[derive(Serialize)]
struct FloorRow {
    package: String,
    version: String,
    reason: String,
}

#[derive(Serialize)]
struct PackageLink {
    package: String,
    version: String,
}

/// The channels of an application.
pub(super) async fn page(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = application(&app, &visitor, &name).await?;
    let catalog = app.store.catalog().await?;
    let one = catalog.apps.get(&row.id);
    let now = app.clock.now();
    let channels =
        one.into_iter().flat_map(|one| one.channels.values().map(move |channel| (one, channel)));
    let mut channels: Vec<ChannelRow> =
        channels.map(|(one, channel)| channel_row(one, channel, now)).collect();
    channels.sort_by(|a, b| a.label.cmp(&b.label).then_with(|| a.arch.cmp(&b.arch)));
    let view = ListView {
        shell: Shell::new(&visitor, "apps", format!("Channels · {}", row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "channels"),
        channels,
        packages: one.map_or(0, |one| one.packages.len()),
    };
    render("channels.html", &view)
}

fn channel_row(one: &CatalogApp, known: &CatalogChannel, now: jiff::Timestamp) -> ChannelRow {
    let channel = &known.channel;
    let groups =
        one.groups.values().filter(|group| group.group.channel.as_ref() == Some(&channel.id));
    ChannelRow {
        id: channel.id.to_string(),
        label: channel.label.clone(),
        arch: channel.arch.to_string(),
        version: known.target.as_ref().map(|package| package.version.clone()).unwrap_or_default(),
        changed: When::new(channel.changed_at, now),
        published: channel.publish,
        upstream: channel.upstream.clone(),
        groups: groups
            .map(|group| {
                (
                    group.group.label.clone(),
                    address(&channel.app, &["groups", group.group.id.as_str()]),
                )
            })
            .collect(),
        floors: known.floors.iter().map(|(package, reason)| floor_row(package, reason)).collect(),
        blocked: known
            .blacklist
            .iter()
            .filter_map(|id| one.packages.get(id))
            .map(|one| package_link(one))
            .collect(),
    }
}

fn floor_row(package: &Package, reason: &str) -> FloorRow {
    FloorRow {
        package: package.id.to_string(),
        version: package.version.clone(),
        reason: reason.to_owned(),
    }
}

fn package_link(package: &Package) -> PackageLink {
    PackageLink { package: package.id.to_string(), version: package.version.clone() }
}

#[derive(Serialize)]
struct FormView {
    shell: Shell,
    app: AppFrame,
    heading: String,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    archs: Vec<Choice>,
    packages: Vec<Choice>,
    others: Vec<Choice>,
    floors: Vec<FloorRow>,
    blocked: Vec<PackageLink>,
    fresh: bool,
    action: String,
    back: String,
}

async fn find(
    app: &App,
    visitor: &Visitor,
    (name, channel): &(String, String),
) -> Result<(Application, Channel), PageError> {
    let row = operated(app, visitor, name).await?;
    let missing = || PageError::NotFound { what: "such channel".to_owned() };
    let id: ChannelId = channel.parse().map_err(|_| missing())?;
    let channel = app
        .store
        .channel(&id)
        .await?
        .filter(|channel| channel.app == row.id)
        .ok_or_else(missing)?;
    Ok((row, channel))
}

/// What the form shows beside its fields.
struct Around<'a> {
    visitor: &'a Visitor,
    row: &'a Application,
    channel: Option<&'a Channel>,
}

async fn show(
    app: &App,
    around: Around<'_>,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
) -> Result<Response, PageError> {
    let Around { visitor, row, channel } = around;
    let packages = app.store.packages(&row.id, None, Page::first(500)).await?.items;
    let catalog = app.store.catalog().await?;
    let known = channel.and_then(|channel| catalog.apps.get(&row.id)?.channels.get(&channel.id));
    let floors: Vec<FloorRow> = known
        .iter()
        .flat_map(|known| &known.floors)
        .map(|(package, reason)| floor_row(package, reason))
        .collect();
    let blocked =
        |package: &Package| known.is_some_and(|known| known.blacklist.contains(&package.id));
    let suits = |package: &&Package| channel.is_none_or(|channel| channel.arch.suits(package.arch));
    let heading = channel
        .map_or("New channel".to_owned(), |channel| format!("Channel {}", channel_label(channel)));
    let chosen = values.get("package").cloned().unwrap_or_default();
    let arch = values.get("arch").cloned().unwrap_or_default();
    let listed = |id: &PackageId| {
        floors.iter().any(|floor| floor.package == id.as_str()) || chosen == id.as_str()
    };
    let choice = |package: &Package| Choice::new(&package.id, package_label(package), &chosen);
    let id = channel.map(|channel| channel.id.as_str());
    let view = FormView {
        shell: Shell::new(visitor, "apps", format!("{heading} · {}", row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "channels"),
        heading,
        problems: problems.clone(),
        archs: Arch::ALL.iter().map(|one| Choice::new(one, arch_label(*one), &arch)).collect(),
        packages: packages
            .iter()
            .filter(suits)
            .filter(|package| !blocked(package))
            .map(choice)
            .collect(),
        others: packages
            .iter()
            .filter(suits)
            .filter(|package| !blocked(package) && !listed(&package.id))
            .map(|package| Choice::new(&package.id, package_label(package), ""))
            .collect(),
        blocked: packages.iter().filter(|package| blocked(package)).map(package_link).collect(),
        floors,
        values,
        fresh: channel.is_none(),
        action: address(&row.id, &["channels"].into_iter().chain(id).collect::<Vec<_>>()),
        back: address(&row.id, &["channels"]),
    };
    render_with(problems.status(), "channel_form.html", &view)
}

fn arch_label(arch: Arch) -> &'static str {
    match arch {
        Arch::All => "any architecture",
        other => other.as_str(),
    }
}

fn package_label(package: &Package) -> String {
    match package.arch {
        Arch::All => package.version.clone(),
        arch => format!("{} ({arch})", package.version),
    }
}

/// The form for a new channel.
pub(super) async fn new(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = operated(&app, &visitor, &name).await?;
    let empty =
        values(&NAMES, |name| if name == "color" { COLOR.to_owned() } else { String::new() });
    show(&app, Around { visitor: &visitor, row: &row, channel: None }, empty, Problems::default())
        .await
}

/// Reads the form over a channel.
fn read(fields: &Fields, problems: &mut Problems, channel: &mut Channel) {
    channel.label = problems.need_text(fields, "label", 64);
    channel.package = problems.take::<PackageId>(fields, "package");
    channel.publish = fields.ticked("publish");
    let color = fields.get("color");
    let fine = color.len() == 7
        && color.starts_with('#')
        && color[1..].bytes().all(|byte| byte.is_ascii_hexdigit());
    match fine {
        true => channel.color = color.to_ascii_lowercase(),
        false if color.is_empty() => {}
        false => problems.add("color", "Give a colour such as #1a6b8f."),
    }
}

/// Makes a channel.
pub(super) async fn create(
    State(app): State<App>,
    Path(name): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let row = operated(&app, &visitor, &name).await?;
    let mut problems = Problems::default();
    let now = app.clock.now();
    let arch = problems.take::<Arch>(&fields, "arch").unwrap_or_default();
    if let Ok(id) = crate::ids::new_uuid().parse::<ChannelId>() {
        let mut channel = Channel {
            id,
            app: row.id.clone(),
            label: String::new(),
            arch,
            color: COLOR.to_owned(),
            package: None,
            publish: false,
            upstream: String::new(),
            created_at: now,
            changed_at: now,
        };
        read(&fields, &mut problems, &mut channel);
        if problems.is_empty() {
            match app.store.create_channel(&visitor.by(&app), &channel).await {
                Ok(()) => return Ok(Redirect::to(&address(&row.id, &["channels"])).into_response()),
                Err(error) => problems.store("label", error)?,
            }
        }
    }
    let sent = values(&NAMES, |name| fields.get(name).to_owned());
    show(&app, Around { visitor: &visitor, row: &row, channel: None }, sent, problems).await
}

fn present(channel: &Channel) -> BTreeMap<&'static str, String> {
    values(&NAMES, |name| match name {
        "label" => channel.label.clone(),
        "arch" => channel.arch.to_string(),
        "color" => channel.color.clone(),
        "package" => channel.package.clone().map(String::from).unwrap_or_default(),
        "publish" if channel.publish => "on".to_owned(),
        _ => String::new(),
    })
}

/// The form for a channel that is there, with its floors and blocked packages.
pub(super) async fn edit(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, channel) = find(&app, &visitor, &path).await?;
    let around = Around { visitor: &visitor, row: &row, channel: Some(&channel) };
    show(&app, around, present(&channel), Problems::default()).await
}

/// Changes a channel.
pub(super) async fn update(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, channel) = find(&app, &visitor, &path).await?;
    let mut problems = Problems::default();
    let mut wanted = channel.clone();
    read(&fields, &mut problems, &mut wanted);
    if problems.is_empty() {
        // What the form does not have may have changed since, and stays.
        let change = |channel: &mut Channel| {
            *channel = Channel { upstream: channel.upstream.clone(), ..wanted };
            Ok(())
        };
        match app.store.change_channel(&visitor.by(&app), &channel.id, change).await {
            Ok(_) => return Ok(Redirect::to(&address(&row.id, &["channels"])).into_response()),
            Err(error) => problems.store("package", error)?,
        }
    }
    let sent = values(&NAMES, |name| match name {
        "arch" => channel.arch.to_string(),
        "publish" if fields.ticked("publish") => "on".to_owned(),
        other => fields.get(other).to_owned(),
    });
    show(&app, Around { visitor: &visitor, row: &row, channel: Some(&channel) }, sent, problems)
        .await
}

/// What is done to a package in a channel.
enum Deed {
    Floor,
    Unfloor,
    Block,
    Unblock,
}

async fn act(
    app: &App,
    path: &(String, String),
    submitted: Submitted,
    deed: Deed,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, channel) = find(app, &visitor, path).await?;
    let mut problems = Problems::default();
    let reason = problems.text(&fields, "reason", 500);
    let field = if matches!(deed, Deed::Block) { "blocked" } else { "floor" };
    let package = fields.value::<PackageId>("package");
    if package.is_none() {
        problems.add(field, "Choose a version.");
    }
    if let Some(package) = package.filter(|_| problems.is_empty()) {
        let by = visitor.by(app);
        let done = match deed {
            Deed::Floor => {
                let floor = Floor { channel: channel.id.clone(), package, reason };
                app.store.set_floor(&by, &floor).await
            }
            Deed::Unfloor => app.store.remove_floor(&by, &channel.id, &package).await,
            Deed::Block => app.store.blacklist_package(&by, &channel.id, &package).await,
            Deed::Unblock => app.store.unblacklist_package(&by, &channel.id, &package).await,
        };
        match done {
            Ok(()) => {
                let here = address(&row.id, &["channels", channel.id.as_str()]);
                return Ok(Redirect::to(&here).into_response());
            }
            Err(error) => problems.store(field, error)?,
        }
    }
    let around = Around { visitor: &visitor, row: &row, channel: Some(&channel) };
    show(app, around, present(&channel), problems).await
}

/// Makes a version a floor.
pub(super) async fn add_floor(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    act(&app, &path, submitted, Deed::Floor).await
}

/// Takes a floor away.
pub(super) async fn remove_floor(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    act(&app, &path, submitted, Deed::Unfloor).await
}

/// Forbids a version.
pub(super) async fn block(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    act(&app, &path, submitted, Deed::Block).await
}

/// Allows a version again.
pub(super) async fn unblock(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    act(&app, &path, submitted, Deed::Unblock).await
}
