//! Packages.

use axum::Json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{
    Ask, Refusal, Reply, channels,
    wire::{PackageConfig, PackageForm, arch},
};
use crate::{
    coreupdate::Failure,
    ids::{ChannelId, PackageId, hex, new_uuid},
    store::{Package, PackageFile, PackageKind, Role},
};

/// SHA-256 in base64 from hexadecimal; empty for what is none.
pub(super) fn base64_of(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
        .collect();
    bytes.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
}

/// SHA-256 in lower-case hexadecimal, from hexadecimal (Nebraska's extra files) or base64 (its actions).
fn hex_of(name: &str, text: &str) -> Result<String, Failure> {
    let lower = text.to_ascii_lowercase();
    if text.is_empty() || (text.len() == 64 && lower.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Ok(lower);
    }
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(hex(&bytes)),
        _ => Err(Failure::bad(format!("`{name}` is `{text}`, which is no SHA-256"))),
    }
}

/// By what packages are sorted: their version, or what does not parse, first.
pub(super) fn version_order(version: &str) -> Option<semver::Version> {
    semver::Version::parse(version).ok()
}

/// A package with the channels that never give it.
pub(super) async fn form(ask: &Ask, package: &Package) -> Result<PackageForm, Refusal> {
    let catalog = ask.app.store.catalog().await?;
    let channels = catalog.apps.get(&package.app).into_iter().flat_map(|app| app.channels.values());
    let listed = channels.filter(|channel| channel.blacklist.contains(&package.id));
    Ok(PackageForm::new(package, listed.map(|channel| channel.channel.id.to_string()).collect()))
}

fn size(name: &str, text: &str) -> Result<u64, Failure> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| Failure::bad(format!("`{name}` is `{text}`; a length in bytes is expected")))
}

/// Sets in a package what Nebraska knows of one; its application, version and architecture stay.
fn set(package: Package, config: &PackageConfig) -> Result<Package, Failure> {
    let problem = || {
        Failure::bad(format!(
            "`type` is `{}`; 1 (os), 2 (container), 3 (rocket) and 4 (other) are possible",
            config.kind
        ))
    };
    let file = |file: &super::wire::FileForm| {
        Ok(PackageFile {
            name: file.name.clone(),
            size: size("extra_files.size", &file.size)?,
            sha1: file.hash.clone(),
            sha256: hex_of("extra_files.hash256", &file.hash256)?,
            required: false,
        })
    };
    let sha256 = match &config.flatcar_action {
        Some(action) => hex_of("flatcar_action.sha256", &action.sha256)?,
        None => package.sha256.clone(),
    };
    Ok(Package {
        kind: PackageKind::from_number(config.kind).ok_or_else(problem)?,
        url: config.url.clone(),
        file: config.filename.clone(),
        size: size("size", &config.size)?,
        sha1: config.hash.clone(),
        sha256,
        description: config.description.clone(),
        files: config.extra_files.iter().map(file).collect::<Result<_, Failure>>()?,
        ..package
    })
}

