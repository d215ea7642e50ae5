//! Signed releases become packages: the repository is verified from a root that is trusted, and nothing else is read.
//!
//! A repository names channels, releases `CHANNEL/VERSION/ARCH/release.json` and, per channel, `CHANNEL/channel.json` with floors
//! and revoked versions. The server offers what is signed; machines verify the same signatures again, from their own root, so
//! this server can delay an update and never forge one.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use camino::Utf8Path;
use serde::Deserialize;
use sha1::{Digest as _, Sha1};
use slipway_signing::{ClientConfig, FilesystemTransport, Verified};

use crate::{
    ids::{AppId, ChannelId, PackageId, hex, new_uuid},
    store::{
        Application, Arch, By, Channel, Floor, Group, Origin, Package, PackageKind, Store,
        StoreError,
    },
};

/// Where the records are below this server. `{channel}` in a package's file is the label of the channel that gives it.
const FOLDER: &str = "repository/targets/";

/// Why releases were not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The root cannot be read.
    #[error("cannot read the trusted root")]
    Root {
        /// Why not.
        source: std::io::Error,
    },
    /// The folder's path is no URL.
    #[error("`{path}` is no absolute path to a repository")]
    Path {
        /// Which.
        path: String,
    },
    /// The repository is not as signed.
    #[error("the repository is not to be trusted")]
    Verify {
        /// Why not.
        source: slipway_signing::VerifyError,
    },
    /// The database did not take them.
    #[error("cannot keep the releases")]
    Store {
        /// Why not.
        source: StoreError,
    },
}

/// What an import changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// New packages.
    pub packages: usize,
    /// Channels that point to something else now.
    pub channels: usize,
}

/// A release, as its signed name says.
#[derive(Clone, Debug)]
struct Release {
    version: semver::Version,
    name: String,
    sha256: String,
    length: u64,
}

/// What a channel says beyond its releases. Other fields are for other readers.
#[derive(Debug, Default, Deserialize)]
struct Notes {
    #[serde(default)]
    floors: Vec<Note>,
    #[serde(default)]
    revoked: Vec<Note>,
}

#[derive(Debug, Deserialize)]
struct Note {
    version: String,
    #[serde(default)]
    reason: String,
}

/// Verifies the repository, and brings packages and channels of the application up to what it says.
///
/// # Errors
/// When anything is not as signed: nothing is imported then.
pub async fn import(
    store: &Store,
    by: &By,
    folder: &Utf8Path,
    root: &Utf8Path,
    memory: &Utf8Path,
) -> Result<Imported, ImportError> {
    let verified = verify(folder, root, memory).await?;
    let mut by_place: BTreeMap<(String, Arch), Vec<Release>> = BTreeMap::new();
    for (name, target) in verified.targets() {
        let mut parts = name.split('/');
        let (Some(channel), Some(version), Some(arch), Some("release.json"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(version), Ok(arch)) = (version.parse(), arch.parse()) else { continue };
        let release = Release {
            version,
            name: name.to_owned(),
            sha256: hex(&target.hashes.sha256),
            length: target.length,
        };
        by_place.entry((channel.to_owned(), arch)).or_default().push(release);
    }
    let failed = |source| ImportError::Store { source };
    let app = application(store, by).await.map_err(failed)?;
    let mut imported = Imported::default();
    for ((label, arch), mut releases) in by_place {
        releases.sort_by(|one, other| one.version.cmp(&other.version));
        let notes = notes(&verified, &label).await?;
        for release in &releases {
            imported.packages += package(store, by, &verified, &app, arch, release).await?;
        }
        let place = Place { app: &app, label: &label, arch };
        imported.channels += channel(store, by, place, &releases, &notes).await.map_err(failed)?;
    }
    Ok(imported)
}

async fn verify(
    folder: &Utf8Path,
    root: &Utf8Path,
    memory: &Utf8Path,
) -> Result<Verified, ImportError> {
    let read = fs_err::tokio::read(root).await.map_err(|source| ImportError::Root { source })?;
    fs_err::tokio::create_dir_all(memory).await.map_err(|source| ImportError::Root { source })?;
    let url = |part: &str| {
        let path = folder.join(part);
        let absolute = std::path::absolute(&path).ok();
        absolute
            .and_then(|path| url::Url::from_directory_path(path).ok())
            .ok_or_else(|| ImportError::Path { path: path.to_string() })
    };
    let config = ClientConfig {
        root: read,
        metadata: url("metadata")?,
        targets: url("targets")?,
        memory: memory.to_owned(),
    };
    slipway_signing::verify(config, FilesystemTransport)
        .await
        .map_err(|source| ImportError::Verify { source })
}

async fn notes(verified: &Verified, channel: &str) -> Result<Notes, ImportError> {
    let bytes = verified.read(&format!("{channel}/channel.json")).await;
    let bytes = bytes.map_err(|source| ImportError::Verify { source })?;
    let Some(bytes) = bytes else { return Ok(Notes::default()) };
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(channel, %error, "the channel's notes have a form that is not known; it has no floors then");
        Notes::default()
    }))
}

