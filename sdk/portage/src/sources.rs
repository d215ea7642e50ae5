//! Where the sources of packages can be had, as Portage reads it from the ebuilds.

use serde::Deserialize;

use crate::PortageError;

/// The program that runs inside the SDK root.
pub const SOURCES_SCRIPT: &str = concat!(include_str!("metadata.py"), include_str!("sources.py"));

/// A source of which nothing but its addresses is known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name under which the ebuild finds it.
    pub name: String,
    /// Where it can be had, best first; `mirror://debian/…` stands for the host's own Debian mirror.
    pub uris: Vec<String>,
}

/// The sources of all versions of a package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageSources {
    /// Category and name, for example `sys-libs/zlib`.
    pub name: String,
    /// The sources, in the order of their names.
    pub files: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    error: Option<String>,
    #[serde(default)]
    packages: Vec<PackageSources>,
}

/// Reads what [`SOURCES_SCRIPT`] printed.
///
/// # Errors
/// [`PortageError::Unreadable`] with Portage's reason, or [`PortageError::Answer`] when the text is not the agreed document.
pub fn parse_sources(text: &[u8]) -> Result<Vec<PackageSources>, PortageError> {
    let answer: Answer =
        serde_json::from_slice(text).map_err(|source| PortageError::Answer { source })?;
    match answer.error {
        Some(reason) => Err(PortageError::Unreadable { reason }),
        None => Ok(answer.packages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        let text = br#"{"packages":[{"name":"a/b","files":[{"name":"b-1.tar","uris":["https://b.test/b-1.tar"]}]},{"name":"a/c","files":[]}]}"#;
        let packages = parse_sources(text).unwrap();
        let names: Vec<_> = packages.iter().map(|p| (p.name.as_str(), p.files.len())).collect();
        assert_eq!(names, [("a/b", 1), ("a/c", 0)]);
        assert_eq!(packages[0].files[0].uris, ["https://b.test/b-1.tar"]);
    }

    #[test]
    fn what_portage_cannot_read_is_said() {
        let error = parse_sources(br#"{"error":"there is no ebuild of a/b"}"#).unwrap_err();
        assert_eq!(error.to_string(), "the ebuilds cannot be read: there is no ebuild of a/b");
        for text in ["", "Traceback", r#"{"packages":[{}]}"#, r#"{"packages":[],"more":1}"#] {
            let error = parse_sources(text.as_bytes()).unwrap_err();
            assert!(matches!(error, PortageError::Answer { .. }), "{text}");
        }
    }
}
