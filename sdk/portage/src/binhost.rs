//! A host of binary packages: the index `Packages` that `emerge --getbinpkg` reads (portage(5), "Packages").

use std::{collections::BTreeMap, fmt::Write as _, io::Read};

use camino::Utf8Path;
use sha1::{Digest as _, Sha1};
use slipway_store::archive::Reader;

use crate::{Cpv, PortageError};

/// What Portage's own index says of a package (`bintree`'s `_pkgindex_keys`), besides its name, place and digest, and what it calls
/// otherwise (`_pkgindex_translated_keys`).
const KEYS: [&str; 18] = [
    "BDEPEND",
    "BUILD_ID",
    "BUILD_TIME",
    "CHOST",
    "DEFINED_PHASES",
    "DEPEND",
    "EAPI",
    "IDEPEND",
    "IUSE",
    "KEYWORDS",
    "LICENSE",
    "PDEPEND",
    "PROPERTIES",
    "PROVIDES",
    "RDEPEND",
    "REQUIRES",
    "RESTRICT",
    "SLOT",
];

/// No such file is larger, in bytes.
const LIMIT: u64 = 1 << 20;

/// A binary package of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    cpv: Cpv,
    sha1: String,
    sha256: String,
    size: u64,
    values: BTreeMap<String, String>,
}

impl IndexEntry {
    /// Reads what Portage knows of a package from its metadata ([`crate::Normalised::metadata`]), and the length and the digests of
    /// the file that the host has ([`crate::for_host`]), whose SHA-256 is known. Portage 3 drops all digests but MD5 and SHA-1
    /// from an index (`_pkgindex_hashes`), and refuses a package of which it then has none. They tell a download that broke from
    /// a whole one; whom to believe, no index says.
    ///
    /// # Errors
    /// When the archive or the package cannot be read.
    pub fn read(
        cpv: &Cpv,
        metadata: &Utf8Path,
        gpkg: &Utf8Path,
        sha256: String,
    ) -> Result<Self, PortageError> {
        let unreadable = |source| PortageError::Repack { path: gpkg.to_owned(), source };
        let mut sha1 = Sha1Writer(Sha1::new());
        let mut package = fs_err::File::open(gpkg).map_err(unreadable)?;
        let size = std::io::copy(&mut package, &mut sha1).map_err(unreadable)?;
        let sha1 = sha1.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let repack = |source| PortageError::Repack { path: metadata.to_owned(), source };
        let failed = |source| PortageError::Archive { path: metadata.to_owned(), source };
        let file = fs_err::File::open(metadata).map_err(repack)?;
        let mut reader = Reader::new(std::io::BufReader::new(file));
        let mut values = BTreeMap::new();
        while let Some(entry) = reader.next_entry().map_err(failed)? {
            let path = String::from_utf8_lossy(&entry.member().path).into_owned();
            let name = path.rsplit('/').next().unwrap_or_default();
            let key = match name {
                "DESCRIPTION" => "DESC",
                "repository" => "REPO",
                "USE" => "USE",
                name if KEYS.contains(&name) => name,
                _ => continue,
            };
            let mut text = String::new();
            entry.take(LIMIT).read_to_string(&mut text).map_err(repack)?;
            // One line each.
            let words: Vec<&str> = text.split_whitespace().collect();
            if !words.is_empty() {
                values.insert(key.to_owned(), words.join(" "));
            }
        }
        Ok(Self { cpv: cpv.clone(), sha1, sha256, size, values })
    }

    /// Where it lies, seen from the index. The name has a part of the digest, so that a package that is built anew never takes
    /// the place of one that somebody is fetching.
    pub fn path(&self) -> String {
        let mark = &self.sha256[..self.sha256.len().min(12)];
        format!("{}/{}-{mark}.gpkg.tar", self.cpv.category_and_name(), self.cpv.pf())
    }
}

