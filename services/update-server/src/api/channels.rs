//! Methods about channels, floors and blacklists.

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    call::{Body, Caller, Names, put},
    failure::Failure,
};
use crate::{
    ids::{AppId, ChannelId, PackageId},
    store::{Arch, Channel, Floor, Paged, Role},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    label: Option<String>,
    arch: Option<Arch>,
    color: Option<String>,
    package: Option<PackageId>,
    publish: Option<bool>,
    upstream: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    #[serde(default)]
    reason: String,
}

/// A channel with what it may not skip and never gives.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    channel: Channel,
    floors: Vec<Floor>,
    blacklist: Vec<PackageId>,
}

type InChannel = (String, ChannelId);
type OfPackage = (String, ChannelId, PackageId);

pub(super) async fn list(
    caller: Caller,
    Names(app): Names<String>,
) -> Result<Json<Paged<Channel>>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let items = caller.app.store.channels(&app.id).await?;
    Ok(Json(Paged { total: items.len() as u64, items }))
}

pub(super) async fn create(
    caller: Caller,
    Names(app): Names<String>,
    Body(raw): Body<Raw>,
) -> Result<Json<Channel>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let by = caller.by();
    let Some(label) = raw.label else { return Err(Failure::invalid("a channel needs a label")) };
    let channel = Channel {
        id: crate::ids::new_uuid().parse()?,
        app: app.id,
        label,
        arch: raw.arch.unwrap_or_default(),
        color: raw.color.unwrap_or_else(|| "#1a6b8f".to_owned()),
        package: raw.package,
        publish: raw.publish.unwrap_or(false),
        upstream: raw.upstream.unwrap_or_default(),
        created_at: by.at,
        changed_at: by.at,
    };
    caller.app.store.create_channel(&by, &channel).await?;
    Ok(Json(channel))
}

pub(super) async fn show(
    caller: Caller,
    Names((app, channel)): Names<InChannel>,
) -> Result<Json<Shown>, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Viewer).await?;
    let floors = caller.app.store.floors(&channel.id).await?;
    let blacklist = caller.app.store.blacklist(&channel.id).await?;
    Ok(Json(Shown { channel, floors, blacklist }))
}

pub(super) async fn update(
    caller: Caller,
    Names((app, channel)): Names<InChannel>,
    Body(raw): Body<Raw>,
) -> Result<Json<Channel>, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    let Raw { label, arch, color, package, publish, upstream } = raw;
    if arch.is_some_and(|arch| arch != channel.arch) {
        return Err(Failure::invalid("the architecture of a channel does not change"));
    }
    let change = |channel: &mut Channel| {
        put(&mut channel.label, label);
        put(&mut channel.color, color);
        put(&mut channel.publish, publish);
        put(&mut channel.upstream, upstream);
        channel.package = package.or_else(|| channel.package.take());
        Ok::<_, Failure>(())
    };
    Ok(Json(caller.app.store.change_channel(&caller.by(), &channel.id, change).await?))
}

pub(super) async fn remove(
    caller: Caller,
    Names((app, channel)): Names<InChannel>,
) -> Result<StatusCode, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    caller.app.store.delete_channel(&caller.by(), &channel.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_floor(
    caller: Caller,
    Names((app, channel, package)): Names<OfPackage>,
    Body(Reason { reason }): Body<Reason>,
) -> Result<StatusCode, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    let floor = Floor { channel: channel.id, package, reason };
    caller.app.store.set_floor(&caller.by(), &floor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_floor(
    caller: Caller,
    Names((app, channel, package)): Names<OfPackage>,
) -> Result<StatusCode, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    caller.app.store.remove_floor(&caller.by(), &channel.id, &package).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn forbid(
    caller: Caller,
    Names((app, channel, package)): Names<OfPackage>,
) -> Result<StatusCode, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    caller.app.store.blacklist_package(&caller.by(), &channel.id, &package).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn allow(
    caller: Caller,
    Names((app, channel, package)): Names<OfPackage>,
) -> Result<StatusCode, Failure> {
    let channel = of_app(&caller, &app, &channel, Role::Operator).await?;
    caller.app.store.unblacklist_package(&caller.by(), &channel.id, &package).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A channel, if it is of the application: a role in one application says nothing about another's channels.
async fn of_app(
    caller: &Caller,
    app: &str,
    channel: &ChannelId,
    role: Role,
) -> Result<Channel, Failure> {
    let app: AppId = caller.application(app, role).await?.id;
    let found = caller.app.store.channel(channel).await?.filter(|found| found.app == app);
    found.ok_or_else(|| Failure::not_found("channel", channel))
}
