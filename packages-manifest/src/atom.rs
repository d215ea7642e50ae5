//! Package atoms as image files name them: `category/name`, optionally with a version operator.

use std::{fmt, str::FromStr};

/// A dependency atom of the Package Manager Specification (section 8.3), restricted to what image files need:
/// an optional operator with a version, a category and a name, an optional slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(String);

/// Why a text is not an [`Atom`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a package; write `category/name`, for example `sys-apps/systemd`")]
pub struct AtomError(String);

impl Atom {
    /// The text, as Portage understands it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Atom {
    type Err = AtomError;

    fn from_str(text: &str) -> Result<Self, AtomError> {
        let error = || AtomError(text.to_owned());
        let rest = text.trim_start_matches(['<', '>', '=', '~']);
        let (category, name) = rest.split_once('/').ok_or_else(error)?;
        let word = |word: &str, more: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+_-".contains(c) || more.contains(c))
        };
        (word(category, ".") && word(name, ".:*")).then(|| Self(text.to_owned())).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms() {
        #[track_caller]
        fn check(text: &str, valid: bool) {
            assert_eq!(text.parse::<Atom>().is_ok(), valid, "{text}");
        }
        check("sys-apps/systemd", true);
        check("=sys-apps/systemd-257.13", true);
        check(">=dev-libs/openssl-3:0", true);
        check("systemd", false);
        check("sys-apps/", false);
        check("/systemd", false);
        check("sys apps/systemd", false);
        check("sys-apps/systemd;rm", false);
        check("--help/x", false);
        check("a/b/c", false);
    }
}
