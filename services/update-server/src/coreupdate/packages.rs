//! Packages, and those that anybody may see.

use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use slipway_coreupdate::wire::{
    Package as Wire, PackageList, PublicPackageItem, PublicPackageList,
};

use super::{Answer, Call, Failure, NoBody, mount};
use crate::{
    app::App,
    ids::{AppId, PackageId, hex, new_uuid},
    store::{Arch, Package, Page, Store},
};

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.app.package.list", list);
    let router = mount(router, "update.app.package.insert", insert);
    let router = mount(router, "update.app.package.delete", delete);
    mount(router, "update.app.package.publicList", list_public)
}

/// A package as CoreUpdate shows it: one URL, sums in base64.
pub(super) fn wire(package: &Package) -> Wire {
    let slash = if package.url.is_empty() || package.url.ends_with('/') { "" } else { "/" };
    Wire {
        app_id: package.app.to_string(),
        date_created: package.created_at.to_string(),
        metadata_signature_rsa: package.metadata_signature.clone(),
        metadata_size: package.metadata_size.clone(),
        release_notes: package.release_notes.clone(),
        required: package.required,
        sha1_sum: package.sha1.clone(),
        sha256_sum: unhex(&package.sha256).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default(),
        size: package.size.to_string(),
        url: format!("{}{slash}{}", package.url, package.file),
        version: package.version.clone(),
    }
}

/// The package that a call describes, for all architectures.
pub(super) fn stored(app: &AppId, version: &str, wire: &Wire) -> Result<Package, Failure> {
    let id: PackageId = new_uuid().parse()?;
    let (url, file) = split_url(&wire.url)?;
    let size = wire.size.parse().map_err(|_| {
        Failure::bad(format!("`size` is `{}`; a length in bytes is expected", wire.size))
    })?;
    Ok(Package {
        url,
        file,
        size,
        sha1: wire.sha1_sum.clone(),
        sha256: sha256(&wire.sha256_sum)?,
        metadata_size: wire.metadata_size.clone(),
        metadata_signature: wire.metadata_signature_rsa.clone(),
        release_notes: wire.release_notes.clone(),
        required: wire.required,
        ..Package::new(id, app.clone(), version, Arch::All)
    })
}

/// Splits a URL into the folder, with its slash, and the file. A query stays with the file.
fn split_url(url: &str) -> Result<(String, String), Failure> {
    let bad = |problem| Failure::bad(format!("`url` is `{url}`, which {problem}"));
    let parsed = url::Url::parse(url).map_err(|_| bad("is no URL"))?;
    if !["http", "https"].contains(&parsed.scheme()) {
        return Err(bad("is neither http nor https"));
    }
    let path_end = url.find(['?', '#']).unwrap_or(url.len());
    match url[..path_end].rfind('/') {
        Some(slash) if slash + 1 < path_end && parsed.path().len() > 1 => {
            Ok((url[..=slash].to_owned(), url[slash + 1..].to_owned()))
        }
        _ => Err(bad("names no file")),
    }
}