/// Makes the blacklists say what the package says.
async fn blacklist(ask: &Ask, package: &Package, wanted: &[String]) -> Result<(), Refusal> {
    let store = &ask.app.store;
    for channel in store.channels(&package.app).await? {
        let listed = store.blacklist(&channel.id).await?.contains(&package.id);
        let want = wanted.iter().any(|id| id == channel.id.as_str());
        match (listed, want) {
            (false, true) => store.blacklist_package(&ask.by, &channel.id, &package.id).await?,
            (true, false) => store.unblacklist_package(&ask.by, &channel.id, &package.id).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Fails for a channel that is not one of the package's application.
async fn check_channels(ask: &Ask, package: &Package, wanted: &[String]) -> Result<(), Refusal> {
    for id in wanted {
        let missing = || Failure::missing("channel", id);
        let channel: ChannelId = id.parse().map_err(|_| missing())?;
        let channel = ask.app.store.channel(&channel).await?;
        channel.filter(|channel| channel.app == package.app).ok_or_else(missing)?;
    }
    Ok(())
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let app = ask.application(Role::Viewer).await?;
    let found = ask.app.store.packages(&app.id, ask.asked("searchVersion"), ask.page()?).await?;
    let mut forms = Vec::new();
    for package in &found.items {
        forms.push(form(&ask, package).await?);
    }
    Ok(Json(json!({ "totalCount": found.total, "count": forms.len(), "packages": forms })))
}

pub(super) async fn create(ask: Ask) -> Reply<PackageForm> {
    let app = ask.application(Role::Operator).await?;
    let config: PackageConfig = ask.body()?;
    let id: PackageId = new_uuid().parse()?;
    let package = set(Package::new(id, app.id, &config.version, arch(config.arch)?), &config)?;
    check_channels(&ask, &package, &config.channels_blacklist).await?;
    ask.app.store.create_package(&ask.by, &package).await?;
    blacklist(&ask, &package, &config.channels_blacklist).await?;
    Ok(Json(form(&ask, &Package { created_at: ask.by.at, ..package }).await?))
}

pub(super) async fn show(ask: Ask) -> Reply<PackageForm> {
    let package = ask.package(Role::Viewer).await?;
    Ok(Json(form(&ask, &package).await?))
}

pub(super) async fn update(ask: Ask) -> Reply<PackageForm> {
    let before = ask.package(Role::Operator).await?;
    let config: PackageConfig = ask.body()?;
    if config.version != before.version || arch(config.arch)? != before.arch {
        return Err(Failure::bad(
            "the version and the architecture of a package cannot change; make another package",
        )
        .into());
    }
    check_channels(&ask, &before, &config.channels_blacklist).await?;
    let change = |package: &mut Package| {
        *package = set(package.clone(), &config)?;
        Ok::<_, Failure>(())
    };
    let package = ask.app.store.change_package(&ask.by, &before.id, change).await?;
    blacklist(&ask, &package, &config.channels_blacklist).await?;
    Ok(Json(form(&ask, &package).await?))
}

pub(super) async fn delete(ask: Ask) -> Result<(), Refusal> {
    let package = ask.package(Role::Operator).await?;
    Ok(ask.app.store.delete_package(&ask.by, &package.id).await?)
}

/// The channels that may not skip a package.
pub(super) async fn floor_channels(ask: Ask) -> Reply<Value> {
    let package = ask.package(Role::Viewer).await?;
    let mut listed = Vec::new();
    for channel in ask.app.store.floor_channels(&package.id).await? {
        let floors = ask.app.store.floors(&channel.id).await?;
        let reason =
            floors.into_iter().find(|floor| floor.package == package.id).map(|floor| floor.reason);
        listed.push(
            json!({ "channel": channels::form(&ask, &channel).await?, "floor_reason": reason }),
        );
    }
    Ok(Json(json!({ "count": listed.len(), "channels": listed })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Arch;

    fn config() -> PackageConfig {
        serde_json::from_value(json!({
            "application_id": "e9", "arch": 1, "channels_blacklist": [], "description": "d", "filename": "update.gz",
            "hash": STANDARD.encode([1; 20]), "size": "12", "url": "https://h/a/", "version": "1.2.3", "type": 1,
            "flatcar_action": { "sha256": STANDARD.encode([2; 32]) },
            "extra_files": [{ "name": "oem.gz", "size": "7", "hash": "", "hash256": "AB".repeat(32) }],
        }))
        .unwrap()
    }

    fn package() -> Package {
        Package::new("p".parse().unwrap(), "e9".parse().unwrap(), "1.2.3", Arch::Amd64)
    }

    #[test]
    fn a_package_is_shown_as_it_was_described() {
        let shown = serde_json::to_value(PackageForm::new(
            &set(package(), &config()).unwrap(),
            vec!["c".into()],
        ))
        .unwrap();
        assert_eq!(shown["flatcar_action"]["sha256"], json!(STANDARD.encode([2; 32])));
        assert_eq!(
            shown["extra_files"],
            json!([{ "id": 1, "name": "oem.gz", "size": "7", "hash": "", "hash256": "ab".repeat(32) }])
        );
        assert_eq!(
            (&shown["type"], &shown["arch"], &shown["size"]),
            (&json!(1), &json!(1), &json!("12"))
        );
        assert_eq!(shown["channels_blacklist"], json!(["c"]));
        assert_eq!(shown.get("is_floor"), None);
    }

    #[test]
    fn nonsense_is_named() {
        let check = |config: PackageConfig, expected: &str| {
            let message = set(package(), &config).unwrap_err().message;
            assert!(message.contains(expected), "{message}");
        };
        check(PackageConfig { kind: 5, ..config() }, "`type`");
        check(PackageConfig { size: "big".into(), ..config() }, "`size`");
        let mut wrong = config();
        wrong.extra_files[0].hash256 = "ab".into();
        check(wrong, "`extra_files.hash256`");
    }

    #[test]
    fn an_action_that_is_left_out_keeps_the_digest() {
        let before = set(package(), &config()).unwrap();
        let after =
            set(before.clone(), &PackageConfig { flatcar_action: None, ..config() }).unwrap();
        assert_eq!(after.sha256, before.sha256);
    }
}
