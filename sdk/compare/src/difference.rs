//! A difference, as a value and as a line to read.

use std::fmt;

/// Where two files differ first, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The way from the file to what differs, from outside to inside; empty for the file itself.
    pub places: Vec<Place>,
    /// What differs there.
    pub what: What,
}

/// One step into a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// What zstd had compressed.
    Decompressed,
    /// A member of a tar or cpio archive.
    Member(String),
    /// What follows a cpio archive in the same file: an initrd is several, one after the other.
    Rest,
    /// A section of an ELF or PE file.
    Section(String),
    /// The header of a GPT.
    PartitionTable,
    /// A partition of a GPT.
    Partition {
        /// Its place in the table, from 1.
        number: u32,
        /// Its label, often all that tells what it is for.
        label: String,
    },
}

/// How two places differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The second file has no such place.
    OnlyInFirst,
    /// The first file has no such place.
    OnlyInSecond,
    /// What is known about the place differs, like its mode or its position among the others.
    Field {
        /// What it is.
        name: &'static str,
        /// Its value in the first file.
        first: String,
        /// Its value in the second file.
        second: String,
    },
    /// The content differs.
    Bytes {
        /// The first byte that differs, counted from the start of the place.
        offset: u64,
        /// The first file there.
        first: Side,
        /// The second file there.
        second: Side,
        /// What is known about the inside of the place.
        inside: Inside,
    },
}

/// The content of a place in one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// How long it is, in bytes.
    pub size: u64,
    /// At most 16 bytes from the first that differs on; empty where it ends.
    pub excerpt: Vec<u8>,
}

/// Whether bytes differ for what they hold or for how they hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// There is no inside that we can read.
    Unknown,
    /// All that is inside is equal: the compression, padding or a header differs.
    Equal,
}

impl Difference {
    pub(crate) fn below(mut self, place: Place) -> Self {
        self.places.insert(0, place);
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places.iter().enumerate() {
            write!(f, "{}{place}", if index > 0 { " › " } else { "" })?;
        }
        write!(f, "{}{}", if self.places.is_empty() { "" } else { ": " }, self.what)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decompressed => write!(f, "decompressed"),
            Self::Member(name) => write!(f, "`{name}`"),
            Self::Rest => write!(f, "after the end of the archive"),
            Self::Section(name) => write!(f, "section `{name}`"),
            Self::PartitionTable => write!(f, "partition table"),
            Self::Partition { number, label } if label.is_empty() => {
                write!(f, "partition {number}")
            }
            Self::Partition { number, label } => write!(f, "partition {number} `{label}`"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyInFirst => write!(f, "only in the first"),
            Self::OnlyInSecond => write!(f, "only in the second"),
            Self::Field { name, first, second } => {
                write!(f, "{name} differs: {first} and {second}")
            }
            Self::Bytes { offset, first, second, inside } => {
                write!(f, "byte {offset} differs: {first} and {second}")?;
                if first.size != second.size {
                    write!(f, ", of {} and {} bytes", first.size, second.size)?;
                }
                match inside {
                    Inside::Unknown => Ok(()),
                    Inside::Equal => write!(f, "; what is inside is equal"),
                }
            }
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.excerpt.is_empty() {
            return write!(f, "the end");
        }
        for byte in &self.excerpt {
            write!(f, "{byte:02x} ")?;
        }
        let shown = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
        write!(f, "\"{}\"", self.excerpt.iter().map(shown).collect::<String>())
    }
}
