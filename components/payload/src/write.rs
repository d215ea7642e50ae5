//! Making payloads.

use std::io::{Read, Seek, SeekFrom, Write};

use slipway_packages_manifest::Version;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

use crate::{
    Digest, Hasher, PayloadError,
    head::{
        BaseSystem, File, HEAD_LIMIT, Head, MAGIC, Range, RawBase, RawFrame, RawHead, Section,
        chunks,
    },
    verity::{BLOCK, TreeBuilder, Verity},
    window::{Index, fill},
};

/// What can be read more than once.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// A system: what a payload installs, or what a delta is applied to.
#[derive(Debug)]
pub struct System<R> {
    /// Its version.
    pub version: Version,
    /// The file system image of `/usr`; a whole number of 4096-byte blocks.
    pub usr: R,
    /// The unified kernel image.
    pub uki: R,
    /// The parameters of the hash tree of `/usr`.
    pub verity: Verity,
}

/// How hard the compressor tries: 1 to 22, as zstd counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub i32);

impl Level {
    /// For full payloads: their images are compressed already, so that more effort gains nothing.
    pub const FULL: Self = Self(6);
    /// For deltas.
    pub const DELTA: Self = Self(15);
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The digest of the head, for the release record.
    pub head: Digest,
    /// The root hash of `/usr` as computed from its bytes. It must be the one that the UKI has.
    pub usr_root_hash: Digest,
    /// The root hash of the base's `/usr`, in a delta.
    pub base_usr_root_hash: Option<Digest>,
    /// The digest of the whole payload.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
}

/// Writes a payload that has everything. The packed frames are kept in memory until the last one is known.
///
/// # Errors
/// When an image cannot be read, is empty or too large, or the payload cannot be written.
pub fn write_full<R: Source>(
    arch: &str,
    new: &mut System<R>,
    level: Level,
    out: impl Write,
) -> Result<Written, PayloadError> {
    let (usr, uki) = (Described::usr(new)?, Described::uki(new)?);
    let mut packer = Packer::new(level);
    packer.section(Section::Usr, &mut new.usr, usr.file.length, None::<&mut R>)?;
    packer.section(Section::Uki, &mut new.uki, uki.file.length, None::<&mut R>)?;
    packer.finish(&head(arch, new, &usr, &uki, None), out)
}

/// Writes a payload that turns `old` into `new`. The packed frames are kept in memory until the last one is known.
///
/// # Errors
/// When an image cannot be read, is empty or too large, or the payload cannot be written.
pub fn write_delta<R: Source, O: Source>(
    arch: &str,
    old: &mut System<O>,
    new: &mut System<R>,
    level: Level,
    out: impl Write,
) -> Result<Written, PayloadError> {
    let (usr, uki) = (Described::usr(new)?, Described::uki(new)?);
    let (old_usr, old_uki) = (Described::usr(old)?, Described::uki(old)?);
    let base = BaseSystem {
        version: old.version,
        usr_root_hash: old_usr.root_hash,
        usr: old_usr.file,
        uki: old_uki.file,
    };
    let mut packer = Packer::new(level);
    packer.section(Section::Usr, &mut new.usr, usr.file.length, Some(&mut old.usr))?;
    packer.section(Section::Uki, &mut new.uki, uki.file.length, Some(&mut old.uki))?;
    packer.finish(&head(arch, new, &usr, &uki, Some(&base)), out)
}

/// An image after a first reading.
struct Described {
    file: File,
    /// Of `/usr` only; all zeros for a UKI.
    root_hash: Digest,
}

impl Described {
    fn usr<R: Source>(system: &mut System<R>) -> Result<Self, PayloadError> {
        let failed = |source| PayloadError::Source { section: Section::Usr, source };
        let length = system.usr.seek(SeekFrom::End(0)).map_err(failed)?;
        system.usr.rewind().map_err(failed)?;
        system.verity.check()?;
        if length == 0 || length % BLOCK != 0 {
            return Err(PayloadError::Invalid("/usr is no whole number of blocks"));
        }
        let mut tree = TreeBuilder::new(&system.verity);
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = fill(&mut system.usr, &mut buffer).map_err(failed)?;
            hasher.update(&buffer[..read]);
            tree.update(&buffer[..read]);
            if read < buffer.len() {
                break;
            }
        }
        let root_hash = tree.finish()?.root_hash();
        Ok(Self { file: File { length, sha256: hasher.finish() }, root_hash })
    }

    fn uki<R: Source>(system: &mut System<R>) -> Result<Self, PayloadError> {
        let failed = |source| PayloadError::Source { section: Section::Uki, source };
        let length = system.uki.seek(SeekFrom::End(0)).map_err(failed)?;
        system.uki.rewind().map_err(failed)?;
        let sha256 = Digest::of_reader(&mut system.uki).map_err(failed)?;
        Ok(Self { file: File { length, sha256 }, root_hash: Digest::from_bytes([0; 32]) })
    }
}