async fn application(store: &Store, by: &By) -> Result<AppId, StoreError> {
    let id: AppId =
        AppId::stored(slipway_omaha::SLIPWAY_APP_ID.trim_matches(['{', '}']).to_ascii_lowercase());
    if store.app(&id).await?.is_none() {
        let app = Application {
            id: id.clone(),
            product_id: Some("io.slipway.host".to_owned()),
            label: "Slipway".to_owned(),
            description: "Hosts that run Slipway Linux".to_owned(),
            created_at: by.at,
        };
        store.create_app(by, &app).await?;
    }
    Ok(id)
}

async fn package(
    store: &Store,
    by: &By,
    verified: &Verified,
    app: &AppId,
    arch: Arch,
    release: &Release,
) -> Result<usize, ImportError> {
    let failed = |source| ImportError::Store { source };
    let version = release.version.to_string();
    if store.package_by_version(app, &version, arch).await.map_err(failed)?.is_some() {
        return Ok(0);
    }
    let bytes =
        verified.read(&release.name).await.map_err(|source| ImportError::Verify { source })?;
    let Some(bytes) = bytes else { return Ok(0) };
    let package = Package {
        kind: PackageKind::Os,
        origin: Origin::Release,
        url: FOLDER.to_owned(),
        file: format!("{{channel}}/{version}/{arch}/release.json"),
        size: release.length,
        sha1: STANDARD.encode(Sha1::digest(&bytes)),
        sha256: release.sha256.clone(),
        description: format!("Slipway {version} for {arch}"),
        ..Package::new(PackageId::stored(new_uuid()), app.clone(), &version, arch)
    };
    store.create_package(by, &package).await.map_err(failed)?;
    Ok(1)
}

/// Which channel.
#[derive(Clone, Copy)]
struct Place<'a> {
    app: &'a AppId,
    label: &'a str,
    arch: Arch,
}

async fn channel(
    store: &Store,
    by: &By,
    place: Place<'_>,
    releases: &[Release],
    notes: &Notes,
) -> Result<usize, StoreError> {
    let Place { app, label, arch } = place;
    let revoked: BTreeSet<&str> = notes.revoked.iter().map(|note| note.version.as_str()).collect();
    let target =
        releases.iter().rfind(|release| !revoked.contains(release.version.to_string().as_str()));
    let target = match target {
        Some(release) => store.package_by_version(app, &release.version.to_string(), arch).await?,
        None => None,
    };
    let package = target.map(|package| package.id);
    let before = store.channel_by_label(app, label, arch).await?;
    let id =
        before.as_ref().map_or_else(|| ChannelId::stored(new_uuid()), |channel| channel.id.clone());
    let moved = match &before {
        None => {
            let channel = Channel {
                id: id.clone(),
                app: app.clone(),
                label: label.to_owned(),
                arch,
                color: "#1a6b8f".to_owned(),
                package,
                publish: true,
                upstream: String::new(),
                created_at: by.at,
                changed_at: by.at,
            };
            store.create_channel(by, &channel).await?;
            group(store, by, place, &id).await?;
            1
        }
        Some(channel) if channel.package != package => {
            let change = |channel: &mut Channel| {
                channel.package = package;
                Ok::<_, StoreError>(())
            };
            store.change_channel(by, &channel.id, change).await?;
            1
        }
        Some(_) => 0,
    };
    note(store, by, place, &id, notes).await?;
    Ok(moved)
}

/// A channel that is new gets a group, so that hosts of it are answered.
async fn group(
    store: &Store,
    by: &By,
    place: Place<'_>,
    channel: &ChannelId,
) -> Result<(), StoreError> {
    let id = format!("{}-{}", place.label, place.arch);
    let Ok(id) = id.parse() else { return Ok(()) };
    if store.group(place.app, &id).await?.is_some() {
        return Ok(());
    }
    let group = Group {
        track: place.label.to_owned(),
        channel: Some(channel.clone()),
        ..Group::new(place.app.clone(), id, &format!("{} {}", place.label, place.arch))
    };
    store.create_group(by, &group).await
}

/// Floors and revoked versions; those that are no longer listed are taken away again.
async fn note(
    store: &Store,
    by: &By,
    place: Place<'_>,
    channel: &ChannelId,
    notes: &Notes,
) -> Result<(), StoreError> {
    let mut floors: BTreeMap<PackageId, &str> = BTreeMap::new();
    for note in &notes.floors {
        if let Some(package) =
            store.package_by_version(place.app, &note.version, place.arch).await?
        {
            floors.insert(package.id, &note.reason);
        }
    }
    let mut never = BTreeSet::new();
    for note in &notes.revoked {
        if let Some(package) =
            store.package_by_version(place.app, &note.version, place.arch).await?
        {
            never.insert(package.id);
        }
    }
    let known = store.floors(channel).await?;
    for floor in known.iter().filter(|floor| !floors.contains_key(&floor.package)) {
        store.remove_floor(by, channel, &floor.package).await?;
    }
    let listed: BTreeSet<PackageId> = store.blacklist(channel).await?.into_iter().collect();
    for package in listed.difference(&never) {
        store.unblacklist_package(by, channel, package).await?;
    }
    for package in never.difference(&listed) {
        store.blacklist_package(by, channel, package).await?;
    }
    for (package, reason) in floors {
        if !known.iter().any(|floor| floor.package == package && floor.reason == reason) {
            let floor = Floor { channel: channel.clone(), package, reason: reason.to_owned() };
            store.set_floor(by, &floor).await?;
        }
    }
    Ok(())
}
