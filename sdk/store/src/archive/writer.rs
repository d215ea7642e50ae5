//! Writing tar members, in the one way that there is for each.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::{Member, MemberKind};

pub(super) const BLOCK: usize = 512;
const NAME_MAX: usize = 100;
const OCTAL_7_MAX: u64 = 0o777_7777;
const OCTAL_11_MAX: u64 = 0o777_7777_7777;

/// Writes a tar archive member by member.
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a member. For a regular file the content must yield exactly `member.size` bytes.
    pub fn append(&mut self, member: &Member, content: impl Read) -> io::Result<()> {
        let mut header = header_of(member);
        let records = extended_records(member, &mut header);
        if !records.is_empty() {
            self.append_extended(&records)?;
        }
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        if member.kind == MemberKind::File {
            self.append_content(member.size, content)?;
        }
        Ok(())
    }

    /// Ends the archive and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn append_extended(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        set_bytes(&mut header.as_old_mut().name, b"././@PaxHeader");
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(records.len() as u64);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(records)?;
        self.pad(records.len() as u64)
    }

    fn append_content(&mut self, size: u64, content: impl Read) -> io::Result<()> {
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over == 0 { Ok(()) } else { self.out.write_all(&[0; BLOCK][over..]) }
    }
}

fn header_of(member: &Member) -> Header {
    let mut header = Header::new_ustar();
    let (kind, device) = match &member.kind {
        MemberKind::File => (EntryType::Regular, None),
        MemberKind::HardLink(_) => (EntryType::Link, None),
        MemberKind::Symlink(_) => (EntryType::Symlink, None),
        MemberKind::Directory => (EntryType::Directory, None),
        MemberKind::CharDevice(major, minor) => (EntryType::Char, Some((*major, *minor))),
        MemberKind::BlockDevice(major, minor) => (EntryType::Block, Some((*major, *minor))),
        MemberKind::Fifo => (EntryType::Fifo, None),
    };
    header.set_entry_type(kind);
    header.set_mode(member.mode & 0o7777);
    if let (Some((major, minor)), Some(ustar)) = (device, header.as_ustar_mut()) {
        ustar.set_device_major(major);
        ustar.set_device_minor(minor);
    }
    header
}

/// Fills in what may be too large for the header, and returns the pax records for what is.
fn extended_records(member: &Member, header: &mut Header) -> Vec<u8> {
    let mut records = Vec::new();
    let mut number = |key: &str, value: u64, max: u64| {
        if value > max {
            push_record(&mut records, key.as_bytes(), value.to_string().as_bytes());
        }
        if value > max { 0 } else { value }
    };
    header.set_uid(number("uid", member.uid, OCTAL_7_MAX));
    header.set_gid(number("gid", member.gid, OCTAL_7_MAX));
    header.set_mtime(number("mtime", member.mtime.max(0).unsigned_abs(), OCTAL_11_MAX));
    let size = if member.kind == MemberKind::File { member.size } else { 0 };
    header.set_size(number("size", size, OCTAL_11_MAX));

    let mut path = member.path.clone();
    if member.kind == MemberKind::Directory {
        path.push(b'/');
    }
    if !set_bytes(&mut header.as_old_mut().name, &path) {
        push_record(&mut records, b"path", &path);
    }
    if let MemberKind::HardLink(target) | MemberKind::Symlink(target) = &member.kind
        && !set_bytes(&mut header.as_old_mut().linkname, target)
    {
        push_record(&mut records, b"linkpath", target);
    }
    for (name, value) in &member.xattrs {
        push_record(&mut records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    records
}

/// Puts a text into a header field, cut off when too long. Whether it fits.
fn set_bytes(field: &mut [u8; NAME_MAX], text: &[u8]) -> bool {
    let fits = text.len() <= NAME_MAX;
    let length = text.len().min(NAME_MAX);
    field[..length].copy_from_slice(&text[..length]);
    fits
}

/// Appends `<length> <key>=<value>\n`, where the length counts itself.
fn push_record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Reader;
    use super::*;

    fn member() -> impl Strategy<Value = Member> {
        let name = || {
            prop::collection::vec(1_u8..=255, 1..300).prop_filter_map("plain", |bytes| {
                let path: Vec<u8> =
                    bytes.into_iter().map(|byte| if byte == b'/' { b'_' } else { byte }).collect();
                (!matches!(path.as_slice(), b"." | b"..")).then_some(path)
            })
        };
        let kind = prop_oneof![
            Just(MemberKind::File),
            name().prop_map(MemberKind::HardLink),
            name().prop_map(MemberKind::Symlink),
            Just(MemberKind::Directory),
            (0_u32..4096, 0_u32..100_000).prop_map(|(a, b)| MemberKind::CharDevice(a, b)),
            (0_u32..4096, 0_u32..100_000).prop_map(|(a, b)| MemberKind::BlockDevice(a, b)),
            Just(MemberKind::Fifo),
        ];
        let xattrs = prop::collection::btree_map("user\\.[a-z]{1,8}", any::<Vec<u8>>(), 0..3)
            .prop_map(|map| {
                map.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect()
            });
        (name(), kind, 0_u32..0o10000, any::<u32>(), any::<u32>(), 0..i64::MAX, 0_u64..2000, xattrs)
            .prop_map(|(path, kind, mode, uid, gid, mtime, size, xattrs)| {
                let size = if kind == MemberKind::File { size } else { 0 };
                let (uid, gid) = (uid.into(), gid.into());
                Member { path, kind, mode, uid, gid, mtime, mtime_nanoseconds: 0, size, xattrs }
            })
    }

    proptest! {
        #[test]
        fn members_read_back_as_written(members in prop::collection::vec(member(), 0..8)) {
            let mut writer = Writer::new(Vec::new());
            for member in &members {
                writer.append(member, io::repeat(b'x')).unwrap();
            }
            let bytes = writer.finish().unwrap();
            prop_assert_eq!(bytes.len() % BLOCK, 0);
            let mut reader = Reader::new(&bytes[..]);
            for member in &members {
                let mut entry = reader.next_entry().unwrap().unwrap();
                prop_assert_eq!(entry.member(), member);
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                prop_assert_eq!(content.len() as u64, member.size);
            }
            prop_assert!(reader.next_entry().unwrap().is_none());
        }

        #[test]
        fn record_lengths_count_themselves(key in "[a-z]{1,20}", length in 0_usize..2000) {
            let mut records = Vec::new();
            push_record(&mut records, key.as_bytes(), &vec![b'v'; length]);
            let digits = records.iter().position(|byte| *byte == b' ').unwrap();
            let stated: usize = std::str::from_utf8(&records[..digits]).unwrap().parse().unwrap();
            prop_assert_eq!(stated, records.len());
        }
    }
}
