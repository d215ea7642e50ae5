//! Following another Omaha server, such as that of a distribution: its versions become packages here, its floors become floors,
//! and a channel here points to where it points.
//!
//! Concepts:
//! - [`SyncSettings`], [`Feed`]: which server, and which of its tracks.
//! - `ask`: what is asked, and what an answer offers. No I/O.
//! - `payload`: files that are fetched, verified, and kept to be given from here.
//! - [`PayloadKey`]: the key that they are signed by; without one, that is the hosts' to check.
//!
//! The upstream proposes. Only applications that are here already are followed, only channels that were made for this upstream
//! are moved, and only forward; a version that is here already with another digest is left as it is. When unsure, a channel
//! stays where it is: hosts that wait are better off than hosts with what nobody checked.

mod ask;
mod error;
mod payload;
mod settings;
mod signature;

use std::time::Duration;

use slipway_omaha::{MAX_DOCUMENT, Response};

pub use error::SyncError;
pub(crate) use settings::feeds as sync_feeds;
pub use settings::{Feed, Payloads, SyncSettings};
pub use signature::{KeyError, PayloadKey, SignatureError};

use crate::{
    app::App,
    ids::{AppId, ChannelId, PackageId, new_uuid},
    store::{By, Channel, Floor, Package, StoreError},
};
use ask::Offer;

/// How long the upstream may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What following a track came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Packages that are new.
    pub packages: usize,
    /// Whether the channel points to another version.
    pub moved: bool,
}

/// Follows all tracks again and again, until the server ends.
pub async fn sync_often(app: App) {
    let Some(settings) = &app.config.sync else { return };
    let mut ticks = app.ticks(Duration::from_secs(settings.interval));
    while ticks.next().await.is_some() {
        for feed in &settings.feeds {
            match sync(&app, settings, feed).await {
                Ok(done) if done == Synced::default() => {}
                Ok(done) => {
                    tracing::info!(%feed, packages = done.packages, moved = done.moved, "followed the upstream");
                }
                Err(error) => {
                    tracing::error!(%feed, error = %crate::chain(&error), "cannot follow the upstream; the channel stays where it is");
                }
            }
        }
    }
}

/// Follows one track: asks what is newer than what is here, and takes it over.
///
/// # Errors
/// When the upstream does not answer or offers what does not hold; the channel stays where it is then. Packages that were taken
/// over before the error stay.
pub async fn sync(app: &App, settings: &SyncSettings, feed: &Feed) -> Result<Synced, SyncError> {
    let local = app.store.find_app(feed.app.as_str()).await?;
    let local = local.ok_or_else(|| SyncError::App { app: feed.app.to_string() })?.id;
    let channel = app.store.channel_by_label(&local, &feed.track, feed.arch).await?;
    if channel.as_ref().is_some_and(|channel| channel.upstream != settings.url.as_str()) {
        return Err(SyncError::Foreign { channel: feed.track.clone() });
    }
    let now = match channel.as_ref().and_then(|channel| channel.package.as_ref()) {
        Some(package) => app.store.package(package).await?,
        None => None,
    };
    let version = now.map_or_else(|| ask::NONE.to_owned(), |package| package.version);
    let answer = asked(settings, &ask::request(feed, &version, settings.url.as_str())?).await?;
    let offers = ask::offers(&answer, &version)?;
    if offers.is_empty() {
        return Ok(Synced::default());
    }
    let by = By { who: "upstream".to_owned(), ..By::system(app.clock.now()) };
    let mut synced = Synced::default();
    let mut ids = Vec::with_capacity(offers.len());
    for offer in &offers {
        let (id, new) = package(app, settings, &by, &local, feed, offer).await?;
        synced.packages += usize::from(new);
        ids.push(id);
    }
    let channel = match channel {
        Some(channel) => channel.id,
        None => make_channel(app, &by, &local, settings, feed).await?,
    };
    synced.moved = point(app, &by, &channel, &offers, &ids).await?;
    Ok(synced)
}

/// The answer of the upstream.
async fn asked(
    settings: &SyncSettings,
    request: &slipway_omaha::Request,
) -> Result<Response, SyncError> {
    let failed = |source: reqwest::Error| SyncError::Unreachable { source: source.without_url() };
    // Whoever runs the upstream must not choose what this server asks.
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)?;
    let sent = client
        .post(settings.url.clone())
        .header(reqwest::header::CONTENT_TYPE, "text/xml")
        .body(request.to_xml());
    let mut answer = sent.send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(SyncError::Status { status: answer.status() });
    }
    let mut document = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        document.extend_from_slice(&chunk);
        if document.len() > MAX_DOCUMENT {
            return Err(SyncError::TooLong);
        }
    }
    Response::parse(&document).map_err(|source| SyncError::Answer { source })
}

/// The package of an offer, and whether it is new here.
async fn package(
    app: &App,
    settings: &SyncSettings,
    by: &By,
    local: &AppId,
    feed: &Feed,
    offer: &Offer,
) -> Result<(PackageId, bool), SyncError> {
    if let Some(known) = app.store.package_by_version(local, &offer.version, feed.arch).await? {
        return match offer.is(&known) {
            true => Ok((known.id, false)),
            false => Err(SyncError::Other { version: offer.version.clone() }),
        };
    }
    let url = match &settings.payloads {
        Payloads::Link => offer.codebases[0].clone(),
        Payloads::Host { .. } => payload::host(app, feed, offer, settings.key()?.as_ref()).await?,
    };
    let id = PackageId::stored(new_uuid());
    let package = offer.package(Package::new(id, local.clone(), &offer.version, feed.arch), url);
    app.store.create_package(by, &package).await?;
    Ok((package.id, true))
}

async fn make_channel(
    app: &App,
    by: &By,
    local: &AppId,
    settings: &SyncSettings,
    feed: &Feed,
) -> Result<ChannelId, SyncError> {
    let channel = Channel {
        id: ChannelId::stored(new_uuid()),
        app: local.clone(),
        label: feed.track.clone(),
        arch: feed.arch,
        color: "#1a6b8f".to_owned(),
        package: None,
        publish: false,
        upstream: settings.url.to_string(),
        created_at: by.at,
        changed_at: by.at,
    };
    app.store.create_channel(by, &channel).await?;
    Ok(channel.id)
}

/// Sets the floors, then lets the channel point to the last offer; whether that is news.
async fn point(
    app: &App,
    by: &By,
    channel: &ChannelId,
    offers: &[Offer],
    ids: &[PackageId],
) -> Result<bool, SyncError> {
    let known = app.store.floors(channel).await?;
    for (offer, id) in offers.iter().zip(ids) {
        let Some(reason) = offer.floor.clone() else { continue };
        if known.iter().all(|floor| floor.package != *id) {
            let floor = Floor { channel: channel.clone(), package: id.clone(), reason };
            app.store.set_floor(by, &floor).await?;
        }
    }
    let Some(target) = ids.last().cloned() else { return Ok(false) };
    let mut moved = false;
    let change = |channel: &mut Channel| {
        moved = channel.package.as_ref() != Some(&target);
        channel.package = Some(target);
        Ok::<_, StoreError>(())
    };
    app.store.change_channel(by, channel, change).await?;
    Ok(moved)
}
