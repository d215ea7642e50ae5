//! Channels, and how CoreUpdate names them.

use axum::{Json, Router};
use slipway_coreupdate::wire::{AppChannel, ChannelListResp, ChannelRequest};

use super::{Answer, Call, Failure, NoBody, mount};
use crate::{
    app::App,
    ids::{AppId, ChannelId, PackageId, new_uuid},
    store::{Arch, Channel, Package, Store},
};

/// The colour of a channel that CoreUpdate's client makes, which knows no colours.
const COLOR: &str = "#1a6b8f";

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.channel.list", list);
    let router = mount(router, "update.channel.insert", insert);
    let router = mount(router, "update.channel.update", update);
    let router = mount(router, "update.channel.delete", delete);
    mount(router, "update.channel.publicList", list_public)
}

/// The name by which CoreUpdate's clients know a channel.
pub(super) fn name_of(channel: &Channel) -> String {
    match channel.arch {
        Arch::All => channel.label.clone(),
        arch => format!("{}:{arch}", channel.label),
    }
}

/// The channel of a name, among those of an application: exactly, or by its label if only one has it.
pub(super) fn by_name<'a>(channels: &'a [Channel], name: &str) -> Result<&'a Channel, Failure> {
    if let Some(channel) = channels.iter().find(|channel| name_of(channel) == name) {
        return Ok(channel);
    }
    let mut labelled = channels.iter().filter(|channel| channel.label == name);
    match (labelled.next(), labelled.next()) {
        (Some(channel), None) => Ok(channel),
        (Some(first), Some(_)) => Err(Failure::bad(format!(
            "`{name}` is the label of several channels; say which, such as `{}`",
            name_of(first)
        ))),
        (None, _) => Err(Failure::missing("channel", name)),
    }
}

fn wire(channel: &Channel, package: Option<&Package>) -> AppChannel {
    AppChannel {
        app_id: channel.app.to_string(),
        date_created: channel.created_at.to_string(),
        label: name_of(channel),
        publish: channel.publish,
        upstream: channel.upstream.clone(),
        version: package.map(|package| package.version.clone()).unwrap_or_default(),
    }
}

async fn wire_of(store: &Store, channel: &Channel) -> Result<AppChannel, Failure> {
    let package = match &channel.package {
        Some(id) => store.package(id).await?,
        None => None,
    };
    Ok(wire(channel, package.as_ref()))
}

/// The package that a channel shall point to. No version means none.
pub(super) async fn target(
    store: &Store,
    app: &AppId,
    version: &str,
    arch: Arch,
) -> Result<Option<PackageId>, Failure> {
    if version.is_empty() {
        return Ok(None);
    }
    let package = store.package_by_version(app, version, arch).await?;
    Ok(Some(package.ok_or_else(|| Failure::missing("package", version))?.id))
}

async fn list(call: Call<NoBody>) -> Answer<ChannelListResp> {
    let mut items = Vec::new();
    for channel in call.app.store.channels(&call.application()?.id).await? {
        items.push(wire_of(&call.app.store, &channel).await?);
    }
    Ok(Json(ChannelListResp { items }))
}

async fn insert(call: Call<ChannelRequest>) -> Answer<AppChannel> {
    let app = call.application()?.id.clone();
    let ChannelRequest { label, publish, version, .. } = &call.body;
    if label.is_empty() || label.contains([':', '/']) {
        return Err(Failure::bad("a channel needs a `label` without `:` and `/`"));
    }
    let id: ChannelId = new_uuid().parse()?;
    let channel = Channel {
        id,
        package: target(&call.app.store, &app, version, Arch::All).await?,
        app,
        label: label.clone(),
        arch: Arch::All,
        color: COLOR.to_owned(),
        publish: *publish,
        upstream: String::new(),
        created_at: call.by.at,
        changed_at: call.by.at,
    };
    call.app.store.create_channel(&call.by, &channel).await?;
    Ok(Json(wire_of(&call.app.store, &channel).await?))
}

/// No version leaves the channel where it points; no `publish` withdraws it.
async fn update(call: Call<ChannelRequest>) -> Answer<AppChannel> {
    let app = &call.application()?.id;
    let channels = call.app.store.channels(app).await?;
    let channel = by_name(&channels, call.value("label"))?;
    let package = target(&call.app.store, app, &call.body.version, channel.arch).await?;
    let publish = call.body.publish;
    let change = |channel: &mut Channel| {
        channel.publish = publish;
        channel.package = package.or_else(|| channel.package.take());
        Ok::<_, Failure>(())
    };
    let channel = call.app.store.change_channel(&call.by, &channel.id, change).await?;
    Ok(Json(wire_of(&call.app.store, &channel).await?))
}

async fn delete(call: Call<NoBody>) -> Answer<ChannelRequest> {
    let app = &call.application()?.id;
    let channels = call.app.store.channels(app).await?;
    let channel = by_name(&channels, call.value("label"))?;
    let AppChannel { app_id, label, publish, version, .. } =
        wire_of(&call.app.store, channel).await?;
    call.app.store.delete_channel(&call.by, &channel.id).await?;
    Ok(Json(ChannelRequest { app_id, label, publish, version }))
}

async fn list_public(call: Call<NoBody>) -> Answer<ChannelListResp> {
    let catalog = call.app.store.catalog().await?;
    let channels = catalog.apps.values().flat_map(|app| app.channels.values());
    let published = channels.filter(|channel| channel.channel.publish);
    let mut items: Vec<AppChannel> =
        published.map(|channel| wire(&channel.channel, channel.target.as_deref())).collect();
    items.sort_by(|a, b| (&a.app_id, &a.label).cmp(&(&b.app_id, &b.label)));
    Ok(Json(ChannelListResp { items }))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn channel(label: &str, arch: Arch) -> Channel {
        Channel {
            id: new_uuid().parse().unwrap(),
            app: "e9".parse().unwrap(),
            label: label.into(),
            arch,
            color: COLOR.into(),
            package: None,
            publish: false,
            upstream: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_channel_is_found_by_what_it_is_called() {
        let channels = [
            channel("stable", Arch::All),
            channel("stable", Arch::Arm64),
            channel("beta", Arch::Amd64),
            channel("alpha", Arch::Amd64),
            channel("alpha", Arch::Arm64),
        ];
        let check = |name: &str, expected: Result<usize, u16>| {
            let found = by_name(&channels, name).map_err(|failure| failure.status.as_u16());
            assert_eq!(found, expected.map(|index| &channels[index]), "{name}");
        };
        check("stable", Ok(0));
        check("stable:arm64", Ok(1));
        check("beta", Ok(2));
        check("beta:amd64", Ok(2));
        check("beta:arm64", Err(404));
        check("alpha", Err(400));
        check("nightly", Err(404));
        check("", Err(404));
    }
}
