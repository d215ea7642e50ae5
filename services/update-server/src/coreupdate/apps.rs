//! Applications.

use axum::{Json, Router};
use slipway_coreupdate::wire::{App as Wire, AppListResp};

use super::{Answer, Call, NoBody, mount};
use crate::{
    app::App,
    ids::{AppId, new_uuid},
    store::Application,
};

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.app.list", list);
    let router = mount(router, "update.app.insert", insert);
    let router = mount(router, "update.app.get", show);
    let router = mount(router, "update.app.update", update);
    mount(router, "update.app.delete", delete)
}

fn wire(app: &Application) -> Wire {
    Wire { description: app.description.clone(), id: app.id.to_string(), label: app.label.clone() }
}

async fn list(call: Call<NoBody>) -> Answer<AppListResp> {
    let apps = call.app.store.apps().await?;
    Ok(Json(AppListResp {
        items: apps.iter().filter(|app| call.may_see(&app.id)).map(wire).collect(),
    }))
}

async fn insert(call: Call<Wire>) -> Answer<Wire> {
    let id = if call.body.id.is_empty() { new_uuid() } else { call.body.id.clone() };
    let id: AppId = id.parse()?;
    let label = if call.body.label.is_empty() { id.to_string() } else { call.body.label.clone() };
    let description = call.body.description.clone();
    let app = Application { id, product_id: None, label, description, created_at: call.by.at };
    call.app.store.create_app(&call.by, &app).await?;
    Ok(Json(wire(&app)))
}

async fn show(call: Call<NoBody>) -> Answer<Wire> {
    Ok(Json(wire(call.application()?)))
}

/// What is empty stays as it is.
async fn update(call: Call<Wire>) -> Answer<Wire> {
    let Wire { description, label, id: _ } = &call.body;
    let change = |app: &mut Application| {
        for (field, new) in [(&mut app.description, description), (&mut app.label, label)] {
            if !new.is_empty() {
                field.clone_from(new);
            }
        }
    };
    let app = call.app.store.change_app(&call.by, &call.application()?.id, change).await?;
    Ok(Json(wire(&app)))
}

async fn delete(call: Call<NoBody>) -> Answer<Wire> {
    let app = call.application()?;
    call.app.store.delete_app(&call.by, &app.id).await?;
    Ok(Json(wire(app)))
}
