//! What is inside of a content, and how that is found.

mod cpio;

mod gpt;
mod object;
mod tar;

use std::io;

use crate::{
    Place,
    content::{Content, Cursor},
};

/// The largest window that zstd knows: what was packed with `--long=31` is to be read as well.
const WINDOW_LOG_MAX: u32 = 31;

/// Something inside of a content.
pub(crate) struct Item {
    pub(crate) place: Place,
    /// What is known about it, with the same names in the same order for all of a format.
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) content: Option<Content>,
}

/// A format that can be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Zstd,
    Cpio,
    Object,
    Tar,
    Gpt,
}

const MAGICS: [(usize, &[u8], Format); 7] = [
    (0, b"\x28\xb5\x2f\xfd", Format::Zstd),
    (0, b"070701", Format::Cpio),
    (0, b"070702", Format::Cpio),
    (0, b"\x7fELF", Format::Object),
    (0, b"MZ", Format::Object),
    (257, b"ustar", Format::Tar),
    (512, b"EFI PART", Format::Gpt),
];

impl Format {
    pub(crate) fn of(content: &Content) -> io::Result<Option<Self>> {
        let head = content.excerpt(0, 520)?;
        let has = |at: usize, magic| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
        let found = MAGICS.iter().find(|(at, magic, _)| has(*at, magic));
        Ok(found.map(|(_, _, format)| *format))
    }

    /// What is inside, in its order.
    pub(crate) fn list(self, content: &Content) -> io::Result<Vec<Item>> {
        match self {
            Self::Zstd => decompress(content),
            Self::Cpio => cpio::list(content),
            Self::Object => object::list(content),
            Self::Tar => tar::list(content),
            Self::Gpt => gpt::list(content),
        }
    }
}

fn decompress(content: &Content) -> io::Result<Vec<Item>> {
    let cursor = Cursor::new(content);
    let mut decoder = zstd::Decoder::new(&cursor)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let content = Some(Content::of_stream(decoder)?);
    Ok(vec![Item { place: Place::Decompressed, fields: vec![], content }])
}
