//! Taking over what another server publishes: its packages, and where its channels point.
//!
//! Only applications that are here already are looked at, and only channels that follow this upstream, or are not here yet, are
//! moved: an upstream cannot take over a channel that somebody made here.

use std::{fmt, time::Duration};

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use slipway_coreupdate::{
    find,
    wire::{AppChannel, ChannelListResp, PublicPackageList},
};

use super::{Failure, channels, packages};
use crate::{
    app::App,
    ids::{AppId, new_uuid},
    store::{Arch, By, Channel, Origin, Package, Upstream},
};

/// The longest list that is read, in bytes.
const MAX_LIST: usize = 16 << 20;

/// How long an upstream may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Report {
    packages: u64,
    channels: u64,
    left: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packages, channels, left } = self;
        write!(f, "{packages} packages added, {channels} channels moved, {left} entries left alone")
    }
}

/// Takes over what one upstream publishes.
pub(super) async fn take(app: &App, by: &By, upstream: &Upstream) -> Result<Report, Failure> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        // Whoever runs the upstream must not choose what this server asks.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| unreachable(upstream, &error))?;
    let packages: PublicPackageList =
        fetch(&client, upstream, "update.app.package.publicList").await?;
    let channels: ChannelListResp = fetch(&client, upstream, "update.channel.publicList").await?;
    let mut report = Report::default();
    for item in &packages.items {
        let Some(local) = app.store.find_app(&item.app_id).await? else {
            report.left += 1;
            continue;
        };
        for package in &item.packages {
            if app.store.package_by_version(&local.id, &package.version, Arch::All).await?.is_some()
            {
                continue;
            }
            let package = packages::stored(&local.id, &package.version, package)?;
            app.store.create_package(by, &Package { origin: Origin::Upstream, ..package }).await?;
            report.packages += 1;
        }
    }
    for channel in &channels.items {
        match app.store.find_app(&channel.app_id).await? {
            Some(local) => follow(app, by, upstream, &local.id, channel, &mut report).await?,
            None => report.left += 1,
        }
    }
    Ok(report)
}

/// Lets a channel here point to where the upstream's does.
async fn follow(
    app: &App,
    by: &By,
    upstream: &Upstream,
    local: &AppId,
    theirs: &AppChannel,
    report: &mut Report,
) -> Result<(), Failure> {
    let Some(package) = channels::target(&app.store, local, &theirs.version, Arch::All).await?
    else {
        report.left += 1;
        return Ok(());
    };
    match app.store.channel_by_label(local, &theirs.label, Arch::All).await? {
        Some(ours) if ours.upstream != upstream.id.as_str() => report.left += 1,
        Some(ours) if ours.package.as_ref() == Some(&package) => {}
        Some(ours) => {
            let change = |channel: &mut Channel| {
                channel.package = Some(package);
                Ok::<_, Failure>(())
            };
            app.store.change_channel(by, &ours.id, change).await?;
            report.channels += 1;
        }
        None => {
            let channel = Channel {
                id: new_uuid().parse()?,
                app: local.clone(),
                label: theirs.label.clone(),
                arch: Arch::All,
                color: "#1a6b8f".to_owned(),
                package: Some(package),
                publish: false,
                upstream: upstream.id.to_string(),
                created_at: by.at,
                changed_at: by.at,
            };
            app.store.create_channel(by, &channel).await?;
            report.channels += 1;
        }
    }
    Ok(())
}

async fn fetch<T: DeserializeOwned>(
    client: &reqwest::Client,
    upstream: &Upstream,
    id: &str,
) -> Result<T, Failure> {
    let method = find(id).expect("the names of methods are those of the table");
    let url = format!("{}{}?alt=json", upstream.url, method.expand(&[]));
    let response = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let mut response = response.map_err(|error| unreachable(upstream, &error))?;
    if !response.status().is_success() {
        let text = format!("it does not answer ({}); give its own address", response.status());
        return Err(Failure::new(StatusCode::BAD_GATEWAY, text));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(upstream, &error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_LIST {
            return Err(Failure::new(StatusCode::BAD_GATEWAY, "its list is too long"));
        }
    }
    serde_json::from_slice(&body).map_err(|error| {
        Failure::new(StatusCode::BAD_GATEWAY, format!("its list cannot be read: {error}"))
    })
}

fn unreachable(upstream: &Upstream, error: &reqwest::Error) -> Failure {
    tracing::warn!(url = %upstream.url, error = error as &dyn std::error::Error, "an upstream does not answer");
    let status = error.status().map(|status| format!(" ({status})")).unwrap_or_default();
    Failure::new(StatusCode::BAD_GATEWAY, format!("it does not answer{status}"))
}
