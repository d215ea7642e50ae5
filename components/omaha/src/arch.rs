//! Processor architectures, and the groups of the first public servers that named one.

use std::fmt;

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit x86, which only very old clients name.
    X86,
}

impl Arch {
    /// By the board of an app (`amd64-usr`, `arm64-usr`), else by the `arch` of the `os` element
    /// (`x64`, `arm`, `x86`), else amd64: the order that Nebraska keeps.
    pub fn of(board: &str, os_arch: &str) -> Self {
        match (board, os_arch) {
            ("amd64-usr", _) => Self::Amd64,
            ("arm64-usr", _) => Self::Arm64,
            (_, "arm" | "arm64" | "aarch64") => Self::Arm64,
            (_, "x86" | "i686") => Self::X86,
            _ => Self::Amd64,
        }
    }

    /// The name that distributions use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::X86 => "x86",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A group of the first public CoreOS and Flatcar servers, whose hosts still send its identifier as their track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegacyGroup {
    /// The architecture of the group.
    pub arch: Arch,
    /// The track that took its place.
    pub track: &'static str,
}

/// Identifier, architecture, track (Nebraska, `backend/pkg/api/groups.go`).
const LEGACY: [(&str, Arch, &str); 8] = [
    ("5b810680-e36a-4879-b98a-4f989e80b899", Arch::Amd64, "alpha"),
    ("3fe10490-dd73-4b49-b72a-28ac19acfcdc", Arch::Amd64, "beta"),
    ("9a2deb70-37be-4026-853f-bfdd6b347bbe", Arch::Amd64, "stable"),
    ("72834a2b-ad86-4d6d-b498-e08a19ebe54e", Arch::Amd64, "edge"),
    ("e641708d-fb48-4260-8bdf-ba2074a1147a", Arch::Arm64, "alpha"),
    ("d112ec01-ba34-4a9e-9d4b-9814a685f266", Arch::Arm64, "beta"),
    ("11a585f6-9418-4df0-8863-78b2fd3240f8", Arch::Arm64, "stable"),
    ("b4b2fa22-c1ea-498c-a8ac-c1dc0b1d7c17", Arch::Arm64, "edge"),
];

impl LegacyGroup {
    /// The group that a track's text names, if it is one of the eight; braces and case do not matter.
    pub fn of(track: &str) -> Option<Self> {
        let bare = track.trim_matches(['{', '}']);
        let (_, arch, track) = LEGACY.iter().find(|(id, ..)| id.eq_ignore_ascii_case(bare))?;
        Some(Self { arch: *arch, track })
    }
}