fn sha256(base64: &str) -> Result<String, Failure> {
    match STANDARD.decode(base64) {
        Ok(bytes) if bytes.is_empty() || bytes.len() == 32 => Ok(hex(&bytes)),
        _ => {
            Err(Failure::bad(format!("`sha256Sum` is `{base64}`; a SHA-256 in base64 is expected")))
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

async fn list(call: Call<NoBody>) -> Answer<PackageList> {
    let app = &call.application()?.id;
    let found = call.app.store.packages(app, call.asked("version"), call.page()?).await?;
    let total = i64::try_from(found.total).unwrap_or(i64::MAX);
    Ok(Json(PackageList { items: found.items.iter().map(wire).collect(), total }))
}

async fn insert(call: Call<Wire>) -> Answer<Wire> {
    let package = stored(&call.application()?.id, call.value("version"), &call.body)?;
    call.app.store.create_package(&call.by, &package).await?;
    Ok(Json(wire(&Package { created_at: call.by.at, ..package })))
}

async fn delete(call: Call<NoBody>) -> Answer<Wire> {
    let app = &call.application()?.id;
    let package = by_version(&call.app.store, app, call.value("version")).await?;
    call.app.store.delete_package(&call.by, &package.id).await?;
    Ok(Json(wire(&package)))
}

/// The package of a version: that for all architectures, else the only one that there is.
async fn by_version(store: &Store, app: &AppId, version: &str) -> Result<Package, Failure> {
    if let Some(package) = store.package_by_version(app, version, Arch::All).await? {
        return Ok(package);
    }
    let found = store.packages(app, Some(version), Page::first(2)).await?;
    let count = found.total;
    match <[Package; 1]>::try_from(found.items) {
        Ok([package]) => Ok(package),
        Err(_) if count == 0 => Err(Failure::missing("package", version)),
        Err(_) => Err(Failure::bad(format!(
            "version `{version}` has packages for {count} architectures, which this API cannot tell apart; use /api/v2"
        ))),
    }
}

/// The packages that published channels point to.
async fn list_public(call: Call<NoBody>) -> Answer<PublicPackageList> {
    let catalog = call.app.store.catalog().await?;
    let mut items = Vec::new();
    for (id, app) in &catalog.apps {
        let published = app.channels.values().filter(|channel| channel.channel.publish);
        let mut packages: Vec<Wire> =
            published.filter_map(|channel| channel.target.as_deref()).map(wire).collect();
        packages.sort_by(|a, b| a.version.cmp(&b.version));
        packages.dedup();
        if !packages.is_empty() {
            items.push(PublicPackageItem { app_id: id.to_string(), packages });
        }
    }
    Ok(Json(PublicPackageList { items }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_url(url: &str, expected: Option<(&str, &str)>) {
        let split = split_url(url).ok();
        assert_eq!(
            split.as_ref().map(|(folder, file)| (folder.as_str(), file.as_str())),
            expected,
            "{url}"
        );
    }

    #[test]
    fn a_url_is_a_folder_and_a_file() {
        check_url("https://h/a/update.gz", Some(("https://h/a/", "update.gz")));
        check_url("http://h:8000/update.gz", Some(("http://h:8000/", "update.gz")));
        check_url("https://h/a/f?sig=a/b", Some(("https://h/a/", "f?sig=a/b")));
        for bad in [
            "",
            "update.gz",
            "https://h",
            "https://h/",
            "https://h/a/",
            "ftp://h/f",
            "file:///etc/passwd",
        ] {
            check_url(bad, None);
        }
    }

    #[test]
    fn sums_change_their_base() {
        let base64 = STANDARD.encode([0xab; 32]);
        assert_eq!(sha256(&base64).unwrap(), "ab".repeat(32));
        assert_eq!(sha256("").unwrap(), "");
        assert!(sha256("AAAA").is_err());
        assert!(sha256("%").is_err());
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }

    #[test]
    fn a_package_is_shown_as_it_was_described() {
        let described = Wire {
            app_id: "e9".into(),
            date_created: "1970-01-01T00:00:00Z".into(),
            metadata_signature_rsa: "c2ln".into(),
            metadata_size: "190".into(),
            release_notes: "new".into(),
            required: true,
            sha1_sum: STANDARD.encode([1; 20]),
            sha256_sum: STANDARD.encode([2; 32]),
            size: "12".into(),
            url: "https://h/a/update.gz".into(),
            version: "1.2.3".into(),
        };
        let app: AppId = "e9".parse().unwrap();
        assert_eq!(wire(&stored(&app, "1.2.3", &described).unwrap()), described);
        assert!(stored(&app, "1.2.3", &Wire { size: "-1".into(), ..described }).is_err());
    }

    proptest! {
        #[test]
        fn any_url_is_split_so_that_its_parts_make_it_again(url in ".{0,40}", tail in "[a-z/?#:.]{0,20}") {
            for url in [url, format!("https://h/{tail}")] {
                if let Ok((folder, file)) = split_url(&url) {
                    prop_assert_eq!(format!("{folder}{file}"), url);
                    prop_assert!(folder.ends_with('/') && !file.is_empty());
                }
            }
        }
    }
}
