//! The head of a payload: what is in it, and the digest of every frame.
//!
//! A payload is the eight bytes [`MAGIC`], the length of the head in bytes (32 bits, little endian), the head (JSON), and the frames
//! one after the other. Frame *n* is a zstd frame that unpacks to the *n*th [`CHUNK`] of `/usr`, then of the UKI. In a delta the
//! decompressor starts with a *window* of the old image as its prefix, which the frame names by ranges.

use serde::{Deserialize, Serialize};
use slipway_packages_manifest::Version;

use crate::{Digest, PayloadError, verity::Verity};

/// How each payload starts. The last byte counts forms.
pub const MAGIC: [u8; 8] = *b"SLIPWAY\x01";

/// No head is longer, in bytes.
pub const HEAD_LIMIT: u64 = 1 << 20;

/// How much of an image one frame holds, in bytes; the last one of an image less.
pub const CHUNK: u64 = 4 << 20;

/// How much of the old image one frame may refer to, in bytes.
pub const WINDOW: u64 = 12 << 20;

/// No image is longer, in bytes: no slot of any layout is.
const IMAGE_LIMIT: u64 = 16 << 30;

/// The longest frame, in bytes.
pub fn frame_limit() -> u64 {
    zstd::zstd_safe::compress_bound(CHUNK as usize) as u64
}

/// The two files of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The file system image of `/usr`.
    Usr,
    /// The unified kernel image.
    Uki,
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Usr => "/usr",
            Self::Uki => "kernel",
        })
    }
}

/// A file by length and digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// What a delta is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSystem {
    /// Its version, for people.
    pub version: Version,
    /// The root hash of its `/usr`.
    pub usr_root_hash: Digest,
    /// Its `/usr`.
    pub usr: File,
    /// Its UKI.
    pub uki: File,
}

/// Bytes of the old image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where they start.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The image that it belongs to.
    pub section: Section,
    /// Where it begins in the image, in bytes.
    pub offset: u64,
    /// How much of the image it holds, in bytes; at most [`CHUNK`].
    pub unpacked: u64,
    /// Where it begins in the payload, in bytes.
    pub position: u64,
    /// Its length in the payload, in bytes.
    pub length: u64,
    /// The SHA-256 of its bytes in the payload.
    pub sha256: Digest,
    /// Its window: ranges of the old image of the same section, ascending; empty in a full payload.
    pub window: Vec<Range>,
}

/// What a payload says about itself, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The digest of the head: what a release record signs.
    pub digest: Digest,
    /// The version that it installs.
    pub version: Version,
    /// The architecture, as Debian and Go call it.
    pub arch: String,
    /// `/usr`.
    pub usr: File,
    /// The parameters of its hash tree.
    pub verity: Verity,
    /// The root hash of its hash tree.
    pub usr_root_hash: Digest,
    /// The UKI.
    pub uki: File,
    /// What it is applied to, if it is a delta.
    pub base: Option<BaseSystem>,
    /// The frames, those of `/usr` first.
    pub frames: Vec<Frame>,
    /// The length of the whole payload in bytes.
    pub length: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHead {
    pub(crate) version: String,
    pub(crate) arch: String,
    pub(crate) usr: File,
    pub(crate) verity: Verity,
    pub(crate) usr_root_hash: Digest,
    pub(crate) uki: File,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<RawBase>,
    pub(crate) frames: Vec<RawFrame>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBase {
    pub(crate) version: String,
    pub(crate) usr_root_hash: Digest,
    pub(crate) usr: File,
    pub(crate) uki: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFrame {
    pub(crate) length: u64,
    pub(crate) sha256: Digest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) window: Vec<(u64, u64)>,
}

/// Where the chunks of an image begin, and how long they are.
pub(crate) fn chunks(length: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = length.div_ceil(CHUNK);
    (0..count).map(move |index| (index * CHUNK, CHUNK.min(length - index * CHUNK)))
}

impl Head {
    /// Reads and validates a head. `bytes` are those after the length.
    ///
    /// # Errors
    /// When it is not of this form, or contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PayloadError> {
        let raw: RawHead = serde_json::from_slice(bytes).map_err(PayloadError::Head)?;
        let version = |text: &str| {
            text.parse().map_err(|_| PayloadError::Invalid("a version is not three numbers"))
        };
        let base = raw.base.map(|base| -> Result<BaseSystem, PayloadError> {
            Ok(BaseSystem {
                version: version(&base.version)?,
                usr_root_hash: base.usr_root_hash,
                usr: base.usr,
                uki: base.uki,
            })
        });
        let base = base.transpose()?;
        check_images(&raw.usr, &raw.uki, &raw.verity)?;
        let start = (MAGIC.len() + 4 + bytes.len()) as u64;
        let frames = frames(&raw.usr, &raw.uki, base.as_ref(), raw.frames, start)?;
        let length = frames.last().map_or(start, |last| last.position + last.length);
        Ok(Self {
            digest: Digest::of_bytes(bytes),
            version: version(&raw.version)?,
            arch: raw.arch,
            usr: raw.usr,
            verity: raw.verity,
            usr_root_hash: raw.usr_root_hash,
            uki: raw.uki,
            base,
            frames,
            length,
        })
    }

    /// A file of the new system.
    pub fn file(&self, section: Section) -> File {
        match section {
            Section::Usr => self.usr,
            Section::Uki => self.uki,
        }
    }
}

