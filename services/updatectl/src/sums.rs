//! Size and digests of a file, read once.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::CtlError;

/// What a package says of its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Its length in bytes.
    pub(crate) size: u64,
    /// SHA-1, base64.
    pub(crate) sha1: String,
    /// SHA-256, base64.
    pub(crate) sha256: String,
}

impl Sums {
    /// Reads a file to its end.
    pub(crate) fn of(path: &Path) -> Result<Self, CtlError> {
        let mut file = fs_err::File::open(path).map_err(CtlError::file("open a payload"))?;
        let (mut sha1, mut sha256, mut size) = (Sha1::new(), Sha256::new(), 0u64);
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let count = file.read(&mut buffer).map_err(CtlError::file("read a payload"))?;
            if count == 0 {
                break;
            }
            sha1.update(&buffer[..count]);
            sha256.update(&buffer[..count]);
            size += count as u64;
        }
        Ok(Self {
            size,
            sha1: STANDARD.encode(sha1.finalize()),
            sha256: STANDARD.encode(sha256.finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs_err::write(&path, "abc").unwrap();
        let expected = Sums {
            size: 3,
            // FIPS 180: a9993e36… and ba7816bf….
            sha1: "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=".into(),
            sha256: "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=".into(),
        };
        assert_eq!(Sums::of(&path).unwrap(), expected);
        assert!(matches!(Sums::of(&folder.path().join("none")), Err(CtlError::File { .. })));
    }
}
