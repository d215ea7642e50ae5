//! Downloads: size and digest checked, a few retries for what is known to pass, nothing half-written left behind.

use std::{io::Write as _, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use reqwest::{Certificate, Client, Response};
use sha2::{Digest, Sha256};

use crate::{
    error::{SeedError, blocking, file},
    event::{Events, SeedEvent},
    place,
    types::Sha256Digest,
};

const ATTEMPTS: u32 = 4;

/// The HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
}

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) sha256: Sha256Digest,
}

impl Expected {
    fn check(&self, url: &str, actual: u64, sha256: Sha256Digest) -> Result<(), SeedError> {
        if actual != self.size {
            return Err(SeedError::WrongSize { url: url.to_owned(), expected: self.size, actual });
        }
        if sha256 != self.sha256 {
            return Err(SeedError::WrongDigest {
                url: url.to_owned(),
                expected: self.sha256,
                actual: sha256,
            });
        }
        Ok(())
    }
}

impl Http {
    /// A client that believes the certificates of the host and those in `ca_bundle`.
    pub(crate) fn new(ca_bundle: Option<&Utf8Path>) -> Result<Self, SeedError> {
        let mut builder = Client::builder()
            .user_agent("slipway-seed")
            .connect_timeout(Duration::from_secs(20))
            .read_timeout(Duration::from_secs(60));
        if let Some(path) = ca_bundle {
            let pem = fs_err::read(path).map_err(file("read", path))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|source| SeedError::CaBundle { path: path.to_owned(), source })?;
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { client: builder.build().map_err(|source| SeedError::HttpClient { source })? })
    }

    /// Downloads a small file into memory. Without `expected`, it is believed: the caller checks its signature.
    pub(crate) async fn bytes(
        &self,
        url: &str,
        expected: Option<Expected>,
        events: &dyn Events,
    ) -> Result<Vec<u8>, SeedError> {
        retry(url, events, || async {
            let response = self.get(url).await?;
            let announced = response.content_length();
            let bytes = response.bytes().await.map_err(download_error(url))?;
            let actual = bytes.len() as u64;
            match (expected, announced) {
                (Some(expected), _) => expected.check(url, actual, Sha256Digest::of(&bytes))?,
                (None, Some(expected)) if expected != actual => {
                    return Err(SeedError::WrongSize { url: url.to_owned(), expected, actual });
                }
                (None, _) => {}
            }
            Ok(bytes.to_vec())
        })
        .await
    }

    /// Downloads a file to `target`: beside it first, then checked, synced and renamed.
    pub(crate) async fn file(
        &self,
        url: &str,
        expected: Expected,
        target: &Utf8Path,
        events: &dyn Events,
    ) -> Result<(), SeedError> {
        retry(url, events, || async {
            let dir = target.parent().unwrap_or(Utf8Path::new("."));
            let temporary =
                Temporary(dir.join(format!("tmp-{}", target.file_name().unwrap_or("download"))));
            let handle = self.stream(url, expected, &temporary.0).await?;
            let target = target.to_owned();
            blocking("download", move || {
                handle.sync_all().map_err(file("write", &temporary.0))?;
                fs_err::rename(&temporary.0, &target).map_err(file("write", &target))?;
                place::sync_dir(target.parent().unwrap_or(Utf8Path::new(".")))
            })
            .await
        })
        .await
    }

    async fn stream(
        &self,
        url: &str,
        expected: Expected,
        to: &Utf8Path,
    ) -> Result<fs_err::File, SeedError> {
        let mut response = self.get(url).await?;
        let mut handle = fs_err::File::create(to).map_err(file("write", to))?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(download_error(url))? {
            size += chunk.len() as u64;
            if size > expected.size {
                break;
            }
            hasher.update(&chunk);
            handle.write_all(&chunk).map_err(file("write", to))?;
        }
        expected.check(url, size, Sha256Digest::finish(hasher))?;
        Ok(handle)
    }

    async fn get(&self, url: &str) -> Result<Response, SeedError> {
        let response = self.client.get(url).send().await.map_err(download_error(url))?;
        if !response.status().is_success() {
            return Err(SeedError::HttpStatus {
                url: url.to_owned(),
                status: response.status().as_u16(),
            });
        }
        Ok(response)
    }
}

/// A file that is removed unless it was renamed, also when the download is cancelled.
struct Temporary(Utf8PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing to remove.
        drop(fs_err::remove_file(&self.0));
    }
}

fn download_error(url: &str) -> impl FnOnce(reqwest::Error) -> SeedError {
    let url = url.to_owned();
    // The address is named once, by our own error.
    move |source| SeedError::Download { url, source: source.without_url() }
}

/// Tries again what passes by itself: broken connections, truncated bodies, a busy server. A wrong digest does not.
async fn retry<T, F>(
    url: &str,
    events: &dyn Events,
    attempt: impl Fn() -> F,
) -> Result<T, SeedError>
where
    F: Future<Output = Result<T, SeedError>>,
{
    let mut tries = 1;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let passes = match &error {
            SeedError::Download { source, .. } => !source.is_builder(),
            SeedError::WrongSize { expected, actual, .. } => actual < expected,
            SeedError::HttpStatus { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        };
        if !passes || tries == ATTEMPTS {
            return Err(error);
        }
        events.event(SeedEvent::Retrying { url: url.to_owned(), reason: error.to_string() });
        tokio::time::sleep(Duration::from_millis(250 << tries)).await;
        tries += 1;
    }
}
