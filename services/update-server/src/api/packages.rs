//! Methods about packages.

use axum::{Json, http::StatusCode};
use serde::Deserialize;

use super::{
    call::{Asked, Body, Caller, Names},
    failure::Failure,
};
use crate::{
    ids::{AppId, PackageId},
    store::{Arch, Package, PackageFile, PackageKind, Page, Paged, Role},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    version: String,
    #[serde(default)]
    arch: Arch,
    #[serde(default)]
    kind: PackageKind,
    url: String,
    file: String,
    size: u64,
    #[serde(default)]
    sha1: String,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    release_notes: String,
    #[serde(default)]
    description: String,
    #[serde(default = "yes")]
    no_backoff: bool,
    #[serde(default)]
    is_delta: bool,
    #[serde(default)]
    files: Vec<PackageFile>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    version: Option<String>,
    skip: Option<u64>,
    limit: Option<u64>,
}

pub(super) async fn list(
    caller: Caller,
    Names(app): Names<String>,
    Asked(which): Asked<Which>,
) -> Result<Json<Paged<Package>>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let page = Page {
        skip: which.skip.unwrap_or(0).min(1 << 40),
        limit: which.limit.unwrap_or(100).clamp(1, 1000),
    };
    Ok(Json(caller.app.store.packages(&app.id, which.version.as_deref(), page).await?))
}

pub(super) async fn create(
    caller: Caller,
    Names(app): Names<String>,
    Body(raw): Body<Raw>,
) -> Result<Json<Package>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let by = caller.by();
    let id: PackageId = crate::ids::new_uuid().parse()?;
    let package = Package {
        created_at: by.at,
        ..filled(Package::new(id, app.id, &raw.version, raw.arch), raw)
    };
    caller.app.store.create_package(&by, &package).await?;
    Ok(Json(package))
}

pub(super) async fn show(
    caller: Caller,
    Names((app, package)): Names<(String, PackageId)>,
) -> Result<Json<Package>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    Ok(Json(of_app(&caller, &app.id, &package).await?))
}

pub(super) async fn update(
    caller: Caller,
    Names((app, package)): Names<(String, PackageId)>,
    Body(raw): Body<Raw>,
) -> Result<Json<Package>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let before = of_app(&caller, &app.id, &package).await?;
    if raw.version != before.version || raw.arch != before.arch {
        return Err(Failure::invalid(
            "version and architecture of a package do not change; add another package",
        ));
    }
    let change = |package: &mut Package| {
        *package = filled(package.clone(), raw);
        Ok::<_, Failure>(())
    };
    Ok(Json(caller.app.store.change_package(&caller.by(), &before.id, change).await?))
}

pub(super) async fn remove(
    caller: Caller,
    Names((app, package)): Names<(String, PackageId)>,
) -> Result<StatusCode, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let package = of_app(&caller, &app.id, &package).await?;
    caller.app.store.delete_package(&caller.by(), &package.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn of_app(caller: &Caller, app: &AppId, id: &PackageId) -> Result<Package, Failure> {
    let found = caller.app.store.package(id).await?.filter(|package| package.app == *app);
    found.ok_or_else(|| Failure::not_found("package", id))
}

fn filled(package: Package, raw: Raw) -> Package {
    Package {
        kind: raw.kind,
        url: raw.url,
        file: raw.file,
        size: raw.size,
        sha1: raw.sha1,
        sha256: raw.sha256,
        release_notes: raw.release_notes,
        description: raw.description,
        no_backoff: raw.no_backoff,
        is_delta: raw.is_delta,
        files: raw.files,
        ..package
    }
}
