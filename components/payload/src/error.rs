//! The errors of payloads.

use std::io;

use crate::{Digest, Section};

/// Why a payload cannot be made, read or applied.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A source of the writer.
    #[error("cannot read the {section} image")]
    Source {
        /// Which one.
        section: Section,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The payload while it is written.
    #[error("cannot write the payload")]
    Write(#[source] io::Error),
    /// The payload while it is read.
    #[error("cannot read the payload")]
    Read(#[source] io::Error),
    /// The old system, while a delta is made or applied.
    #[error("cannot read the old {section} image")]
    OldImage {
        /// Which one.
        section: Section,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was unpacked, while it is written.
    #[error("cannot write the new {section} image")]
    Sink {
        /// Which one.
        section: Section,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another file.
    #[error("this is no payload")]
    NoPayload,
    /// A head that is too long.
    #[error("the head of the payload claims {0} bytes, more than any has")]
    HeadTooLong(u64),
    /// A head of another digest.
    #[error(
        "the head of the payload is not what was signed: its digest is {found}, not {expected}"
    )]
    WrongHead {
        /// What was signed.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A head that is not JSON of this form.
    #[error("the head of the payload is not of the form that this program knows")]
    Head(#[source] serde_json::Error),
    /// A head that contradicts itself, or a source that no payload can have.
    #[error("the payload cannot be right: {0}")]
    Invalid(&'static str),
    /// A frame of another digest or length.
    #[error("frame {index} of the payload is damaged")]
    WrongFrame {
        /// Which one, from 0.
        index: usize,
    },
    /// A frame that does not unpack to what it must.
    #[error("frame {index} of the payload does not unpack: {problem}")]
    Unpack {
        /// Which one, from 0.
        index: usize,
        /// What the decompressor says.
        problem: String,
    },
    /// Something that cannot be packed.
    #[error("the compressor failed: {0}")]
    Pack(String),
    /// Fewer frames than the head says.
    #[error("the payload ends before its frame {index}")]
    Short {
        /// The first frame that lacks, from 0.
        index: usize,
    },
    /// More bytes than the head says.
    #[error("the payload has bytes after its last frame")]
    Long,
    /// A file that came out with another digest: the delta was applied to something else.
    #[error("the {section} image came out as {found}, not as {expected}")]
    WrongImage {
        /// Which one.
        section: Section,
        /// What was signed.
        expected: Digest,
        /// What came out.
        found: Digest,
    },
}
