//! The readers of outside bytes, opened for fuzzing and for nothing else.

use std::io::{self, Read as _};

use camino::Utf8Path;

use crate::{
    FetchedPackage, LockedPackage, SeedError, Sha256Digest, control::paragraphs, deb, index::Index,
    release::Release,
};

/// Reads the first `limit` bytes of both archives of a `.deb`.
///
/// # Errors
/// When the file is none, or cannot be read.
pub fn deb(path: &Utf8Path, limit: u64) -> Result<(), SeedError> {
    let package = LockedPackage {
        name: "fuzz".parse().expect("a name"),
        version: "1".parse().expect("a version"),
        architecture: "all".parse().expect("an architecture"),
        path: "pool/fuzz.deb".into(),
        size: 0,
        sha256: Sha256Digest::of(b""),
    };
    let package = FetchedPackage { package, path: path.to_owned() };
    let (control, data) = deb::open(&package)?;
    for member in [control, data] {
        io::copy(&mut member.take(limit), &mut io::sink())
            .map_err(|error| package.malformed(error))?;
    }
    Ok(())
}

/// Reads a package list.
///
/// # Errors
/// Which package is malformed, and how.
pub fn packages(text: &str) -> Result<usize, String> {
    let mut index = Index::default();
    index.add(text)?;
    // What other packages ask of it.
    for entry in index.entries() {
        assert!(index.get(&entry.name).is_some(), "`{}` is lost", entry.name);
        for (name, _) in &entry.provides {
            index.providers(name);
        }
    }
    Ok(index.entries().count())
}

/// Reads the signed text of a release file, as if its signature had been good.
///
/// # Errors
/// When it is none.
pub fn release(text: &str) -> Result<(), SeedError> {
    Release::of_signed_text(text, "fuzz").map(drop)
}

/// Counts the paragraphs of a control file.
pub fn control(text: &str) -> usize {
    paragraphs(text).count()
}
