//! The release and the platforms that it is made for.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use crate::{ManifestError, error::parse};

/// The version of a release: three numbers, compared in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Counts development branches.
    pub major: u32,
    /// Counts promotions of a branch.
    pub minor: u32,
    /// Counts fixes.
    pub patch: u32,
}

/// Why a text is not a [`Version`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version; write three numbers, for example `4.2.0`")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let mut numbers = text.split('.').map(|part| match part.as_bytes() {
            [b'0', _, ..] => Err(error()),
            digits if digits.iter().all(u8::is_ascii_digit) => {
                part.parse::<u32>().map_err(|_| error())
            }
            _ => Err(error()),
        });
        let mut next = || numbers.next().ok_or_else(error)?;
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_some() { Err(error()) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What the next release is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// Seconds since 1970 that stand wherever a file format asks for a date.
    pub epoch: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelease {
    version: String,
    epoch: u64,
}

impl Release {
    /// Parses and validates the text of `file`.
    ///
    /// # Errors
    /// When the text is not TOML of this form, or the version is not one.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        let raw: RawRelease = parse(file, text)?;
        let version = raw
            .version
            .parse()
            .map_err(|e: VersionError| ManifestError::invalid(file, e.to_string()))?;
        Ok(Self { version, epoch: raw.epoch })
    }
}

/// A file format of disk images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    /// Every byte of the disk.
    Raw,
    /// QEMU's copy-on-write format, version 3.
    Qcow2,
}

/// Where images run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// One line for people.
    pub description: String,
    /// The format that the platform takes.
    pub format: DiskFormat,
}

impl Platform {
    /// Parses the text of `file`.
    ///
    /// # Errors
    /// When the text is not TOML of this form.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        parse(file, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        #[track_caller]
        fn check(text: &str, valid: bool) {
            assert_eq!(
                text.parse::<Version>().map(|v| v.to_string()).ok(),
                valid.then(|| text.to_owned())
            );
        }
        check("4.2.0", true);
        check("0.0.0", true);
        check("4.2", false);
        check("4.2.0.1", false);
        check("4.02.0", false);
        check("4.2.+1", false);
        check("4.2.", false);
        check("4.2.99999999999", false);
    }

    #[test]
    fn the_repository_files_are_valid() {
        Release::parse("release.toml", include_str!("../release.toml")).unwrap();
        assert_eq!(
            Platform::parse("qemu.toml", include_str!("../platforms/qemu.toml")).unwrap().format,
            DiskFormat::Qcow2
        );
        assert_eq!(
            Platform::parse("metal.toml", include_str!("../platforms/metal.toml")).unwrap().format,
            DiskFormat::Raw
        );
    }
}