/// The text of `Packages`. `time` is in seconds since 1970: Portage takes an index with a later one for a new index. `epoch` is the
/// time of the packages: Portage gives it to what it fetches, and without it does not know again what it fetched ahead
/// (`_instance_key`).
pub fn index(arch: &str, time: u64, epoch: u64, entries: &[IndexEntry]) -> String {
    let mut entries: Vec<&IndexEntry> = entries.iter().collect();
    entries.sort_by(|a, b| (&a.cpv, &a.sha256).cmp(&(&b.cpv, &b.sha256)));
    let mut text =
        format!("ARCH: {arch}\nPACKAGES: {}\nTIMESTAMP: {time}\nVERSION: 0\n\n", entries.len());
    for entry in entries {
        let mut lines = entry.values.clone();
        lines.insert("CPV".to_owned(), entry.cpv.to_string());
        lines.insert("MTIME".to_owned(), epoch.to_string());
        lines.insert("PATH".to_owned(), entry.path());
        lines.insert("SHA1".to_owned(), entry.sha1.clone());
        lines.insert("SHA256".to_owned(), entry.sha256.clone());
        lines.insert("SIZE".to_owned(), entry.size.to_string());
        for (key, value) in lines {
            let _infallible = writeln!(text, "{key}: {value}");
        }
        text.push('\n');
    }
    text
}

struct Sha1Writer(Sha1);

impl std::io::Write for Sha1Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use slipway_store::archive::{Member, Writer};

    use super::*;

    fn metadata(files: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(Vec::new());
        for (name, text) in files {
            let member = Member::file(&format!("metadata/{name}"), text.len() as u64);
            writer.append(&member, text.as_bytes()).unwrap();
        }
        fs_err::write(file.path(), writer.finish().unwrap()).unwrap();
        file
    }

    fn entry(cpv: &str, sha256: &str, files: &[(&str, &str)]) -> IndexEntry {
        let file = metadata(files);
        let path = Utf8Path::from_path(file.path()).unwrap();
        let gpkg = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(gpkg.path(), "package").unwrap();
        let gpkg = Utf8Path::from_path(gpkg.path()).unwrap();
        IndexEntry::read(&cpv.parse().unwrap(), path, gpkg, sha256.to_owned()).unwrap()
    }

    #[test]
    fn an_index_says_what_portage_asks_for() {
        let zlib = entry(
            "sys-libs/zlib-1.3-r1",
            "0123456789abcdef",
            &[
                ("SLOT", "0/1\n"),
                ("DESCRIPTION", "Zip\n"),
                ("RDEPEND", "a/b\n  c/d\n"),
                ("USE", "x y\n"),
                ("repository", "slipway\n"),
                ("RESTRICT", "\n"),
                ("environment.bz2", "\u{0}"),
            ],
        );
        let bash = entry("app-shells/bash-5", "ff", &[("EAPI", "8\n")]);
        assert_eq!(
            index("amd64", 9, 5, &[zlib, bash]),
            "ARCH: amd64\nPACKAGES: 2\nTIMESTAMP: 9\nVERSION: 0\n\n\
             CPV: app-shells/bash-5\nEAPI: 8\nMTIME: 5\nPATH: app-shells/bash/bash-5-ff.gpkg.tar\n\
             SHA1: 582681c2eae02b3f3d399c0c26d321560f6c567a\nSHA256: ff\nSIZE: 7\n\n\
             CPV: sys-libs/zlib-1.3-r1\nDESC: Zip\nMTIME: 5\n\
             PATH: sys-libs/zlib/zlib-1.3-r1-0123456789ab.gpkg.tar\nRDEPEND: a/b c/d\n\
             REPO: slipway\nSHA1: 582681c2eae02b3f3d399c0c26d321560f6c567a\n\
             SHA256: 0123456789abcdef\nSIZE: 7\nSLOT: 0/1\nUSE: x y\n\n"
        );
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), [1; 700]).unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        let cpv = "a/b-1".parse().unwrap();
        assert!(IndexEntry::read(&cpv, path, path, "ff".to_owned()).is_err());
    }
}
