//! `package download`: payloads of published packages, verified.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use semver::Version;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use slipway_coreupdate::wire::{Package as Wire, PublicPackageList};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::{Context, bulk};
use crate::client::NOTHING;
use crate::{Client, CtlError};

#[derive(Debug, Args)]
pub(crate) struct Download {
    /// Folder to save to
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Only packages of this application
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// Only this version
    #[arg(long, conflicts_with = "min_version")]
    version: Option<String>,
    /// Only this version and later ones
    #[arg(long)]
    min_version: Option<Version>,
}

impl Download {
    fn wants(&self, app: &str, package: &Wire) -> bool {
        let later = |least: &Version| {
            Version::parse(&package.version).is_ok_and(|version| version >= *least)
        };
        self.app_id.as_ref().is_none_or(|wanted| wanted == app)
            && self.version.as_ref().is_none_or(|wanted| *wanted == package.version)
            && self.min_version.as_ref().is_none_or(later)
    }

    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let list: PublicPackageList =
            client.call("update.app.package.publicList", &[], &[], NOTHING).await?;
        let packages: Vec<Wire> = list
            .items
            .iter()
            .flat_map(|item| {
                item.packages.iter().filter(|package| self.wants(&item.app_id, package))
            })
            .cloned()
            .collect();
        streams.note(&format!("Downloading {} packages.", packages.len()));
        let mut failed = 0;
        for package in &packages {
            match save(client, &self.dir, package).await {
                Ok(path) => streams.note(&format!("saved {}", path.display())),
                Err(error) => {
                    failed += 1;
                    streams.complain(&error);
                }
            }
        }
        let sentence = format!("Packages downloaded. Total={} Errors={failed}", packages.len());
        streams.say(settings, &packages, &sentence)?;
        if failed == 0 { Ok(()) } else { Err(CtlError::Some { failed, total: packages.len() }) }
    }
}

/// Saves a payload and its description. A payload that is not what was described does not stay.
async fn save(client: &Client, folder: &Path, package: &Wire) -> Result<PathBuf, CtlError> {
    let url =
        Url::parse(&package.url).map_err(|_| CtlError::Server { server: package.url.clone() })?;
    let path = folder.join(bulk::payload_name(package));
    let partial = folder.join(format!("{}.partial", bulk::payload_name(package)));
    let fetched = fetch(client, &url, &partial, package).await;
    if fetched.is_err() {
        // It may not even be there; the first failure is what counts.
        let _left_over = fs_err::remove_file(&partial);
    }
    fetched?;
    fs_err::rename(&partial, &path).map_err(CtlError::file("save a payload"))?;
    let description = serde_json::to_string_pretty(package)
        .map_err(|error| CtlError::Print { source: error.into() })?;
    let info = folder.join(format!("{}.{}", bulk::payload_name(package), bulk::INFO));
    fs_err::write(info, description).map_err(CtlError::file("save a description"))?;
    Ok(path)
}

async fn fetch(client: &Client, url: &Url, path: &Path, package: &Wire) -> Result<(), CtlError> {
    let mut response = client.get_foreign(url).await?;
    let mut file =
        fs_err::tokio::File::create(path).await.map_err(CtlError::file("save a payload"))?;
    let (mut sha1, mut sha256, mut size) = (Sha1::new(), Sha256::new(), 0u64);
    let broken = |source| CtlError::Unreachable { server: url.to_string(), source };
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        sha1.update(&chunk);
        sha256.update(&chunk);
        size += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(CtlError::file("save a payload"))?;
    }
    file.sync_all().await.map_err(CtlError::file("save a payload"))?;
    let found = [
        ("size", &package.size, size.to_string()),
        ("SHA-1", &package.sha1_sum, STANDARD.encode(sha1.finalize())),
        ("SHA-256", &package.sha256_sum, STANDARD.encode(sha256.finalize())),
    ];
    for (what, expected, found) in found {
        if !expected.is_empty() && *expected != found {
            return Err(CtlError::Damaged {
                path: path.to_owned(),
                what,
                expected: expected.clone(),
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_chosen_by_application_and_version() {
        let all = Download { dir: ".".into(), app_id: None, version: None, min_version: None };
        let check = |download: &Download, app: &str, version: &str, expected: bool| {
            let package = Wire { version: version.into(), ..Wire::default() };
            assert_eq!(download.wants(app, &package), expected, "{app} {version}");
        };
        check(&all, "e9", "1.2.3", true);
        let one = Download { app_id: Some("e9".into()), version: Some("1.2.3".into()), ..all };
        check(&one, "e9", "1.2.3", true);
        check(&one, "e9", "1.2.4", false);
        check(&one, "f0", "1.2.3", false);
        let later = Download { version: None, min_version: Some(Version::new(1, 10, 0)), ..one };
        check(&later, "e9", "1.10.0", true);
        check(&later, "e9", "1.9.0", false);
        check(&later, "e9", "newest", false);
    }
}
