//! Thin Manifests: what the sources of a package must be, byte for byte (GLEP 74, of which only `DIST` lines remain).
//!
//! The text is a function of what it says: one line per source, in the order of their names. So two people who add the same
//! source write the same file.

use std::{collections::BTreeMap, fmt};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{DigestText, PortageError, Source};

/// What a source must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE2b-512.
    pub blake2b: DigestText,
    /// SHA-512.
    pub sha512: DigestText,
}

/// The Manifest of a package: an entry for each of its sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(BTreeMap<String, ManifestEntry>);

impl Manifest {
    /// Reads a Manifest. `path` is for messages.
    ///
    /// # Errors
    /// [`PortageError::Manifest`] for a line that is not a `DIST` line with exactly BLAKE2B and SHA512, or that names a source again.
    pub fn parse(path: &Utf8Path, text: &str) -> Result<Self, PortageError> {
        let mut entries = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let malformed = |problem: String| PortageError::Manifest {
                path: path.to_owned(),
                line: number + 1,
                problem,
            };
            let (name, entry) = parse_line(line).map_err(malformed)?;
            if entries.insert(name.to_owned(), entry).is_some() {
                return Err(malformed(format!("`{name}` is named twice")));
            }
        }
        Ok(Self(entries))
    }

    /// Reads the Manifest at `path`; one that is not there is empty.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), or when the file cannot be read.
    pub fn load(path: &Utf8Path) -> Result<Self, PortageError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs_err::read_to_string(path).map_err(|source| overlay(path, source))?;
        Self::parse(path, &text)
    }

    /// Writes the Manifest to `path`, in one step; a package without sources has none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Utf8Path) -> Result<(), PortageError> {
        let aside = Utf8PathBuf::from(format!("{path}.new"));
        let write = || {
            if !self.0.is_empty() {
                fs_err::write(&aside, self.to_string())?;
                return fs_err::rename(&aside, path);
            }
            if path.exists() { fs_err::remove_file(path) } else { Ok(()) }
        };
        write().map_err(|source| overlay(path, source))
    }

    /// What the source `name` must be.
    pub fn get(&self, name: &str) -> Option<&ManifestEntry> {
        self.0.get(name)
    }

    /// Adds a source, or replaces what was known of it.
    pub fn insert(&mut self, name: &str, entry: ManifestEntry) {
        self.0.insert(name.to_owned(), entry);
    }

    /// The names of the sources, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is to be done so that the Manifest names exactly `sources`. What is known of a source stays as it is.
    pub fn plan(mut self, sources: &[Source]) -> ManifestPlan {
        let missing = sources.iter().filter(|source| self.get(&source.name).is_none());
        let missing = missing.cloned().collect();
        let unused = |name: &&str| !sources.iter().any(|source| source.name == **name);
        let unused: Vec<_> = self.names().filter(unused).map(str::to_owned).collect();
        self.0.retain(|name, _| !unused.contains(name));
        ManifestPlan { kept: self, missing, unused }
    }
}

/// The way from a Manifest to that of other sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPlan {
    /// What is known and stays.
    pub kept: Manifest,
    /// What has to be downloaded to know its digests.
    pub missing: Vec<Source>,
    /// What no ebuild of the package names any more.
    pub unused: Vec<String>,
}

impl ManifestPlan {
    /// Whether the Manifest already says what it should.
    pub fn is_done(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, ManifestEntry { size, blake2b, sha512 }) in &self.0 {
            writeln!(f, "DIST {name} {size} BLAKE2B {} SHA512 {}", blake2b.0, sha512.0)?;
        }
        Ok(())
    }
}

fn overlay(path: &Utf8Path, source: std::io::Error) -> PortageError {
    PortageError::Overlay { path: path.to_owned(), source }
}

fn parse_line(line: &str) -> Result<(&str, ManifestEntry), String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let [kind, name, size, "BLAKE2B", blake2b, "SHA512", sha512] = words[..] else {
        return Err("a line is `DIST name size BLAKE2B digest SHA512 digest`".to_owned());
    };
    if kind != "DIST" {
        return Err(format!("`{kind}` is not for thin Manifests"));
    }
    if name.contains('/') {
        return Err(format!("`{name}` is not the name of a file"));
    }
    let size = size.parse().map_err(|_| format!("`{size}` is not a size"))?;
    Ok((name, ManifestEntry { size, blake2b: digest(blake2b)?, sha512: digest(sha512)? }))
}