fn check_images(usr: &File, uki: &File, verity: &Verity) -> Result<(), PayloadError> {
    verity.check()?;
    if usr.length == 0 || uki.length == 0 {
        return Err(PayloadError::Invalid("an image is empty"));
    }
    if usr.length > IMAGE_LIMIT || uki.length > IMAGE_LIMIT {
        return Err(PayloadError::Invalid("an image is larger than any slot"));
    }
    if !usr.length.is_multiple_of(crate::verity::BLOCK) {
        return Err(PayloadError::Invalid("/usr is no whole number of blocks"));
    }
    Ok(())
}

fn frames(
    usr: &File,
    uki: &File,
    base: Option<&BaseSystem>,
    raw: Vec<RawFrame>,
    mut position: u64,
) -> Result<Vec<Frame>, PayloadError> {
    let expected = usr.length.div_ceil(CHUNK) + uki.length.div_ceil(CHUNK);
    if raw.len() as u64 != expected {
        return Err(PayloadError::Invalid("it has not as many frames as its images need"));
    }
    let places = chunks(usr.length)
        .map(|place| (Section::Usr, place))
        .chain(chunks(uki.length).map(|place| (Section::Uki, place)));
    let frame = |(raw, (section, (offset, unpacked))): (RawFrame, _)| {
        if raw.length > frame_limit() {
            return Err(PayloadError::Invalid("a frame is longer than any can be"));
        }
        let old = base.map_or(0, |base| match section {
            Section::Usr => base.usr.length,
            Section::Uki => base.uki.length,
        });
        let window = window(raw.window, old)?;
        let start = position;
        position += raw.length;
        Ok(Frame {
            section,
            offset,
            unpacked,
            position: start,
            length: raw.length,
            sha256: raw.sha256,
            window,
        })
    };
    raw.into_iter().zip(places).map(frame).collect()
}

fn window(raw: Vec<(u64, u64)>, old: u64) -> Result<Vec<Range>, PayloadError> {
    let (mut end, mut total) = (0u64, 0u64);
    let mut window = Vec::new();
    for (offset, length) in raw {
        let next = offset.checked_add(length).filter(|next| *next <= old);
        let Some(next) = next.filter(|_| length > 0 && offset >= end) else {
            return Err(PayloadError::Invalid("a window is not within the old image"));
        };
        (end, total) = (next, total + length);
        window.push(Range { offset, length });
    }
    if total > WINDOW {
        return Err(PayloadError::Invalid("a window is larger than any can be"));
    }
    Ok(window)
}
