//! `seed.lock`: the exact files of an SDK root. Generated, committed, read by people in reviews: one line per package.

use std::{collections::BTreeMap, fmt::Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use crate::{
    error::{SeedError, file},
    place,
    spec::SeedSpec,
    types::{Architecture, PackageName, Sha256Digest},
    version::DebVersion,
};

const FORMAT: u32 = 1;

/// The exact files of an SDK root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedLock {
    /// When the release was made, in seconds since 1970: no file in the root has a later time.
    pub epoch: u64,
    pub(crate) spec: Sha256Digest,
    pub(crate) keys: Sha256Digest,
    pub(crate) packages: BTreeMap<PackageName, LockedPackage>,
}

/// One package file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The package's name.
    pub name: PackageName,
    /// Its version.
    pub version: DebVersion,
    /// Its architecture, or `all`.
    pub architecture: Architecture,
    /// Where it is below the mirror's address.
    pub path: Utf8PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    format: u32,
    epoch: u64,
    spec: String,
    keys: String,
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPackage {
    name: String,
    version: String,
    architecture: String,
    path: Utf8PathBuf,
    size: u64,
    sha256: String,
}

impl SeedLock {
    /// Reads the lock file.
    pub fn load(path: &Utf8Path) -> Result<Self, SeedError> {
        let text = fs_err::read_to_string(path).map_err(file("read", path))?;
        Self::parse(&text, path)
    }

    /// Parses the text of a lock file; `path` is for messages.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<Self, SeedError> {
        let raw: RawLock = toml::from_str(text).map_err(|source| SeedError::ParseToml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if raw.format != FORMAT {
            return Err(SeedError::BadValue {
                path: path.to_owned(),
                key: "format",
                expected: "1",
            });
        }
        let bad = |source| SeedError::BadName { path: path.to_owned(), source };
        let mut packages = BTreeMap::new();
        for raw in raw.packages {
            let package = LockedPackage {
                name: raw.name.parse().map_err(bad)?,
                version: raw.version.parse().map_err(bad)?,
                architecture: raw.architecture.parse().map_err(bad)?,
                sha256: raw.sha256.parse().map_err(bad)?,
                size: raw.size,
                path: raw.path,
            };
            if !is_pool_path(&package.path) {
                let expected = "a path below the mirror, without `..`";
                return Err(SeedError::BadValue { path: path.to_owned(), key: "path", expected });
            }
            if packages.insert(package.name.clone(), package).is_some() {
                let expected = "a list in which no name comes twice";
                return Err(SeedError::BadValue {
                    path: path.to_owned(),
                    key: "packages",
                    expected,
                });
            }
        }
        Ok(Self {
            epoch: raw.epoch,
            spec: raw.spec.parse().map_err(bad)?,
            keys: raw.keys.parse().map_err(bad)?,
            packages,
        })
    }

    /// The text of the lock file: the same lock always gives the same bytes.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Made by `cargo xtask sdk update` from seed.toml. Do not edit.\n\
             format = {FORMAT}\nepoch = {}\nspec = \"{}\"\nkeys = \"{}\"\npackages = [\n",
            self.epoch, self.spec, self.keys
        );
        for LockedPackage { name, version, architecture, path, size, sha256 } in
            self.packages.values()
        {
            writeln!(
                text,
                "  {{ name = \"{name}\", version = \"{version}\", architecture = \"{architecture}\", \
                 path = \"{path}\", size = {size}, sha256 = \"{sha256}\" }},"
            )
            .expect("writing to a string cannot fail");
        }
        text.push_str("]\n");
        text
    }

    /// Writes the lock file in one step.
    pub fn save(&self, path: &Utf8Path) -> Result<(), SeedError> {
        place::write_atomically(path, self.to_text().as_bytes())
    }

    /// The packages, sorted by name.
    pub fn packages(&self) -> impl ExactSizeIterator<Item = &LockedPackage> {
        self.packages.values()
    }

    /// Fails when the lock was made from another specification or other keys.
    pub(crate) fn check_made_from(&self, spec: &SeedSpec) -> Result<(), SeedError> {
        if self.spec != spec.digest() {
            return Err(SeedError::LockOutOfDate { what: "seed.toml" });
        }
        if self.keys != spec.keys_digest() {
            return Err(SeedError::LockOutOfDate { what: "set of keys" });
        }
        Ok(())
    }
}

/// Whether the path can be put behind a mirror's address and into TOML quotes as it is.
pub(crate) fn is_pool_path(path: &Utf8Path) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"/+-._~%:".contains(&b);
    path.is_relative()
        && path.as_str().bytes().all(good)
        && path.components().all(|part| matches!(part, camino::Utf8Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> SeedLock {
        let package = LockedPackage {
            name: "gcc-14".parse().unwrap(),
            version: "1:14.2-1~x".parse().unwrap(),
            architecture: "amd64".parse().unwrap(),
            path: "pool/main/g/gcc-14_14.2-1~x_amd64.deb".into(),
            size: 7,
            sha256: Sha256Digest::of(b"x"),
        };
        SeedLock {
            epoch: 5,
            spec: Sha256Digest::of(b"s"),
            keys: Sha256Digest::of(b"k"),
            packages: BTreeMap::from([(package.name.clone(), package)]),
        }
    }

    #[test]
    fn text_round_trips() {
        let lock = lock();
        assert_eq!(SeedLock::parse(&lock.to_text(), "seed.lock".into()).unwrap(), lock);
        assert_eq!(lock.to_text().lines().count(), 8);
    }

    #[test]
    fn bad_locks_are_refused() {
        let text = lock().to_text();
        for (from, to) in [
            ("format = 1", "format = 2"),
            ("epoch", "epok"),
            ("pool/main", "../main"),
            ("pool/main", "/main"),
            ("size = 7", "size = -7"),
            ("packages = [", "packages = [ {}, "),
        ] {
            let error =
                SeedLock::parse(&text.replace(from, to), "sdk/seed.lock".into()).unwrap_err();
            assert!(error.to_string().contains("sdk/seed.lock"), "{error}");
        }
    }
}