/// Both digests have 512 bits.
fn digest(text: &str) -> Result<DigestText, String> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if text.len() == 128 && text.chars().all(hex) {
        return Ok(DigestText(text.to_owned()));
    }
    Err(format!("`{text}` is not a digest of 512 bits"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(size: u64, digit: char) -> ManifestEntry {
        let text = DigestText(digit.to_string().repeat(128));
        ManifestEntry { size, blake2b: text.clone(), sha512: text }
    }

    fn parse(text: &str) -> Result<Manifest, PortageError> {
        Manifest::parse(Utf8Path::new("a/b/Manifest"), text)
    }

    #[test]
    fn every_manifest_of_the_repository_is_as_it_would_be_written() {
        let overlay = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../overlays/slipway");
        let mut seen = 0;
        for entry in walkdir::WalkDir::new(&overlay) {
            let path = Utf8PathBuf::from_path_buf(entry.unwrap().into_path()).unwrap();
            if path.file_name() != Some("Manifest") {
                continue;
            }
            let text = fs_err::read_to_string(&path).unwrap();
            assert_eq!(Manifest::parse(&path, &text).unwrap().to_string(), text, "{path}");
            seen += 1;
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn malformed_lines_are_named() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
        let good = "a".repeat(128);
        let line = format!("DIST a.tar 1 BLAKE2B {good} SHA512 {good}\n");
        check(&format!("{line}{line}"), "`a/b/Manifest`, line 2: `a.tar` is named twice");
        let shape =
            "`a/b/Manifest`, line 1: a line is `DIST name size BLAKE2B digest SHA512 digest`";
        check(&line.replace(" 1 ", " "), shape);
        check(&line.replace("BLAKE2B", "MD5"), shape);
        check(
            &line.replace("DIST", "AUX"),
            "`a/b/Manifest`, line 1: `AUX` is not for thin Manifests",
        );
        check(&line.replace(" 1 ", " -1 "), "`a/b/Manifest`, line 1: `-1` is not a size");
        check(
            &line.replace("a.tar", "../a"),
            "`a/b/Manifest`, line 1: `../a` is not the name of a file",
        );
        check(
            &line.replacen(&good, "ABC", 1),
            "`a/b/Manifest`, line 1: `ABC` is not a digest of 512 bits",
        );
    }

    #[test]
    fn a_plan_keeps_what_is_known_and_drops_what_is_not_used() {
        let source = |name: &str| Source { name: name.to_owned(), uris: Vec::new() };
        let mut present = Manifest::default();
        present.insert("old.tar", entry(1, 'a'));
        present.insert("same.tar", entry(2, 'b'));
        let plan = present.clone().plan(&[source("same.tar"), source("new.tar")]);
        assert!(!plan.is_done());
        assert_eq!(plan.missing, [source("new.tar")]);
        assert_eq!(plan.unused, ["old.tar"]);
        assert_eq!(plan.kept.names().collect::<Vec<_>>(), ["same.tar"]);
        assert_eq!(plan.kept.get("same.tar"), present.get("same.tar"));
        assert!(plan.kept.plan(&[source("same.tar")]).is_done());
    }

    #[test]
    fn a_manifest_without_entries_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("Manifest");
        Manifest::default().save(&path).unwrap();
        assert!(!path.exists());
        let mut manifest = Manifest::default();
        manifest.insert("a.tar", entry(7, 'c'));
        manifest.save(&path).unwrap();
        assert_eq!(Manifest::load(&path).unwrap(), manifest);
        Manifest::default().save(&path).unwrap();
        assert_eq!(path.parent().unwrap().read_dir_utf8().unwrap().count(), 0);
        assert_eq!(Manifest::load(&path).unwrap(), Manifest::default());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            names in prop::collection::btree_map("[a-z][a-z0-9+_.-]{0,12}", (any::<u64>(), prop::char::range('a', 'f')), 0..6),
        ) {
            let mut manifest = Manifest::default();
            // The order in which sources are added does not matter.
            for (name, (size, digit)) in names.iter().rev() {
                manifest.insert(name, entry(*size, *digit));
            }
            prop_assert_eq!(parse(&manifest.to_string()).unwrap(), manifest);
        }

        #[test]
        fn no_text_is_too_odd(text in "(DIST |[a-f0-9]{0,130}|BLAKE2B|SHA512|[ \n]|\\PC){0,40}") {
            if let Ok(manifest) = parse(&text) {
                prop_assert_eq!(parse(&manifest.to_string()).unwrap(), manifest);
            }
        }
    }
}
