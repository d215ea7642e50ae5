//! Applying payloads: frame by frame, each verified before it is unpacked.

use std::io::{self, Read, Seek, SeekFrom, Write};

use zstd::zstd_safe::{DCtx, get_error_name};

use crate::{
    Digest, Hasher, PayloadError, Section,
    head::{CHUNK, Frame, HEAD_LIMIT, Head, MAGIC, Range},
};

/// The images of the system that a delta is applied to.
pub trait Base {
    /// Fills the buffer from `offset` on.
    ///
    /// # Errors
    /// When that cannot be read, or the image is shorter.
    fn read_at(&mut self, section: Section, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// The base of a full payload.
#[derive(Clone, Copy, Debug)]
pub struct NoBase;

impl Base for NoBase {
    fn read_at(&mut self, _: Section, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this payload needs an old system"))
    }
}

/// A base of two files.
#[derive(Debug)]
pub struct Old<U, K> {
    /// The file system image of `/usr`; may be longer.
    pub usr: U,
    /// The unified kernel image.
    pub uki: K,
}

impl<U: Read + Seek, K: Read + Seek> Base for Old<U, K> {
    fn read_at(&mut self, section: Section, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        fn read(mut from: impl Read + Seek, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            from.seek(SeekFrom::Start(offset))?;
            from.read_exact(buffer)
        }
        match section {
            Section::Usr => read(&mut self.usr, offset, buffer),
            Section::Uki => read(&mut self.uki, offset, buffer),
        }
    }
}

/// A part of a new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The image.
    pub section: Section,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Reads magic and head from the start of a payload.
///
/// # Errors
/// When it is none, or its head is not the one that was signed.
pub fn read_head(mut payload: impl Read, expected: Option<&Digest>) -> Result<Head, PayloadError> {
    let mut start = [0; MAGIC.len() + 4];
    payload.read_exact(&mut start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => PayloadError::NoPayload,
        _ => PayloadError::Read(error),
    })?;
    let (magic, length) = start.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(PayloadError::NoPayload);
    }
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > HEAD_LIMIT {
        return Err(PayloadError::HeadTooLong(length));
    }
    let mut bytes = Vec::new();
    payload.take(length).read_to_end(&mut bytes).map_err(PayloadError::Read)?;
    if bytes.len() as u64 != length {
        return Err(PayloadError::NoPayload);
    }
    let found = Digest::of_bytes(&bytes);
    if let Some(expected) = expected.filter(|expected| **expected != found) {
        return Err(PayloadError::WrongHead { expected: *expected, found });
    }
    Head::from_bytes(&bytes)
}

/// Takes the frames of a payload in order, from any one on. It needs 20 MiB of memory for a delta, 4 MiB for a full payload.
#[derive(Debug)]
pub struct Applier {
    head: Head,
    next: usize,
    window: Vec<u8>,
    chunk: Vec<u8>,
}

impl Applier {
    /// Starts before frame `next`; the chunks of those before it are written already.
    pub fn new(head: Head, next: usize) -> Self {
        Self { head, next, window: Vec::new(), chunk: Vec::new() }
    }

    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The frame that comes next; none after the last one.
    pub fn next(&self) -> Option<&Frame> {
        self.head.frames.get(self.next)
    }

    /// The number of the frame that comes next.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Takes the bytes of the next frame. After an error the same frame can be given again.
    ///
    /// # Errors
    /// When they are not what was signed, there is no further frame, or the base cannot be read.
    pub fn frame(&mut self, bytes: &[u8], base: &mut dyn Base) -> Result<Chunk<'_>, PayloadError> {
        let index = self.next;
        let frame = self.head.frames.get(index).ok_or(PayloadError::Long)?;
        if bytes.len() as u64 != frame.length || Digest::of_bytes(bytes) != frame.sha256 {
            return Err(PayloadError::WrongFrame { index });
        }
        read_window(base, frame.section, &frame.window, &mut self.window)?;
        self.chunk.resize(CHUNK as usize, 0);
        let chunk = &mut self.chunk[..frame.unpacked as usize];
        let unpack = |problem: &str| PayloadError::Unpack { index, problem: problem.to_owned() };
        let length =
            unpack_into(bytes, &self.window, chunk).map_err(|code| unpack(get_error_name(code)))?;
        if length as u64 != frame.unpacked {
            return Err(unpack("it is too short"));
        }
        self.next += 1;
        Ok(Chunk { section: frame.section, offset: frame.offset, bytes: chunk })
    }

    /// Ends.
    ///
    /// # Errors
    /// When not all frames were given.
    pub fn finish(self) -> Result<Head, PayloadError> {
        match self.head.frames.len() == self.next {
            true => Ok(self.head),
            false => Err(PayloadError::Short { index: self.next }),
        }
    }
}

fn unpack_into(bytes: &[u8], prefix: &[u8], chunk: &mut [u8]) -> Result<usize, usize> {
    let mut context = DCtx::create();
    if !prefix.is_empty() {
        context.ref_prefix(prefix)?;
    }
    context.decompress(chunk, bytes)
}

fn read_window(
    base: &mut dyn Base,
    section: Section,
    ranges: &[Range],
    window: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    window.clear();
    for range in ranges {
        let start = window.len();
        window.resize(start + range.length as usize, 0);
        base.read_at(section, range.offset, &mut window[start..])
            .map_err(|source| PayloadError::OldImage { section, source })?;
    }
    Ok(())
}

/// What [`apply`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The head of the payload.
    pub head: Head,
}

/// Applies a whole payload from a stream, and compares what comes out with what was signed.
///
/// # Errors
/// When anything in it is not as the head says, or the head is not the `expected` one.
pub fn apply(
    mut payload: impl Read,
    expected: Option<&Digest>,
    base: &mut dyn Base,
    mut usr: impl Write,
    mut uki: impl Write,
) -> Result<Applied, PayloadError> {
    let head = read_head(&mut payload, expected)?;
    let mut applier = Applier::new(head, 0);
    let (mut usr_hash, mut uki_hash) = (Hasher::default(), Hasher::default());
    let mut bytes = Vec::new();
    while let Some(frame) = applier.next() {
        bytes.clear();
        let length = frame.length;
        (&mut payload).take(length).read_to_end(&mut bytes).map_err(PayloadError::Read)?;
        if (bytes.len() as u64) < length {
            return Err(PayloadError::Short { index: applier.position() });
        }
        let chunk = applier.frame(&bytes, base)?;
        let section = chunk.section;
        let written = match section {
            Section::Usr => {
                usr_hash.update(chunk.bytes);
                usr.write_all(chunk.bytes)
            }
            Section::Uki => {
                uki_hash.update(chunk.bytes);
                uki.write_all(chunk.bytes)
            }
        };
        written.map_err(|source| PayloadError::Sink { section, source })?;
    }
    if payload.read(&mut [0]).map_err(PayloadError::Read)? != 0 {
        return Err(PayloadError::Long);
    }
    let head = applier.finish()?;
    for (section, hash) in [(Section::Usr, usr_hash), (Section::Uki, uki_hash)] {
        let (expected, found) = (head.file(section).sha256, hash.finish());
        if expected != found {
            return Err(PayloadError::WrongImage { section, expected, found });
        }
    }
    Ok(Applied { head })
}
