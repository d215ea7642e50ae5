//! Files that are fetched from where the upstream says, verified, and kept below `/packages/`. What does not hold is not kept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use camino::Utf8Path;
use reqwest::Client;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::{io, time::Duration};
use tokio::io::AsyncWriteExt as _;

use super::{Feed, PayloadKey, SignatureError, SyncError, ask::Offer};
use crate::{
    app::App,
    ids::{hex, new_uuid},
    store::PackageFile,
};

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may send nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Fetches and verifies the files of an offer; gives the folder that they are in now, relative to this server.
pub(super) async fn host(
    app: &App,
    feed: &Feed,
    offer: &Offer,
    key: Option<&PayloadKey>,
) -> Result<String, SyncError> {
    let keep = |source: io::Error| SyncError::Keep { source };
    let missing = || keep(io::Error::other("`packages` names no folder"));
    let packages = app.config.packages.as_ref().ok_or_else(missing)?;
    // Two versions of one name would be another folder: the digest is part of it.
    let digest = offer.files[0].sha256.get(..16).unwrap_or_default();
    let name = format!("{}-{}-{digest}", offer.version, feed.arch);
    let folder = packages.join(&name);
    fs_err::tokio::create_dir_all(&folder).await.map_err(keep)?;
    let client = Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|source| SyncError::Unreachable { source })?;
    for file in &offer.files {
        let aside = folder.join(format!(".{}", new_uuid()));
        let fetched = from_any(&client, offer, file, &aside).await;
        let verified = match (fetched, key) {
            (Ok(()), Some(key)) => signed(key, file, &aside).await,
            (fetched, _) => fetched,
        };
        if let Err(error) = verified {
            // What is left of it would be in nobody's way; the error is what counts.
            let _left_over = fs_err::tokio::remove_file(&aside).await;
            return Err(error);
        }
        fs_err::tokio::rename(&aside, folder.join(&file.name)).await.map_err(keep)?;
    }
    Ok(format!("packages/{name}/"))
}

/// Whether a file is signed by the key.
async fn signed(key: &PayloadKey, file: &PackageFile, path: &Utf8Path) -> Result<(), SyncError> {
    let keep = |source: io::Error| SyncError::Keep { source };
    let (key, path) = (key.clone(), path.to_owned());
    let verify = move || fs_err::File::open(path).map(|mut payload| key.verify(&mut payload));
    let verified = tokio::task::spawn_blocking(verify).await.map_err(io::Error::other);
    let verified = verified.flatten().map_err(keep)?;
    verified.map_err(|source| match source {
        SignatureError::Read { source } => keep(source),
        source => SyncError::Signature { file: file.name.clone(), source },
    })
}

/// Fetches a file from the first address that has it as it should be.
async fn from_any(
    client: &Client,
    offer: &Offer,
    file: &PackageFile,
    path: &Utf8Path,
) -> Result<(), SyncError> {
    let mut last = wrong(file, "nobody has it");
    for codebase in &offer.codebases {
        let slash = if codebase.ends_with('/') { "" } else { "/" };
        match fetch(client, &format!("{codebase}{slash}{}", file.name), file, path).await {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn fetch(
    client: &Client,
    url: &str,
    file: &PackageFile,
    path: &Utf8Path,
) -> Result<(), SyncError> {
    let failed = |source: reqwest::Error| SyncError::Unreachable { source };
    let keep = |source: io::Error| SyncError::Keep { source };
    let mut answer = client.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(SyncError::Status { status: answer.status() });
    }
    let mut out = fs_err::tokio::File::create(path).await.map_err(keep)?;
    let mut sums = Sums::default();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        sums.add(&chunk);
        if sums.size > file.size {
            return Err(wrong(file, "it is longer"));
        }
        out.write_all(&chunk).await.map_err(keep)?;
    }
    sums.check(file)?;
    out.sync_all().await.map_err(keep)
}

/// What a file comes to.
#[derive(Default)]
struct Sums {
    size: u64,
    sha1: Sha1,
    sha256: Sha256,
}

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha1.update(bytes);
        self.sha256.update(bytes);
    }

    fn check(self, file: &PackageFile) -> Result<(), SyncError> {
        let sha1 = STANDARD.encode(self.sha1.finalize());
        let sha256 = hex(&self.sha256.finalize());
        if self.size != file.size {
            return Err(wrong(file, "it has another length"));
        }
        if file.sha256.is_empty() && file.sha1.is_empty() {
            return Err(wrong(file, "it has no digest, so nobody can say what it is"));
        }
        if !file.sha256.is_empty() && sha256 != file.sha256 {
            return Err(wrong(file, "its SHA-256 differs"));
        }
        if !file.sha1.is_empty() && sha1 != file.sha1 {
            return Err(wrong(file, "its SHA-1 differs"));
        }
        Ok(())
    }
}

fn wrong(file: &PackageFile, problem: &'static str) -> SyncError {
    SyncError::Payload { file: file.name.clone(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_length_and_digests_say() {
        let whole = PackageFile {
            name: "update.gz".to_owned(),
            size: 3,
            sha1: "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=".to_owned(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
            required: true,
        };
        let check = |file: &PackageFile, text: &str, expected: Option<&str>| {
            let mut sums = Sums::default();
            text.as_bytes().chunks(2).for_each(|chunk| sums.add(chunk));
            let error = sums.check(file).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(error, None),
                Some(part) => {
                    assert!(
                        error.as_deref().is_some_and(|error| error.contains(part)),
                        "{error:?}"
                    );
                }
            }
        };
        check(&whole, "abc", None);
        check(&whole, "abd", Some("its SHA-256 differs"));
        check(&whole, "ab", Some("another length"));
        let only_sha1 = PackageFile { sha256: String::new(), ..whole.clone() };
        check(&only_sha1, "abc", None);
        check(&only_sha1, "abd", Some("its SHA-1 differs"));
        check(&PackageFile { sha1: String::new(), ..only_sha1 }, "abc", Some("no digest"));
    }
}
