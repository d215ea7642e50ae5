//! Reading tar members: ustar, GNU long names and pax extended headers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use tar::{EntryType, Header};

use super::writer::BLOCK;
use super::{ArchiveError, Member, MemberKind, display_path};

/// Long names and extended attributes are held in memory; nothing sensible is larger.
const EXTENSION_MAX: u64 = 4 * 1024 * 1024;

/// Reads a tar archive member by member.
pub struct Reader<R> {
    input: R,
    unread: u64,
    padding: u64,
    ended: bool,
}

/// A member of which the content can be read.
pub struct Entry<'a, R> {
    member: Member,
    reader: &'a mut Reader<R>,
}

/// Undoes the compression that the first bytes tell of: zstd or none.
pub fn decompress<'a>(input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, ArchiveError> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let failed = |source| ArchiveError::ReadArchive { source };
    if input.fill_buf().map_err(failed)?.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::Decoder::with_buffer(input).map_err(failed)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(input))
}

#[derive(Default)]
struct Extensions {
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// Begins to read an uncompressed archive.
    pub fn new(input: R) -> Self {
        Self { input, unread: 0, padding: 0, ended: false }
    }

    /// The next member, or `None` at the end. What was not read of the one before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, R>>, ArchiveError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_rest()?;
            let Some(header) = self.read_header()? else { return Ok(None) };
            let size = header.entry_size().map_err(|_| malformed("a size is not a number"))?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    extensions.long_path = Some(text(self.read_extension(size)?));
                }
                EntryType::GNULongLink => {
                    extensions.long_link = Some(text(self.read_extension(size)?));
                }
                EntryType::XHeader => extensions.pax = parse_pax(&self.read_extension(size)?)?,
                // Defaults for all members; in practice a comment.
                EntryType::XGlobalHeader => self.begin_content(size)?,
                _ => {
                    let member = member_of(&header, extensions, size)?;
                    self.begin_content(member.size)?;
                    return Ok(Some(Entry { member, reader: self }));
                }
            }
        }
    }

    fn begin_content(&mut self, size: u64) -> Result<(), ArchiveError> {
        let padded = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| malformed("a size is too large"))?;
        (self.unread, self.padding) = (size, padded - size);
        Ok(())
    }

    fn skip_rest(&mut self) -> Result<(), ArchiveError> {
        let rest = self.unread + self.padding;
        let skipped = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())
            .map_err(|source| ArchiveError::ReadArchive { source })?;
        (self.unread, self.padding) = (0, 0);
        if skipped == rest { Ok(()) } else { Err(malformed("it ends inside a member")) }
    }

    fn read_block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => malformed("it ends without an end mark"),
            _ => ArchiveError::ReadArchive { source },
        })?;
        Ok(block)
    }

    fn read_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        let block = self.read_block()?;
        if block.iter().all(|byte| *byte == 0) {
            self.ended = true;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum: u32 =
            block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum::<u32>()
                + 8 * 32;
        if header.cksum().ok() != Some(sum) {
            return Err(malformed("a header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > EXTENSION_MAX {
            return Err(malformed("an extended header is too large"));
        }
        self.begin_content(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|source| ArchiveError::ReadArchive { source })?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Reader<R> {
    /// Reads from the content of the current member.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&mut self.input).take(self.unread).read(buffer)?;
        if read == 0 && self.unread > 0 && !buffer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive ends inside a member",
            ));
        }
        self.unread -= read as u64;
        Ok(read)
    }
}

impl<R> Entry<'_, R> {
    /// What the member is.
    pub fn member(&self) -> &Member {
        &self.member
    }
}

impl<R: Read> Read for Entry<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

fn malformed(reason: &'static str) -> ArchiveError {
    ArchiveError::Malformed { reason }
}

/// A GNU long name ends at its first zero.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    bytes
}

fn parse_pax(mut bytes: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ArchiveError> {
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let (record, rest) =
            split_record(bytes).ok_or_else(|| malformed("a pax record is not well formed"))?;
        let equals = record.iter().position(|byte| *byte == b'=');
        let equals = equals.ok_or_else(|| malformed("a pax record has no value"))?;
        records.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
        bytes = rest;
    }
    Ok(records)
}

