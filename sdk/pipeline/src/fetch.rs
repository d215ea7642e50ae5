//! Fetching sources: from the first address that gives the right bytes.

use std::{sync::Arc, time::Duration};

use blake2::{Blake2b512, Digest as _};
use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use sha2::Sha512;
use slipway_build::{Outputs, RunContext, RunError, Runner};
use slipway_portage::{DigestText, Distfile, ManifestEntry, Source};
use slipway_store::Ingest;
use tokio::io::AsyncWriteExt as _;

use crate::{PipelineError, Shared, shared::WorkDir};

/// No source has more bytes; it keeps a server that never ends from filling the disk.
const LARGEST: u64 = 4 << 30;

/// Where sources come from.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The base of the host's Debian mirror, for `mirror://debian/…`.
    pub debian: Option<String>,
    /// Certificates to believe besides the usual ones, a PEM file.
    pub ca_bundle: Option<Utf8PathBuf>,
}

/// Why a source cannot be had from one address.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no Debian mirror is known; give one with `--mirror`")]
    NoMirror,
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    #[error("it has more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("it is empty")]
    Empty,
    #[error("it has {got} bytes instead of {expected}")]
    Size { got: u64, expected: u64 },
    #[error("its BLAKE2B digest is {got} instead of {expected}")]
    Digest { got: String, expected: String },
    #[error("the download failed")]
    Http(#[source] reqwest::Error),
    #[error("the file cannot be written")]
    Write(#[source] std::io::Error),
    #[error("nothing arrived for a minute")]
    Stalled,
}

/// Nowhere the right bytes. The log says for each address why.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` cannot be had from any of its addresses: {}", reasons.join("; "))]
struct Nowhere {
    name: String,
    reasons: Vec<String>,
}

/// Fetches one source.
pub struct FetchRunner {
    /// What to fetch.
    pub distfile: Distfile,
    /// The network.
    pub shared: Arc<Shared>,
}

impl Runner for FetchRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (distfile, shared) = (self.distfile.clone(), self.shared.clone());
        Box::pin(async move {
            let work = WorkDir::create(&shared.work, &format!("fetch-{}", cx.key))
                .map_err(|e| RunError::failed("make a work folder", e))?;
            let path = work.path().join("file");
            fetch(&distfile, &shared.network, &path, &cx).await?;
            let store = cx.store.clone();
            let digest =
                tokio::task::spawn_blocking(move || store.put_file(&path, Ingest::Move)).await;
            let digest = digest
                .map_err(|e| RunError::failed("store the source", e))?
                .map_err(|e| RunError::failed("store the source", e))?;
            Ok([("file".to_owned(), digest)].into())
        })
    }
}

/// Downloads `source`, of which nothing is known yet, to `path`. Says what it is, and which address gave it.
///
/// Nothing vouches for the bytes but the server: it is for a person to compare them with what upstream says.
///
/// # Errors
/// [`PipelineError::Source`] when no address gives it.
pub async fn fetch_unknown(
    source: &Source,
    network: &Network,
    path: &Utf8Path,
) -> Result<(ManifestEntry, String), PipelineError> {
    let failed = |reasons| PipelineError::Source { name: source.name.clone(), reasons };
    let client = client(network).map_err(|error| failed(vec![chain(&error)]))?;
    let debian = network.debian.as_deref();
    let take = |received: &ManifestEntry| match received.size {
        0 => Err(FetchError::Empty),
        _ => Ok(()),
    };
    let (url, received) = first(&client, &source.uris, debian, path, LARGEST, &take, &|_| ())
        .await
        .map_err(failed)?;
    Ok((received, url))
}

type Check<'a> = &'a (dyn Fn(&ManifestEntry) -> Result<(), FetchError> + Sync);

/// Downloads from the first address whose bytes pass `check`; else gives the reason of each.
async fn first(
    client: &reqwest::Client,
    uris: &[String],
    debian: Option<&str>,
    path: &Utf8Path,
    limit: u64,
    check: Check<'_>,
    log: &(dyn Fn(&str) + Sync),
) -> Result<(String, ManifestEntry), Vec<String>> {
    let mut reasons = Vec::new();
    for uri in uris {
        for url in addresses(uri, debian) {
            let result = match &url {
                Some(url) => download(client, url, limit, path).await,
                None => Err(FetchError::NoMirror),
            };
            let url = url.unwrap_or_else(|| uri.clone());
            match result.and_then(|received| check(&received).map(|()| received)) {
                Ok(received) => return Ok((url, received)),
                Err(error) => {
                    let reason = format!("{url}: {}", chain(&error));
                    log(&reason);
                    reasons.push(reason);
                }
            }
        }
    }
    Err(reasons)
}

