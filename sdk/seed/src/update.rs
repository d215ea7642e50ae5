//! Makes a new lock from the mirror's signed release.

use camino::Utf8PathBuf;

use crate::{
    error::{SeedError, blocking},
    event::{Events, SeedEvent},
    http::Http,
    index::Index,
    lock::SeedLock,
    mirrors::Mirror,
    release::Release,
    resolve::resolve,
    spec::SeedSpec,
};

/// How to make a new lock.
#[derive(Debug, Clone)]
pub struct UpdateOptions {
    /// The mirror to read.
    pub mirror: Mirror,
    /// Certificates to believe instead of the host's own.
    pub ca_bundle: Option<Utf8PathBuf>,
    /// The present time in seconds since 1970, to tell expired keys.
    pub now: u64,
}

/// A new lock, and where it came from.
#[derive(Debug, Clone)]
pub struct UpdateReport {
    /// The new lock, not yet written: [`SeedLock::save`] does that.
    pub lock: SeedLock,
    /// The suite's own version, for example `13.1`.
    pub release: String,
    /// The fingerprint of the key that signed the release.
    pub signer: String,
}

/// Resolves what `seed.toml` asks for against the mirror's present release, and verifies that release.
pub async fn update(
    spec: &SeedSpec,
    options: &UpdateOptions,
    events: &dyn Events,
) -> Result<UpdateReport, SeedError> {
    let http = Http::new(options.ca_bundle.as_deref())?;
    let (release, index) = read_index(spec, &options.mirror, options.now, &http, events).await?;
    let closure = resolve(&index, &spec.packages)?;
    let lock = SeedLock {
        epoch: release.epoch,
        spec: spec.digest(),
        keys: spec.keys_digest(),
        packages: closure.into_values().map(|entry| (entry.name.clone(), entry.locked())).collect(),
    };
    Ok(UpdateReport { lock, release: release.version, signer: release.signer })
}

/// The mirror's package lists, believed because the release file that is signed has their digests.
pub(crate) async fn read_index(
    spec: &SeedSpec,
    mirror: &Mirror,
    now: u64,
    http: &Http,
    events: &dyn Events,
) -> Result<(Release, Index), SeedError> {
    let url = mirror.url(&format!("dists/{}/InRelease", spec.suite));
    let bytes = http.bytes(&url, None, events).await?;
    let text = String::from_utf8(bytes)
        .map_err(|_| SeedError::BadIndex { url: url.clone(), why: "it is not text".to_owned() })?;
    let release = Release::verify(&text, &url, spec, now)?;
    events.event(SeedEvent::ReleaseVerified {
        version: release.version.clone(),
        signer: release.signer.clone(),
    });
    let mut index = Index::default();
    for component in &spec.components {
        let path = format!("{component}/binary-{}/Packages.xz", spec.architecture);
        let expected = release.file(&path, &url)?;
        let url = mirror.url(&format!("dists/{}/{path}", spec.suite));
        let packed = http.bytes(&url, Some(expected), events).await?;
        index = blocking("package list", move || add_list(index, &packed, &url)).await?;
    }
    Ok((release, index))
}

fn add_list(mut index: Index, packed: &[u8], url: &str) -> Result<Index, SeedError> {
    let bad = |why: String| SeedError::BadIndex { url: url.to_owned(), why };
    let text = std::io::read_to_string(liblzma::read::XzDecoder::new(packed))
        .map_err(|error| bad(error.to_string()))?;
    index.add(&text).map_err(bad)?;
    Ok(index)
}
