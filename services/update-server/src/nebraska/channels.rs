//! Channels and their floors.

use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ask, Refusal, Reply, apps, packages,
    wire::{ChannelConfig, ChannelForm, arch},
};
use crate::{
    coreupdate::Failure,
    ids::{AppId, ChannelId, PackageId, new_uuid},
    store::{Channel, Floor, Role},
};

/// The channels of an application with their packages.
pub(super) async fn forms(ask: &Ask, app: &AppId) -> Result<Vec<ChannelForm>, Refusal> {
    let mut forms = Vec::new();
    for channel in ask.app.store.channels(app).await? {
        forms.push(form(ask, &channel).await?);
    }
    Ok(forms)
}

/// A channel with its package.
pub(super) async fn form(ask: &Ask, channel: &Channel) -> Result<ChannelForm, Refusal> {
    let package = match &channel.package {
        Some(id) => ask.app.store.package(id).await?,
        None => None,
    };
    let package = match package {
        Some(package) => Some(packages::form(ask, &package).await?),
        None => None,
    };
    Ok(ChannelForm::new(channel, package))
}

fn package_of(config: &ChannelConfig) -> Result<Option<PackageId>, Refusal> {
    Ok(config.package_id.as_ref().filter(|id| !id.is_empty()).map(|id| id.parse()).transpose()?)
}

fn checked(config: &ChannelConfig) -> Result<(), Refusal> {
    if config.name.trim().is_empty() || config.name.len() > 50 || config.color.len() > 32 {
        return Err(Failure::bad("`name` has 1 to 50 bytes, `color` up to 32").into());
    }
    Ok(())
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let app = ask.application(Role::Viewer).await?;
    let channels = ask.app.store.channels(&app.id).await?;
    let mut forms = Vec::new();
    for channel in apps::part(&channels, ask.page()?) {
        forms.push(form(&ask, channel).await?);
    }
    Ok(Json(json!({ "totalCount": channels.len(), "count": forms.len(), "channels": forms })))
}

pub(super) async fn create(ask: Ask) -> Reply<ChannelForm> {
    let app = ask.application(Role::Operator).await?;
    let config: ChannelConfig = ask.body()?;
    checked(&config)?;
    let id: ChannelId = new_uuid().parse()?;
    let channel = Channel {
        id,
        app: app.id,
        package: package_of(&config)?,
        arch: arch(config.arch)?,
        label: config.name,
        color: config.color,
        publish: false,
        upstream: String::new(),
        created_at: ask.by.at,
        changed_at: ask.by.at,
    };
    ask.app.store.create_channel(&ask.by, &channel).await?;
    Ok(Json(form(&ask, &channel).await?))
}

pub(super) async fn show(ask: Ask) -> Reply<ChannelForm> {
    let channel = ask.channel(Role::Viewer).await?;
    Ok(Json(form(&ask, &channel).await?))
}

/// The architecture of a channel does not change.
pub(super) async fn update(ask: Ask) -> Reply<ChannelForm> {
    let channel = ask.channel(Role::Operator).await?;
    let config: ChannelConfig = ask.body()?;
    checked(&config)?;
    let package = package_of(&config)?;
    let change = |channel: &mut Channel| {
        channel.package = package;
        channel.label = config.name;
        channel.color = config.color;
        Ok::<_, Failure>(())
    };
    let channel = ask.app.store.change_channel(&ask.by, &channel.id, change).await?;
    Ok(Json(form(&ask, &channel).await?))
}

pub(super) async fn delete(ask: Ask) -> Result<(), Refusal> {
    let channel = ask.channel(Role::Operator).await?;
    Ok(ask.app.store.delete_channel(&ask.by, &channel.id).await?)
}

pub(super) async fn floors(ask: Ask) -> Reply<Value> {
    let channel = ask.channel(Role::Viewer).await?;
    let mut forms = Vec::new();
    for floor in ask.app.store.floors(&channel.id).await? {
        if let Some(package) = ask.app.store.package(&floor.package).await? {
            let mut form = packages::form(&ask, &package).await?;
            form.is_floor = Some(true);
            form.floor_reason = Some(floor.reason);
            forms.push(form);
        }
    }
    forms.sort_by_cached_key(|form| packages::version_order(&form.version));
    let page = ask.page()?;
    let pages = forms.len().div_ceil(usize::try_from(page.limit).unwrap_or(usize::MAX)).max(1);
    let part = apps::part(&forms, page);
    let current = page.skip / page.limit + 1;
    Ok(Json(
        json!({ "packages": part, "current_page": current, "last_page": pages, "total_count": forms.len() }),
    ))
}

/// Why a package is a floor.
#[derive(Debug, Default, Deserialize)]
struct FloorConfig {
    #[serde(default)]
    floor_reason: Option<String>,
}

pub(super) async fn set_floor(ask: Ask) -> Result<(), Refusal> {
    let channel = ask.channel(Role::Operator).await?;
    let package = ask.package(Role::Operator).await?;
    let FloorConfig { floor_reason } = ask.body_or_default()?;
    let reason = floor_reason.unwrap_or_default();
    if reason.len() > 500 {
        return Err(Failure::bad("`floor_reason` has up to 500 bytes").into());
    }
    let floor = Floor { channel: channel.id, package: package.id, reason };
    Ok(ask.app.store.set_floor(&ask.by, &floor).await?)
}

pub(super) async fn remove_floor(ask: Ask) -> Result<(), Refusal> {
    let channel = ask.channel(Role::Operator).await?;
    let package = ask.package(Role::Operator).await?;
    Ok(ask.app.store.remove_floor(&ask.by, &channel.id, &package.id).await?)
}