async fn fetch(
    distfile: &Distfile,
    network: &Network,
    path: &Utf8Path,
    cx: &RunContext,
) -> Result<(), RunError> {
    let client = client(network)?;
    let log = |line: &str| drop(cx.log.line(line));
    let check = |received: &ManifestEntry| expect(distfile, received);
    let debian = network.debian.as_deref();
    let found = first(&client, &distfile.uris, debian, path, distfile.size, &check, &log);
    let found = tokio::select! {
        found = found => found,
        () = cx.cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let nowhere = |reasons| Nowhere { name: distfile.name.clone(), reasons };
    let (url, _) = found.map_err(|reasons| RunError::failed("fetch a source", nowhere(reasons)))?;
    log(&format!("{}: fetched from {url}", distfile.name));
    Ok(())
}

/// Whether it is what the Manifest says.
fn expect(distfile: &Distfile, received: &ManifestEntry) -> Result<(), FetchError> {
    let ManifestEntry { size, blake2b, sha512 } = received;
    if *size != distfile.size {
        return Err(FetchError::Size { got: *size, expected: distfile.size });
    }
    for (got, expected) in [(blake2b, &distfile.blake2b), (sha512, &distfile.sha512)] {
        if got != expected {
            let (got, expected) = (got.0.clone(), expected.0.clone());
            return Err(FetchError::Digest { got, expected });
        }
    }
    Ok(())
}

/// The addresses behind an entry of `SRC_URI`. Debian's security updates live beside its main archive until a point release.
fn addresses(uri: &str, debian: Option<&str>) -> Vec<Option<String>> {
    let Some(path) = uri.strip_prefix("mirror://debian/") else {
        return vec![Some(uri.to_owned())];
    };
    let Some(base) = debian.map(|base| base.trim_end_matches('/')) else { return vec![None] };
    let path = path.replace('+', "%2B");
    vec![Some(format!("{base}/{path}")), Some(format!("{base}-security/{path}"))]
}

fn client(network: &Network) -> Result<reqwest::Client, RunError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        RunError::failed("set up the network", error)
    };
    let mut builder =
        reqwest::Client::builder().connect_timeout(Duration::from_secs(20)).user_agent("slipway");
    if let Some(path) = &network.ca_bundle {
        let pem = fs_err::read(path).map_err(|e| failed(e.into()))?;
        for certificate in
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| failed(e.into()))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|e| failed(e.into()))
}

/// Writes what `url` gives to `path`, and stops when it is more than `limit` bytes.
async fn download(
    client: &reqwest::Client,
    url: &str,
    limit: u64,
    path: &Utf8Path,
) -> Result<ManifestEntry, FetchError> {
    let mut response = client.get(url).send().await.map_err(FetchError::Http)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let mut out = tokio::fs::File::create(path).await.map_err(FetchError::Write)?;
    let (mut blake2b, mut sha512, mut size) = (Blake2b512::new(), Sha512::new(), 0_u64);
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(60), response.chunk())
            .await
            .map_err(|_| FetchError::Stalled)?;
        let Some(chunk) = chunk.map_err(FetchError::Http)? else { break };
        size += chunk.len() as u64;
        if size > limit {
            return Err(FetchError::TooLarge { limit });
        }
        blake2b.update(&chunk);
        sha512.update(&chunk);
        out.write_all(&chunk).await.map_err(FetchError::Write)?;
    }
    out.sync_all().await.map_err(FetchError::Write)?;
    let [blake2b, sha512] = [hex(&blake2b.finalize()), hex(&sha512.finalize())].map(DigestText);
    Ok(ManifestEntry { size, blake2b, sha512 })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// An error with all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_sources_come_from_the_hosts_mirror() {
        #[track_caller]
        fn check(uri: &str, debian: Option<&str>, expected: &[Option<&str>]) {
            let addresses = addresses(uri, debian);
            assert_eq!(addresses.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        }
        let uri = "mirror://debian/pool/main/g/glibc/glibc_2.41-12+deb13u4.debian.tar.xz";
        check(
            uri,
            Some("http://mirror.test/debian/"),
            &[
                Some(
                    "http://mirror.test/debian/pool/main/g/glibc/glibc_2.41-12%2Bdeb13u4.debian.tar.xz",
                ),
                Some(
                    "http://mirror.test/debian-security/pool/main/g/glibc/glibc_2.41-12%2Bdeb13u4.debian.tar.xz",
                ),
            ],
        );
        check(uri, None, &[None]);
        check(
            "https://upstream.test/a+b.tar.xz",
            None,
            &[Some("https://upstream.test/a+b.tar.xz")],
        );
    }
}