/// Takes `key=value` from `<length> key=value\n…`. The length alone tells where it ends.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    Some((record.get(space + 1..)?.strip_suffix(b"\n")?, rest))
}

fn member_of(header: &Header, extensions: Extensions, size: u64) -> Result<Member, ArchiveError> {
    let Extensions { long_path, long_link, mut pax } = extensions;
    let raw =
        pax.remove(&b"path"[..]).or(long_path).unwrap_or_else(|| header.path_bytes().into_owned());
    let link = pax.remove(&b"linkpath"[..]).or(long_link);
    let path = normalise(&raw)?;
    let kind = kind_of(header, link, &raw)?;
    if pax.keys().any(|key| key.starts_with(b"GNU.sparse.")) {
        return Err(ArchiveError::UnsupportedMember { path: display_path(&path), kind: 'S' });
    }
    let is_number = |_| malformed("a field is not a number");
    let header_mtime = header.mtime().map_err(is_number)?.cast_signed();
    let (mtime, mtime_nanoseconds) = match pax.get(&b"mtime"[..]) {
        Some(text) => parse_time(text)?,
        None => (header_mtime, 0),
    };
    let stated = number(&pax, b"size")?.unwrap_or(size);
    Ok(Member {
        mode: header.mode().map_err(is_number)? & 0o7777,
        uid: number(&pax, b"uid")?.map_or_else(|| header.uid().map_err(is_number), Ok)?,
        gid: number(&pax, b"gid")?.map_or_else(|| header.gid().map_err(is_number), Ok)?,
        size: if kind == MemberKind::File { stated } else { 0 },
        xattrs: xattrs_of(pax),
        path,
        kind,
        mtime,
        mtime_nanoseconds,
    })
}

fn kind_of(
    header: &Header,
    link: Option<Vec<u8>>,
    path: &[u8],
) -> Result<MemberKind, ArchiveError> {
    let link = || link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
    let device = || {
        let (major, minor) = (header.device_major(), header.device_minor());
        match (major, minor) {
            (Ok(Some(major)), Ok(Some(minor))) => Ok((major, minor)),
            _ => Err(malformed("a device has no numbers")),
        }
    };
    match header.entry_type() {
        // Before POSIX, a slash at the end made a directory.
        EntryType::Regular if path.ends_with(b"/") => Ok(MemberKind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(MemberKind::File),
        EntryType::Link => Ok(MemberKind::HardLink(normalise(&link())?)),
        EntryType::Symlink => Ok(MemberKind::Symlink(link())),
        EntryType::Directory => Ok(MemberKind::Directory),
        EntryType::Char => device().map(|(major, minor)| MemberKind::CharDevice(major, minor)),
        EntryType::Block => device().map(|(major, minor)| MemberKind::BlockDevice(major, minor)),
        EntryType::Fifo => Ok(MemberKind::Fifo),
        other => Err(ArchiveError::UnsupportedMember {
            path: display_path(path),
            kind: char::from(other.as_byte()),
        }),
    }
}

/// Strips `./` and slashes that say nothing; refuses what is absolute or climbs.
fn normalise(path: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let escapes = || ArchiveError::Escapes { path: display_path(path) };
    if path.starts_with(b"/") || path.contains(&0) {
        return Err(escapes());
    }
    let parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&&b".."[..]) {
        return Err(escapes());
    }
    Ok(parts.join(&b'/'))
}

fn number(pax: &BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8]) -> Result<Option<u64>, ArchiveError> {
    let Some(value) = pax.get(key) else { return Ok(None) };
    let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| malformed("a pax record is not a number"))
}

/// `seconds[.fraction]`
fn parse_time(text: &[u8]) -> Result<(i64, u32), ArchiveError> {
    let bad = || malformed("a time is not a number");
    let text = std::str::from_utf8(text).map_err(|_| bad())?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| bad())?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().map_err(|_| bad())?;
    match (text.starts_with('-'), nanoseconds) {
        (true, 1..) => Ok((seconds.checked_sub(1).ok_or_else(bad)?, 1_000_000_000 - nanoseconds)),
        _ => Ok((seconds, nanoseconds)),
    }
}

fn xattrs_of(pax: BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    pax.into_iter()
        .filter_map(|(key, value)| {
            key.strip_prefix(b"SCHILY.xattr.").map(|name| (name.to_vec(), value))
        })
        .collect()
}
