//! Packages: the versions that channels can point to, entered by hand or imported.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    activity::{Choice, Pager, page_number},
    address, application,
    form::{Fields, Problems, Submitted, values},
    group_forms::{Confirm, channel_label},
    operated,
    page::{AppFrame, PageError, Shell, render, render_with},
    session::Visitor,
    time::When,
    words,
};
use crate::{
    app::App,
    ids::PackageId,
    store::{Application, Arch, CatalogApp, Origin, Package, Page},
};

const ROWS: u64 = 50;

const NAMES: [&str; 10] = [
    "version",
    "arch",
    "url",
    "file",
    "size",
    "sha1",
    "sha256",
    "release_notes",
    "description",
    "is_delta",
];

#[derive(Serialize)]
struct ListView {
    shell: Shell,
    app: AppFrame,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Serialize)]
struct Row {
    id: String,
    version: String,
    arch: String,
    origin: &'static str,
    size: String,
    files: usize,
    url: String,
    file: String,
    sha256: String,
    notes: String,
    notes_link: bool,
    created: When,
    channels: Vec<String>,
    floors: Vec<String>,
}

/// The packages of an application.
pub(super) async fn page(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = application(&app, &visitor, &name).await?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let number = page_number(&fields);
    let found =
        app.store.packages(&row.id, None, Page { skip: number * ROWS, limit: ROWS }).await?;
    let catalog = app.store.catalog().await?;
    let one = catalog.apps.get(&row.id);
    let now = app.clock.now();
    let path = address(&row.id, &["packages"]);
    let view = ListView {
        shell: Shell::new(&visitor, "apps", format!("Packages · {}", row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "packages"),
        rows: found.items.iter().map(|package| package_row(package, one, now)).collect(),
        pager: Pager::numbered(&path, &fields, &[], (number, ROWS, found.total)),
    };
    render("packages.html", &view)
}

fn package_row(package: &Package, one: Option<&CatalogApp>, now: jiff::Timestamp) -> Row {
    let channels = || one.into_iter().flat_map(|one| one.channels.values());
    let pointing =
        channels().filter(|channel| channel.channel.package.as_ref() == Some(&package.id));
    let floors =
        channels().filter(|channel| channel.floors.iter().any(|(floor, _)| floor.id == package.id));
    Row {
        id: package.id.to_string(),
        version: package.version.clone(),
        arch: package.arch.to_string(),
        origin: match package.origin {
            Origin::Manual => "entered by hand",
            Origin::Release => "verified release",
            Origin::Upstream => "from upstream",
        },
        size: words::size(package.size),
        files: package.files.len() + 1,
        url: package.url.clone(),
        file: package.file.clone(),
        sha256: package.sha256.clone(),
        notes_link: package.release_notes.starts_with("https://")
            || package.release_notes.starts_with("http://"),
        notes: package.release_notes.clone(),
        created: When::new(package.created_at, now),
        channels: pointing.map(|channel| channel_label(&channel.channel)).collect(),
        floors: floors.map(|channel| channel_label(&channel.channel)).collect(),
    }
}

#[derive(Serialize)]
struct FormView {
    shell: Shell,
    app: AppFrame,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    archs: Vec<Choice>,
    action: String,
}

fn show(
    visitor: &Visitor,
    row: &Application,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
) -> Result<Response, PageError> {
    let arch = values.get("arch").cloned().unwrap_or_default();
    let label = |arch: Arch| if arch == Arch::All { "any architecture" } else { arch.as_str() };
    let view = FormView {
        shell: Shell::new(visitor, "apps", format!("New package · {}", row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "packages"),
        values,
        problems: problems.clone(),
        archs: Arch::ALL.iter().map(|one| Choice::new(one, label(*one), &arch)).collect(),
        action: address(&row.id, &["packages"]),
    };
    render_with(problems.status(), "package_form.html", &view)
}

/// The form for a new package.
pub(super) async fn new(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = operated(&app, &visitor, &name).await?;
    let empty =
        values(&NAMES, |name| if name == "arch" { "amd64".to_owned() } else { String::new() });
    show(&visitor, &row, empty, Problems::default())
}

fn read(fields: &Fields, problems: &mut Problems, package: &mut Package) {
    package.version = problems.need_text(fields, "version", 64);
    if semver::Version::parse(&package.version).is_err() && !package.version.is_empty() {
        problems.add("version", "Give a version of three numbers, such as 4001.2.0.");
    }
    package.arch = problems.take::<Arch>(fields, "arch").unwrap_or_default();
    package.url = problems.need_text(fields, "url", 2000);
    let web =
        url::Url::parse(&package.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !web && !package.url.is_empty() {
        problems.add("url", "Give the address of a folder that begins with https:// or http://.");
    }
    package.file = problems.need_text(fields, "file", 255);
    if package.file.contains(['/', '\\']) {
        problems.add("file", "Give the name of a file in the folder, without a path.");
    }
    match problems.number::<u64>(fields, "size", 1, 1 << 40) {
        Some(size) => package.size = size,
        None if fields.get("size").is_empty() => problems.add("size", "This field is needed."),
        None => {}
    }
    package.sha1 = problems.text(fields, "sha1", 64);
    package.sha256 = problems.text(fields, "sha256", 64).to_ascii_lowercase();
    if package.sha256.is_empty() {
        problems.add("sha256", "This field is needed: clients refuse an update without it.");
    } else if package.sha256.len() != 64
        || !package.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        problems.add("sha256", "Give 64 hexadecimal digits, as sha256sum prints them.");
    }
    package.release_notes = problems.text(fields, "release_notes", 20_000);
    package.description = problems.text(fields, "description", 2000);
    package.is_delta = fields.ticked("is_delta");
}

/// Adds a package.
pub(super) async fn create(
    State(app): State<App>,
    Path(name): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let row = operated(&app, &visitor, &name).await?;
    let mut problems = Problems::default();
    if let Ok(id) = crate::ids::new_uuid().parse::<PackageId>() {
        let mut package = Package::new(id, row.id.clone(), "", Arch::All);
        read(&fields, &mut problems, &mut package);
        if problems.is_empty() {
            match app.store.create_package(&visitor.by(&app), &package).await {
                Ok(()) => return Ok(Redirect::to(&address(&row.id, &["packages"])).into_response()),
                Err(error) => problems.store("version", error)?,
            }
        }
    }
    let sent = values(&NAMES, |name| match name {
        "is_delta" if fields.ticked(name) => "on".to_owned(),
        other => fields.get(other).to_owned(),
    });
    show(&visitor, &row, sent, problems)
}

async fn find(
    app: &App,
    visitor: &Visitor,
    (name, package): &(String, String),
) -> Result<(Application, Package), PageError> {
    let row = operated(app, visitor, name).await?;
    let missing = || PageError::NotFound { what: "such package".to_owned() };
    let id: PackageId = package.parse().map_err(|_| missing())?;
    let package = app
        .store
        .package(&id)
        .await?
        .filter(|package| package.app == row.id)
        .ok_or_else(missing)?;
    Ok((row, package))
}

/// Asks whether to remove a package.
pub(super) async fn ask_delete(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, package) = find(&app, &visitor, &path).await?;
    let heading = format!("Remove the package {}?", package.version);
    let view = Confirm {
        shell: Shell::new(&visitor, "apps", format!("{heading} · {}", row.label)),
        app: AppFrame::new(&visitor, &row.id, &row.label, "packages"),
        heading,
        text: vec![
            "No channel can point to it any more. Its files stay where they are.".to_owned(),
            "A package that a channel points to, or has as a floor, cannot be removed.".to_owned(),
        ],
        button: "Remove package",
        danger: true,
        action: address(&row.id, &["packages", package.id.as_str(), "delete"]),
        back: address(&row.id, &["packages"]),
    };
    render("confirm.html", &view)
}

/// Removes a package.
pub(super) async fn delete(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let (row, package) = find(&app, &submitted.visitor, &path).await?;
    app.store.delete_package(&submitted.visitor.by(&app), &package.id).await?;
    Ok(Redirect::to(&address(&row.id, &["packages"])).into_response())
}
