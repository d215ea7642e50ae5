//! Methods about applications.

use axum::{Json, http::StatusCode};
use serde::Deserialize;

use super::{
    call::{Body, Caller, Names},
    failure::Failure,
};
use crate::{
    ids::AppId,
    store::{Application, Paged, Role},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    id: Option<String>,
    product_id: Option<String>,
    label: String,
    #[serde(default)]
    description: String,
}

pub(super) async fn list(caller: Caller) -> Result<Json<Paged<Application>>, Failure> {
    let all = caller.app.store.apps().await?;
    let items: Vec<Application> =
        all.into_iter().filter(|app| caller.needs(Role::Viewer, Some(&app.id)).is_ok()).collect();
    Ok(Json(Paged { total: items.len() as u64, items }))
}

pub(super) async fn show(
    caller: Caller,
    Names(app): Names<String>,
) -> Result<Json<Application>, Failure> {
    Ok(Json(caller.application(&app, Role::Viewer).await?))
}

pub(super) async fn create(
    caller: Caller,
    Body(raw): Body<Raw>,
) -> Result<Json<Application>, Failure> {
    caller.needs(Role::Admin, None)?;
    let by = caller.by();
    let id: AppId = raw.id.unwrap_or_else(crate::ids::new_uuid).parse()?;
    let app = Application {
        id,
        product_id: raw.product_id,
        label: raw.label,
        description: raw.description,
        created_at: by.at,
    };
    caller.app.store.create_app(&by, &app).await?;
    Ok(Json(app))
}

pub(super) async fn update(
    caller: Caller,
    Names(app): Names<String>,
    Body(raw): Body<Raw>,
) -> Result<Json<Application>, Failure> {
    let id = caller.application(&app, Role::Operator).await?.id;
    let change = |app: &mut Application| {
        app.product_id = raw.product_id;
        app.label = raw.label;
        app.description = raw.description;
    };
    Ok(Json(caller.app.store.change_app(&caller.by(), &id, change).await?))
}

pub(super) async fn remove(
    caller: Caller,
    Names(app): Names<String>,
) -> Result<StatusCode, Failure> {
    let app = caller.application(&app, Role::Admin).await?;
    caller.app.store.delete_app(&caller.by(), &app.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
