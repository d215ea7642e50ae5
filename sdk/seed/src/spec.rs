//! `seed.toml`: what the SDK root is to be made of.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    error::{SeedError, file},
    types::{Architecture, PackageName, Sha256Digest},
};

/// A validated `seed.toml` with the keys that it names.
#[derive(Debug, Clone)]
pub struct SeedSpec {
    /// The Debian suite, by code name.
    pub suite: String,
    /// The architecture of the packages.
    pub architecture: Architecture,
    /// The components of the suite that are looked at.
    pub components: Vec<String>,
    /// The packages that are asked for, sorted; essential ones and dependencies come on top.
    pub packages: Vec<PackageName>,
    /// The Portage release for the setup steps.
    pub portage: PortageSpec,
    /// The keys that may sign the release file.
    pub keys: Vec<KeyFile>,
    digest: Sha256Digest,
}

/// The Portage release, pinned by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortageSpec {
    /// Its version.
    pub version: String,
    /// The digest of its wheel.
    pub sha256: Sha256Digest,
}

/// An armoured OpenPGP public key.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Where it was read, for messages.
    pub path: Utf8PathBuf,
    /// Its text.
    pub armored: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    suite: String,
    architecture: String,
    components: Vec<String>,
    recommends: Recommends,
    keys: Vec<Utf8PathBuf>,
    packages: Vec<String>,
    portage: RawPortage,
}

/// Only one answer exists, but a reader of `seed.toml` should see it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Recommends {
    Never,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPortage {
    version: String,
    sha256: String,
}

impl SeedSpec {
    /// Reads `seed.toml` in this directory, and the keys that it names.
    pub fn load(dir: &Utf8Path) -> Result<Self, SeedError> {
        let path = dir.join("seed.toml");
        let text = fs_err::read_to_string(&path).map_err(file("read", &path))?;
        Self::parse(&text, &path, |key| {
            let path = dir.join(key);
            let armored = fs_err::read_to_string(&path).map_err(file("read", &path))?;
            Ok(KeyFile { path, armored })
        })
    }

    /// Parses the text of a `seed.toml`; `path` is for messages, `read_key` brings the keys that are named.
    pub fn parse(
        text: &str,
        path: &Utf8Path,
        read_key: impl Fn(&Utf8Path) -> Result<KeyFile, SeedError>,
    ) -> Result<Self, SeedError> {
        let raw: RawSpec = toml::from_str(text).map_err(|source| SeedError::ParseToml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let bad = |source| SeedError::BadName { path: path.to_owned(), source };
        let bad_value =
            |key, expected| SeedError::BadValue { path: path.to_owned(), key, expected };
        let Recommends::Never = raw.recommends;
        if !is_plain(&raw.suite) || !raw.components.iter().all(|component| is_plain(component)) {
            return Err(bad_value("suite", "a plain name, and each of `components` too"));
        }
        if raw.components.is_empty() || raw.keys.is_empty() || raw.packages.is_empty() {
            return Err(bad_value(
                "components",
                "a list that is not empty, and `keys` and `packages` too",
            ));
        }
        let mut packages = raw
            .packages
            .iter()
            .map(|name| name.parse())
            .collect::<Result<Vec<PackageName>, _>>()
            .map_err(bad)?;
        packages.sort();
        if packages.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(bad_value("packages", "a list in which no name comes twice"));
        }
        let digest = spec_digest(&raw, &packages);
        Ok(Self {
            architecture: raw.architecture.parse().map_err(bad)?,
            keys: raw.keys.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?,
            portage: PortageSpec {
                version: raw.portage.version,
                sha256: raw.portage.sha256.parse().map_err(bad)?,
            },
            suite: raw.suite,
            components: raw.components,
            packages,
            digest,
        })
    }

    /// The digest of all that decides which packages are locked; comments, order and Portage do not count.
    pub(crate) fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The digest of the keys, in the order of `seed.toml`.
    pub(crate) fn keys_digest(&self) -> Sha256Digest {
        let mut hasher = Sha256::new();
        for key in &self.keys {
            hasher.update(Sha256Digest::of(key.armored.as_bytes()).to_string());
        }
        Sha256Digest::finish(hasher)
    }
}

fn spec_digest(raw: &RawSpec, packages: &[PackageName]) -> Sha256Digest {
    let mut hasher = Sha256::new();
    let fields =
        [&raw.suite, &raw.architecture].into_iter().chain(&raw.components).map(String::as_str);
    for text in fields.chain(["packages"]).chain(packages.iter().map(PackageName::as_str)) {
        hasher.update(text);
        hasher.update("\n");
    }
    Sha256Digest::finish(hasher)
}

/// Whether the text can stand in an address as one path component.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "suite = \"trixie\"\narchitecture = \"amd64\"\ncomponents = [\"main\"]\nrecommends = \"never\"\n\
         keys = [\"k.asc\"]\npackages = [\"make\", \"gcc\"]\n[portage]\nversion = \"3\"\n\
         sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n";

    fn parse(text: &str) -> Result<SeedSpec, String> {
        let read_key =
            |path: &Utf8Path| Ok(KeyFile { path: path.to_owned(), armored: "key".to_owned() });
        SeedSpec::parse(text, "sdk/seed/seed.toml".into(), read_key).map_err(|error| {
            let source =
                std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error}: {source}")
        })
    }

    #[test]
    fn good_spec() {
        let spec = parse(GOOD).unwrap();
        assert_eq!(
            spec.packages.iter().map(PackageName::as_str).collect::<Vec<_>>(),
            ["gcc", "make"]
        );
        assert_eq!(spec.suite, "trixie");
        let commented =
            parse(&format!("# hello\n{}", GOOD.replace("\"make\", \"gcc\"", "\"gcc\", \"make\"")))
                .unwrap();
        assert_eq!(commented.digest(), spec.digest());
        let other = parse(&GOOD.replace("\"make\", ", "")).unwrap();
        assert_ne!(other.digest(), spec.digest());
    }

    #[test]
    fn bad_specs_name_the_file_and_the_key() {
        for (text, part) in [
            (GOOD.replace("suite", "suit"), "unknown field `suit`"),
            (GOOD.replace("[portage]", "[portage"), "line 7"),
            (GOOD.replace("never", "always"), "unknown variant `always`"),
            (GOOD.replace("gcc", "make"), "`packages`"),
            (GOOD.replace("gcc", "Gcc"), "`Gcc` is not a valid package name"),
            (GOOD.replace("trixie", "../x"), "`suite`"),
            (GOOD.replace("[\"main\"]", "[]"), "`components`"),
            (GOOD.replace("e3b0", "zzzz"), "SHA-256"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains("sdk/seed/seed.toml") && error.contains(part), "{error}");
        }
    }
}