fn head<R>(
    arch: &str,
    new: &System<R>,
    usr: &Described,
    uki: &Described,
    base: Option<&BaseSystem>,
) -> RawHead {
    RawHead {
        version: new.version.to_string(),
        arch: arch.to_owned(),
        usr: usr.file,
        verity: new.verity.clone(),
        usr_root_hash: usr.root_hash,
        uki: uki.file,
        base: base.map(|base| RawBase {
            version: base.version.to_string(),
            usr_root_hash: base.usr_root_hash,
            usr: base.usr,
            uki: base.uki,
        }),
        frames: Vec::new(),
    }
}

/// Packs chunk after chunk.
struct Packer {
    level: Level,
    frames: Vec<RawFrame>,
    packed: Vec<Vec<u8>>,
}

impl Packer {
    fn new(level: Level) -> Self {
        Self { level, frames: Vec::new(), packed: Vec::new() }
    }

    fn section<R: Source, O: Source>(
        &mut self,
        section: Section,
        new: &mut R,
        length: u64,
        mut old: Option<&mut O>,
    ) -> Result<(), PayloadError> {
        let failed = |source| PayloadError::Source { section, source };
        let old_failed = |source| PayloadError::OldImage { section, source };
        new.rewind().map_err(failed)?;
        let index = match &mut old {
            Some(old) => {
                old.rewind().map_err(old_failed)?;
                Some(Index::read(&mut **old).map_err(old_failed)?)
            }
            None => None,
        };
        for (offset, unpacked) in chunks(length) {
            let mut chunk = vec![0; unpacked as usize];
            new.read_exact(&mut chunk).map_err(failed)?;
            let window =
                index.as_ref().map(|index| index.window(offset, &chunk)).unwrap_or_default();
            let mut prefix = Vec::new();
            if let Some(old) = &mut old {
                read_window(&mut **old, &window, &mut prefix).map_err(old_failed)?;
            }
            self.frame(&chunk, &window, &prefix)?;
        }
        Ok(())
    }

    fn frame(&mut self, chunk: &[u8], window: &[Range], prefix: &[u8]) -> Result<(), PayloadError> {
        let packed = pack(chunk, prefix, self.level)
            .map_err(|code| PayloadError::Pack(get_error_name(code).to_owned()))?;
        self.frames.push(RawFrame {
            length: packed.len() as u64,
            sha256: Digest::of_bytes(&packed),
            window: window.iter().map(|range| (range.offset, range.length)).collect(),
        });
        self.packed.push(packed);
        Ok(())
    }

    fn finish(self, head: &RawHead, out: impl Write) -> Result<Written, PayloadError> {
        let head = RawHead { frames: self.frames, ..copy(head) };
        let bytes = serde_json::to_vec(&head).map_err(PayloadError::Head)?;
        if bytes.len() as u64 > HEAD_LIMIT {
            return Err(PayloadError::HeadTooLong(bytes.len() as u64));
        }
        // Whatever a reader would refuse is not written.
        let checked = Head::from_bytes(&bytes)?;
        let mut out = Hashed { out, hasher: Hasher::default() };
        out.write(&MAGIC)?;
        out.write(&(bytes.len() as u32).to_le_bytes())?;
        out.write(&bytes)?;
        for packed in &self.packed {
            out.write(packed)?;
        }
        out.out.flush().map_err(PayloadError::Write)?;
        Ok(Written {
            head: checked.digest,
            usr_root_hash: checked.usr_root_hash,
            base_usr_root_hash: checked.base.map(|base| base.usr_root_hash),
            sha256: out.hasher.finish(),
            length: checked.length,
        })
    }
}

fn copy(head: &RawHead) -> RawHead {
    RawHead {
        version: head.version.clone(),
        arch: head.arch.clone(),
        verity: head.verity.clone(),
        base: head.base.as_ref().map(|base| RawBase { version: base.version.clone(), ..*base }),
        frames: Vec::new(),
        ..*head
    }
}

struct Hashed<W> {
    out: W,
    hasher: Hasher,
}

impl<W: Write> Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(PayloadError::Write)
    }
}

/// One zstd frame. Its window reaches over prefix and chunk, so that all of the prefix can be referred to.
fn pack(chunk: &[u8], prefix: &[u8], level: Level) -> Result<Vec<u8>, usize> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(level.0))?;
    context.set_parameter(CParameter::ChecksumFlag(false))?;
    if !prefix.is_empty() {
        context.set_parameter(CParameter::WindowLog(25))?;
        context.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
        context.ref_prefix(prefix)?;
    }
    let mut packed = Vec::with_capacity(compress_bound(chunk.len()));
    context.compress2(&mut packed, chunk)?;
    packed.shrink_to_fit();
    Ok(packed)
}

fn read_window<O: Source>(
    old: &mut O,
    window: &[Range],
    prefix: &mut Vec<u8>,
) -> std::io::Result<()> {
    for range in window {
        old.seek(SeekFrom::Start(range.offset))?;
        let start = prefix.len();
        prefix.resize(start + range.length as usize, 0);
        old.read_exact(&mut prefix[start..])?;
    }
    Ok(())
}
