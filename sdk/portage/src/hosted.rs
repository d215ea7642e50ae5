//! A binary package as a host hands it out: in the form in which Portage takes what it has fetched.

use std::io::{self, Read as _};

use camino::Utf8Path;
use slipway_store::archive::{ArchiveError, MemberKind, Reader, Writer, decompress};

use crate::{PortageError, gpkg::data_line};

/// The metadata of a package is no larger, in bytes.
const LIMIT: u64 = 64 << 20;

/// The member that says what the others are.
const MANIFEST: &str = "Manifest";

/// Writes the package at `gpkg`, one that came out of [`crate::normalise`], to `out` as a host has it: without the folder among
/// its metadata, for which Portage 3.0.83 refuses a package that it fetched (`gpkg._check_metadata_files`). It is not left out where
/// packages are made, because the form of what is kept cannot change without building everything anew.
///
/// # Errors
/// When the file is no such package, or cannot be read or written.
pub fn for_host(gpkg: &Utf8Path, out: &Utf8Path) -> Result<(), PortageError> {
    let repack = |source| PortageError::Repack { path: gpkg.to_owned(), source };
    let failed = |source| PortageError::Archive { path: gpkg.to_owned(), source };
    let mut reader = Reader::new(io::BufReader::new(fs_err::File::open(gpkg).map_err(repack)?));
    let mut writer = Writer::new(io::BufWriter::new(fs_err::File::create(out).map_err(repack)?));
    let mut line = None;
    while let Some(mut entry) = reader.next_entry().map_err(failed)? {
        let mut member = entry.member().clone();
        let path = String::from_utf8_lossy(&member.path).into_owned();
        let (folder, file) = path.split_once('/').unwrap_or_default();
        let changed = match file {
            _ if file.starts_with(METADATA) => {
                let content = files_alone(entry.take(LIMIT)).map_err(failed)?;
                member.path = format!("{folder}/{METADATA}").into_bytes();
                line = Some(data_line(METADATA, &mut &*content).map_err(repack)?);
                content
            }
            MANIFEST => {
                let mut text = String::new();
                entry.take(LIMIT).read_to_string(&mut text).map_err(repack)?;
                // The other members stay what they are.
                let start = format!("DATA {METADATA}");
                let kept: String =
                    text.split_inclusive('\n').filter(|line| !line.starts_with(&start)).collect();
                let line = line.take().ok_or_else(|| PortageError::Malformed {
                    path: gpkg.to_owned(),
                    problem: "it has no metadata before its manifest".to_owned(),
                })?;
                (kept + &line).into_bytes()
            }
            _ => {
                writer.append(&member, &mut entry).map_err(repack)?;
                continue;
            }
        };
        member.size = changed.len() as u64;
        writer.append(&member, &*changed).map_err(repack)?;
    }
    let written =
        writer.finish().and_then(|out| out.into_inner().map_err(|error| error.into_error()));
    written.map(drop).map_err(repack)
}

/// The member with what Portage knows of the package; not compressed, for it is small.
const METADATA: &str = "metadata.tar";

/// An archive with the files of another one, and nothing else.
fn files_alone(archive: impl io::Read) -> Result<Vec<u8>, ArchiveError> {
    let write = |source| ArchiveError::WriteArchive { path: METADATA.into(), source };
    let mut reader = Reader::new(decompress(archive)?);
    let mut writer = Writer::new(Vec::new());
    while let Some(mut entry) = reader.next_entry()? {
        if entry.member().kind == MemberKind::File {
            let member = entry.member().clone();
            writer.append(&member, &mut entry).map_err(write)?;
        }
    }
    writer.finish().map_err(write)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use slipway_store::archive::{Member, UnpackOptions, unpack_file};

    use super::*;

    /// The files of an archive, each with its text.
    fn files(path: &Utf8Path) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        unpack_file(path, dir, &UnpackOptions::for_this_user()).unwrap();
        let mut files: Vec<_> = walkdir::WalkDir::new(dir)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                (name, String::from_utf8_lossy(&fs_err::read(entry.path()).unwrap()).into_owned())
            })
            .collect();
        files.sort();
        files
    }

    fn archive(members: &[(&str, MemberKind, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, kind, content) in members {
            let mut member = Member::file(name, content.len() as u64);
            member.kind = kind.clone();
            writer.append(&member, *content).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn metadata_has_files_alone_and_the_rest_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| Utf8Path::from_path(dir.path()).unwrap().join(name);
        let metadata = archive(&[
            ("metadata", MemberKind::Directory, b""),
            ("metadata/SLOT", MemberKind::File, b"0\n"),
        ]);
        let manifest = "DATA gpkg-1 0 X\nDATA metadata.tar 9 X\nDATA image.tar.zst 5 BLAKE2B b\n";
        let gpkg = archive(&[
            ("less-1/gpkg-1", MemberKind::File, b""),
            ("less-1/metadata.tar", MemberKind::File, &metadata),
            ("less-1/image.tar.zst", MemberKind::File, b"image"),
            ("less-1/Manifest", MemberKind::File, manifest.as_bytes()),
        ]);
        fs_err::File::create(path("in")).unwrap().write_all(&gpkg).unwrap();
        for_host(&path("in"), &path("out")).unwrap();

        let members = files(&path("out"));
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["Manifest", "gpkg-1", "image.tar.zst", "metadata.tar"];
        assert_eq!(names, expected.map(|name| format!("less-1/{name}")));
        assert_eq!(members[2].1, "image");
        let inner = archive(&[("metadata/SLOT", MemberKind::File, b"0\n")]);
        assert_eq!(members[3].1.as_bytes(), inner);
        let line = data_line(METADATA, &mut &*inner).unwrap();
        assert!(line.starts_with(&format!("DATA metadata.tar {} BLAKE2B ", inner.len())), "{line}");
        let expected = format!("DATA gpkg-1 0 X\nDATA image.tar.zst 5 BLAKE2B b\n{line}");
        assert_eq!(members[0].1, expected);
        // What is in that form already stays in it.
        for_host(&path("out"), &path("again")).unwrap();
        assert_eq!(fs_err::read(path("out")).unwrap(), fs_err::read(path("again")).unwrap());
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| Utf8Path::from_path(dir.path()).unwrap().join(name);
        let lacks = archive(&[("less-1/Manifest", MemberKind::File, b"")]);
        for content in [&[1; 700][..], &lacks] {
            fs_err::write(path("in"), content).unwrap();
            assert!(for_host(&path("in"), &path("out")).is_err());
        }
    }
}
