//! Brings the locked package files into the cache, each under its digest.

use camino::Utf8PathBuf;
use futures::{StreamExt as _, stream};
use sha2::{Digest, Sha256};

use crate::{
    error::{SeedError, blocking, file},
    event::{Events, FetchedFrom, SeedEvent},
    http::{Expected, Http},
    lock::LockedPackage,
    mirrors::Mirror,
    place::Place,
    types::Sha256Digest,
};

/// More connections only make the mirror slower.
const AT_ONCE: usize = 8;

/// A package file in the cache that has the locked size and digest.
#[derive(Debug, Clone)]
pub struct FetchedPackage {
    pub(crate) package: LockedPackage,
    pub(crate) path: Utf8PathBuf,
}

impl FetchedPackage {
    /// Says what is malformed in the file.
    pub(crate) fn malformed(&self, why: impl ToString) -> SeedError {
        SeedError::BadPackage {
            package: self.package.name.clone(),
            path: self.path.clone(),
            why: why.to_string(),
        }
    }
}

/// Fetches one package after the other, several at a time, and hands each over as soon as it is there.
pub(crate) async fn fetch_all(
    packages: Vec<LockedPackage>,
    place: &Place,
    mirror: &Mirror,
    http: &Http,
    done: tokio::sync::mpsc::Sender<FetchedPackage>,
    events: &dyn Events,
) -> Result<(), SeedError> {
    let fetches =
        packages.into_iter().map(|package| fetch_one(package, place, mirror, http, events));
    let mut fetches = stream::iter(fetches).buffer_unordered(AT_ONCE);
    while let Some(fetched) = fetches.next().await {
        // A receiver that is gone has an error of its own to tell.
        if done.send(fetched?).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn fetch_one(
    package: LockedPackage,
    place: &Place,
    mirror: &Mirror,
    http: &Http,
    events: &dyn Events,
) -> Result<FetchedPackage, SeedError> {
    let path = place.deb(package.sha256);
    let expected = Expected { size: package.size, sha256: package.sha256 };
    let from = if in_cache(path.clone(), expected).await? {
        FetchedFrom::Cache
    } else {
        let url = mirror.url(package.path.as_str());
        http.file(&url, expected, &path, events).await.map_err(|error| gone(error, &package))?;
        FetchedFrom::Mirror
    };
    events.event(SeedEvent::Fetched { package: package.name.clone(), bytes: package.size, from });
    Ok(FetchedPackage { package, path })
}

fn gone(error: SeedError, package: &LockedPackage) -> SeedError {
    match error {
        SeedError::HttpStatus { status: 404 | 410, .. } => SeedError::VersionGone {
            package: package.name.clone(),
            locked: package.version.to_string(),
            available: None,
        },
        other => other,
    }
}

/// Whether the cache has the right bytes. A damaged file is removed.
async fn in_cache(path: Utf8PathBuf, expected: Expected) -> Result<bool, SeedError> {
    blocking("check of a cached package", move || {
        let mut handle = match fs_err::File::open(&path) {
            Ok(handle) => handle,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(file("open", path)(error)),
        };
        let mut hasher = Hasher(Sha256::new());
        let size = std::io::copy(&mut handle, &mut hasher).map_err(file("read", &path))?;
        if size == expected.size && Sha256Digest::finish(hasher.0) == expected.sha256 {
            return Ok(true);
        }
        fs_err::remove_file(&path).map_err(file("remove", path))?;
        Ok(false)
    })
    .await
}

struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
