//! The bytes that are compared: a file or a part of it, or what was decompressed.

use std::{
    cell::Cell,
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    sync::Arc,
};

use fs_err::os::unix::fs::FileExt as _;

const BUFFER: usize = 128 * 1024;

/// The folder for what is temporary and large.
const TEMP: &str = "/var/tmp";

/// A part of a file. Clones and slices share the file.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    file: Arc<fs_err::File>,
    start: u64,
    len: u64,
}

/// The error of content that is not what its first bytes promise.
pub(crate) fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Content {
    pub(crate) fn of_file(file: fs_err::File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), start: 0, len })
    }

    /// All that `stream` yields, in a file without a name. Zeros become holes, for what is large is mostly a disk.
    pub(crate) fn of_stream(mut stream: impl Read) -> io::Result<Self> {
        let mut file = fs_err::File::from_parts(tempfile::tempfile_in(TEMP)?, TEMP);
        let mut buffer = vec![0; BUFFER];
        let mut len = 0;
        loop {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            len += read as u64;
            if buffer[..read].iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Start(len))?;
            } else {
                file.write_all(&buffer[..read])?;
            }
        }
        file.set_len(len)?;
        Self::of_file(file)
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// A part; malformed when it is not all inside.
    pub(crate) fn slice(&self, start: u64, len: u64) -> io::Result<Self> {
        match start.checked_add(len) {
            Some(end) if end <= self.len => {
                Ok(Self { file: self.file.clone(), start: self.start + start, len })
            }
            _ => Err(malformed()),
        }
    }

    /// At most `max` bytes from `offset` on.
    pub(crate) fn excerpt(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; max];
        let read = self.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The first byte from `offset` on that is not zero, or the end.
    pub(crate) fn skip_zeros(&self, mut offset: u64) -> io::Result<u64> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = self.read_at(offset, &mut buffer)?;
            match buffer[..read].iter().position(|byte| *byte != 0) {
                Some(zeros) => return Ok(offset + zeros as u64),
                None if read == 0 => return Ok(self.len),
                None => offset += read as u64,
            }
        }
    }

    /// The first byte that differs. Where one ends and the other does not, that is its end.
    pub(crate) fn first_difference(&self, other: &Self) -> io::Result<Option<u64>> {
        let (mut ours, mut theirs) = (vec![0; BUFFER], vec![0; BUFFER]);
        let mut offset = 0;
        loop {
            // Where both have holes, there is nothing to read.
            offset = self.skip_hole(offset).min(other.skip_hole(offset));
            let (a, b) = (self.read_at(offset, &mut ours)?, other.read_at(offset, &mut theirs)?);
            if ours[..a] != theirs[..b] {
                let same = ours[..a].iter().zip(&theirs[..b]).take_while(|(a, b)| a == b).count();
                return Ok(Some(offset + same as u64));
            }
            if a == 0 {
                return Ok(None);
            }
            offset += a as u64;
        }
    }

    /// Where data begins, at `offset` or later. What it skips are zeros that the file system has not stored.
    fn skip_hole(&self, offset: u64) -> u64 {
        let from = rustix::fs::SeekFrom::Data(self.start + offset);
        match rustix::fs::seek(self.file.file(), from) {
            Ok(data) => (data - self.start).min(self.len),
            // There is no more data.
            Err(rustix::io::Errno::NXIO) => self.len,
            // The file system knows nothing about holes.
            Err(_) => offset,
        }
    }

    /// Fills the buffer, or what there is of it before the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let buffer = &mut buffer[..count];
        self.file.read_exact_at(buffer, self.start + offset)?;
        Ok(count)
    }
}

/// A place in a content from which to read on. Whoever shares it can ask how far the reading went.
pub(crate) struct Cursor<'a> {
    content: &'a Content,
    position: Cell<u64>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(content: &'a Content) -> Self {
        Self { content, position: Cell::new(0) }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position.get()
    }
}

impl Read for &Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read_at(self.position(), buffer)?;
        self.position.set(self.position() + read as u64);
        Ok(read)
    }
}
