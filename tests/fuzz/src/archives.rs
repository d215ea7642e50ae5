//! Archives: `.deb`, tar, gpkg.

use std::io::{Read as _, Write as _};

use camino::Utf8Path;
use slipway_store::archive::{Member, MemberKind, Owner, Reader, UnpackOptions, Writer, unpack};

use crate::Verdict;

/// More is not read of what an archive unpacks to: a small one can say that it is huge.
const LIMIT: u64 = 1 << 20;

/// Nothing of the file makes the reader panic.
pub(crate) fn deb(bytes: &[u8]) -> Verdict {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Verdict::of(&slipway_seed::fuzz::deb(Utf8Path::from_path(file.path()).unwrap(), LIMIT))
}

/// What is read can be written, and reads as the same again; and what is unpacked stays in its folder.
pub(crate) fn tar(bytes: &[u8]) -> Verdict {
    let Some(members) = members(bytes) else {
        stays_inside(bytes);
        return Verdict::Refused;
    };
    let mut writer = Writer::new(Vec::new());
    for (member, content) in &members {
        writer.append(member, &content[..]).unwrap();
    }
    let written = writer.finish().unwrap();
    let again = self::members(&written).expect("what was written can be read");
    assert_eq!(again.len(), members.len());
    for ((got, content), (expected, same)) in again.iter().zip(&members) {
        assert_eq!((normal(got), content), (normal(expected), same));
    }
    stays_inside(bytes);
    Verdict::Accepted
}

/// What the writer keeps of a member.
fn normal(member: &Member) -> Member {
    Member { mtime_nanoseconds: 0, ..member.clone() }
}

/// Every member with its content, unless the archive is malformed.
fn members(bytes: &[u8]) -> Option<Vec<(Member, Vec<u8>)>> {
    let (mut reader, mut members) = (Reader::new(bytes), Vec::new());
    while let Some(mut entry) = reader.next_entry().ok()? {
        let (member, mut content) = (entry.member().clone(), Vec::new());
        entry.read_to_end(&mut content).ok()?;
        if member.kind == MemberKind::File {
            assert_eq!(content.len() as u64, member.size);
        }
        members.push((member, content));
    }
    Some(members)
}

/// Unpacks beside a file, which must be as it was afterwards, and alone.
fn stays_inside(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let outer = Utf8Path::from_path(dir.path()).unwrap();
    fs_err::write(outer.join("outside"), "as it was").unwrap();
    let _result = unpack(bytes, &outer.join("inside"), &UnpackOptions { owner: Owner::Root });
    let mut names: Vec<_> =
        outer.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["inside", "outside"]);
    assert_eq!(fs_err::read_to_string(outer.join("outside")).unwrap(), "as it was");
}

/// What is normal stays as it is when it is normalised again.
pub(crate) fn gpkg(bytes: &[u8]) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let outer = Utf8Path::from_path(dir.path()).unwrap();
    let (input, first, second) = (outer.join("input"), outer.join("first"), outer.join("second"));
    fs_err::write(&input, bytes).unwrap();
    fs_err::create_dir(&first).unwrap();
    fs_err::create_dir(&second).unwrap();
    let Ok(normal) = slipway_portage::normalise(&input, &first, 1_000_000_000) else {
        return Verdict::Refused;
    };
    let again = slipway_portage::normalise(&normal.gpkg, &second, 1_000_000_000)
        .expect("a normal package can be read");
    for (one, other) in [
        (&normal.gpkg, &again.gpkg),
        (&normal.image, &again.image),
        (&normal.metadata, &again.metadata),
    ] {
        assert!(fs_err::read(one).unwrap() == fs_err::read(other).unwrap(), "{one} differs");
    }
    Verdict::Accepted
}
