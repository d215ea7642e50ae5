//! SHA-256 digests of content and keys of actions, as types of their own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::str::FromStr;

use camino::Utf8Path;
use rustix::fs::SeekFrom;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;

/// The SHA-256 of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a SHA-256 digest: expected 64 lower-case hexadecimal digits")]
pub struct ParseDigestError {
    /// What was given.
    pub text: String,
}

impl Digest {
    /// Takes the digest of bytes in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes the digest of everything that the reader yields.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the digest of a file's content.
    pub fn of_file(path: &Utf8Path) -> Result<Self, StoreError> {
        fs_err::File::open(path)
            .and_then(Self::of_reader)
            .map_err(|source| StoreError::Hash { path: path.to_owned(), source })
    }

    /// Takes the digest of all of a regular file's content. Holes are known to be zeros and not read: most of a disk is a hole, and reading it
    /// would fill the page cache with zeros.
    pub(crate) fn of_regular_file(file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BUFFER];
        let mut at = 0;
        while at < length {
            let data = next(file, SeekFrom::Data(at))?.unwrap_or(length).min(length);
            hasher.zeros(data - at);
            let hole = next(file, SeekFrom::Hole(data))?.unwrap_or(length).min(length);
            at = data;
            while at < hole {
                let wanted = usize::try_from(hole - at).map_or(BUFFER, |left| left.min(BUFFER));
                match file.read_at(&mut buffer[..wanted], at) {
                    Ok(0) => return Ok(hasher.finish()),
                    Ok(read) => {
                        hasher.update(&buffer[..read]);
                        at += read as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(hasher.finish())
    }

    /// Wraps a digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        f.pad(&hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        parse_hex(text.as_bytes())
            .map(Self)
            .ok_or_else(|| ParseDigestError { text: text.to_owned() })
    }
}

fn parse_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The key of an action: the digest of its canonical encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl Key {
    /// Wraps the digest of an action's canonical encoding.
    pub const fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest behind the key.
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl From<Digest> for Key {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Key {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        text.parse().map(Self)
    }
}

/// Where the next data or the next hole of a file is; `None` behind the last (lseek(2)).
fn next(file: &File, place: SeekFrom) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, place) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// How much is read at once, in bytes.
const BUFFER: usize = 128 * 1024;

/// Takes a digest piece by piece.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn zeros(&mut self, count: u64) {
        static ZEROS: [u8; BUFFER] = [0; BUFFER];
        let mut left = count;
        while left > 0 {
            let piece = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            self.update(&ZEROS[..piece]);
            left -= piece as u64;
        }
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            let text = digest.to_string();
            prop_assert_eq!(text.parse::<Digest>().unwrap(), digest);
            let json = serde_json::to_string(&Key::new(digest)).unwrap();
            prop_assert_eq!(&json, &format!("\"{text}\""));
            prop_assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), Key::new(digest));
        }

        #[test]
        fn only_64_lower_hex_digits_parse(text in "\\PC{0,80}|[0-9a-fA-F]{60,68}") {
            let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            prop_assert_eq!(text.parse::<Digest>().is_ok(), good);
        }

        #[test]
        fn order_is_the_order_of_the_text(a: [u8; 32], b: [u8; 32]) {
            let (a, b) = (Digest::from_bytes(a), Digest::from_bytes(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn reader_and_bytes_agree(bytes: Vec<u8>) {
            prop_assert_eq!(Digest::of_reader(&bytes[..]).unwrap(), Digest::of_bytes(&bytes));
        }

        /// Pieces at multiples of a block, with holes before, between and behind them.
        #[test]
        fn a_file_with_holes_is_its_content(
            pieces in proptest::collection::btree_map(0..200_u64, 1..9000_usize, 0..4),
            hole_at_the_end in 0..300_000_u64,
        ) {
            let file = tempfile::tempfile().unwrap();
            for (block, length) in &pieces {
                file.write_all_at(&vec![7; *length], block * 4096).unwrap();
            }
            file.set_len(file.metadata().unwrap().len() + hole_at_the_end).unwrap();
            let expected = Digest::of_reader(&file).unwrap();
            prop_assert_eq!(Digest::of_regular_file(&file).unwrap(), expected);
        }
    }

    #[test]
    fn known_answer() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of_bytes(b"").to_string(), empty);
        assert_eq!(format!("{:?}", Digest::of_bytes(b"")), format!("Digest({empty})"));
    }
}
