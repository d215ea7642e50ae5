//! The `.deb` format: an `ar` archive of a version, a control archive and a data archive.

use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Take};

use crate::{
    error::{SeedError, file},
    fetch::FetchedPackage,
};

/// A decompressed tar archive of a package.
pub(crate) type Member = Box<dyn Read + Send>;

/// Opens the control archive and the data archive of a package file.
pub(crate) fn open(deb: &FetchedPackage) -> Result<(Member, Member), SeedError> {
    let members = list(deb)?;
    if members.first().is_none_or(|member| member.name != "debian-binary") {
        return Err(deb.malformed("its first member is not `debian-binary`"));
    }
    let find =
        |kind: &str| members.iter().find(|member| member.name.split('.').next() == Some(kind));
    let control = find("control").ok_or_else(|| deb.malformed("it has no control archive"))?;
    let data = find("data").ok_or_else(|| deb.malformed("it has no data archive"))?;
    Ok((control.open(deb)?, data.open(deb)?))
}

struct Position {
    name: String,
    start: u64,
    size: u64,
}

impl Position {
    fn open(&self, deb: &FetchedPackage) -> Result<Member, SeedError> {
        let path = &deb.path;
        let mut handle = fs_err::File::open(path).map_err(file("open", path))?;
        handle.seek(SeekFrom::Start(self.start)).map_err(file("read", path))?;
        let packed: Take<_> = BufReader::with_capacity(1 << 16, handle).take(self.size);
        let compression = self.name.split_once(".tar").map_or("", |(_, ending)| ending);
        Ok(match compression {
            ".xz" => Box::new(liblzma::bufread::XzDecoder::new(packed)),
            ".gz" => Box::new(flate2::bufread::GzDecoder::new(packed)),
            ".zst" => Box::new(zstd::Decoder::with_buffer(packed).map_err(file("read", path))?),
            "" => Box::new(packed),
            other => return Err(deb.malformed(format!("its compression `{other}` is not known"))),
        })
    }
}

fn list(deb: &FetchedPackage) -> Result<Vec<Position>, SeedError> {
    let path = &deb.path;
    let mut handle = fs_err::File::open(path).map_err(file("open", path))?;
    let length = handle.metadata().map_err(file("read", path))?.len();
    let mut magic = [0; 8];
    read_all(&mut handle, &mut magic, deb)?;
    if &magic != b"!<arch>\n" {
        return Err(deb.malformed("it is no `ar` archive"));
    }
    let (mut members, mut at) = (Vec::new(), 8);
    while at < length {
        let mut header = [0; 60];
        handle.seek(SeekFrom::Start(at)).map_err(file("read", path))?;
        read_all(&mut handle, &mut header, deb)?;
        let text = |range| std::str::from_utf8(&header[range]).unwrap_or("").trim_end();
        let size: u64 =
            text(48..58).parse().map_err(|_| deb.malformed("the size of a member is no number"))?;
        if &header[58..] != b"`\n" || at + 60 + size > length {
            return Err(deb.malformed("a member is cut off or has no proper header"));
        }
        members.push(Position {
            name: text(0..16).trim_end_matches('/').to_owned(),
            start: at + 60,
            size,
        });
        at += 60 + size + size % 2;
    }
    Ok(members)
}

fn read_all(
    handle: &mut impl Read,
    into: &mut [u8],
    deb: &FetchedPackage,
) -> Result<(), SeedError> {
    handle.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => deb.malformed("it is cut off"),
        _ => file("read", &deb.path)(error),
    })
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::{LockedPackage, Sha256Digest};

    fn check(bytes: &[u8], expected: &str) {
        let temporary = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(temporary.path()).unwrap();
        fs_err::write(path, bytes).unwrap();
        let package = LockedPackage {
            name: "tool".parse().unwrap(),
            version: "1".parse().unwrap(),
            architecture: "all".parse().unwrap(),
            path: "pool/tool.deb".into(),
            size: 1,
            sha256: Sha256Digest::of(bytes),
        };
        let error =
            open(&FetchedPackage { package, path: path.to_owned() }).err().unwrap().to_string();
        assert!(
            error.starts_with("the file of `tool`, `/") && error.ends_with(expected),
            "{error}"
        );
    }

    fn member(name: &str, size: &str) -> Vec<u8> {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes()
    }

    #[test]
    fn malformed_files_are_named() {
        let with = |parts: &[&[u8]]| [&[b"!<arch>\n".as_slice()], parts].concat().concat();
        let version = [&member("debian-binary", "4"), b"2.0\n".as_slice()].concat();
        check(b"!<ar", "it is cut off");
        check(b"#!/bin/sh\nexit", "it is no `ar` archive");
        check(&with(&[]), "its first member is not `debian-binary`");
        check(&with(&[&version]), "it has no control archive");
        check(
            &with(&[&member("debian-binary", "9"), b"2.0\n"]),
            "is cut off or has no proper header",
        );
        check(
            &with(&[&member("debian-binary", "x"), b"2.0\n"]),
            "the size of a member is no number",
        );
        let (control, data) = (member("control.tar.lzma", "0"), member("data.tar", "0"));
        check(&with(&[&version, &control, &data]), "its compression `.lzma` is not known");
    }
}
