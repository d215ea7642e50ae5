//! Identifiers of applications.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::OmahaError;
use crate::error::excerpt;

/// The longest identifier, in bytes, braces not counted.
const MAX_ID: usize = 128;

/// The identifier of an application, as it was sent.
///
/// The update engine of CoreOS wraps it in braces, its fake clients and the documents do not, and old tools write
/// capitals. Two identifiers are equal when they are without braces and case; [`fmt::Display`] gives back what came
/// in, because an answer has to echo it.
#[derive(Debug, Clone)]
pub struct AppId {
    sent: String,
    bare: String,
}

impl AppId {
    /// Without braces, in small letters: the key by which to look it up.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    /// As it was sent, with or without braces.
    pub fn as_sent(&self) -> &str {
        &self.sent
    }
}

impl FromStr for AppId {
    type Err = OmahaError;

    fn from_str(text: &str) -> Result<Self, OmahaError> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if inner.is_empty() || inner.len() > MAX_ID || !inner.chars().all(fits) {
            return Err(OmahaError::AppId { value: excerpt(text) });
        }
        Ok(Self { sent: text.to_owned(), bare: inner.to_ascii_lowercase() })
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sent)
    }
}

impl PartialEq for AppId {
    fn eq(&self, other: &Self) -> bool {
        self.bare == other.bare
    }
}

impl Eq for AppId {}

impl PartialOrd for AppId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AppId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bare.cmp(&other.bare)
    }
}

impl Hash for AppId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bare.hash(state);
    }
}
