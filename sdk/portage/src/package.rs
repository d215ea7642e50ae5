//! Packages as Portage resolved them.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Category, name and version of a package, for example `sys-libs/zlib-1.3.1` (PMS section 3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpv {
    text: String,
    slash: usize,
    version: usize,
}

/// Why a text is not a [`Cpv`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a package with a version")]
pub struct CpvError(String);

impl Cpv {
    /// For example `sys-libs`.
    pub fn category(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The name without version: `zlib` (`PN` of PMS).
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..self.version]
    }

    /// Category and name: `sys-libs/zlib`.
    pub fn category_and_name(&self) -> &str {
        &self.text[..self.version]
    }

    /// Name, version and revision: `zlib-1.3.1-r1` (`PF` of PMS).
    pub fn pf(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// Version and revision: `1.3.1-r1` (`PVR` of PMS).
    pub fn version(&self) -> &str {
        &self.text[self.version + 1..]
    }

    /// Where its ebuild is in a repository.
    pub fn ebuild(&self) -> String {
        format!("{}/{}.ebuild", self.category_and_name(), self.pf())
    }
}

impl FromStr for Cpv {
    type Err = CpvError;

    fn from_str(text: &str) -> Result<Self, CpvError> {
        let error = || CpvError(text.to_owned());
        let word = |c: char| c.is_ascii_alphanumeric() || "+_.-".contains(c);
        let slash = text.find('/').filter(|&at| at > 0).ok_or_else(error)?;
        let rest = &text[slash + 1..];
        // The version begins at the last hyphen with a digit behind; a revision (`-r1`) has a letter there.
        let version = rest
            .rmatch_indices('-')
            .map(|(at, _)| at)
            .find(|&at| rest[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        let version = slash + 1 + version.filter(|&at| at > 0).ok_or_else(error)?;
        let valid = text[..slash].chars().all(word) && rest.chars().all(word);
        if valid { Ok(Self { text: text.to_owned(), slash, version }) } else { Err(error()) }
    }
}

impl TryFrom<String> for Cpv {
    type Error = CpvError;

    fn try_from(text: String) -> Result<Self, CpvError> {
        text.parse()
    }
}

impl From<Cpv> for String {
    fn from(cpv: Cpv) -> Self {
        cpv.text
    }
}

impl fmt::Display for Cpv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// A digest of a Manifest in lower-case hexadecimal (GLEP 74).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DigestText(pub String);

/// A source file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distfile {
    /// The name under which the ebuild finds it.
    pub name: String,
    /// Where it can be had, best first; `mirror://debian/…` stands for the host's own Debian mirror.
    pub uris: Vec<String>,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE2b-512.
    pub blake2b: DigestText,
    /// SHA-512.
    pub sha512: DigestText,
}

/// What a package depends on, by kind (PMS section 8): the packages that Portage chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// Needed in the sysroot while it is built.
    pub depend: BTreeSet<Cpv>,
    /// Needed on the build machine; what the SDK provides is not listed. It lies in the sysroot while the package is built.
    pub bdepend: BTreeSet<Cpv>,
    /// Needed where it runs.
    pub rdepend: BTreeSet<Cpv>,
    /// Needed where it runs, but may come later.
    pub pdepend: BTreeSet<Cpv>,
    /// Needed while it is installed.
    pub idepend: BTreeSet<Cpv>,
}

/// One resolved package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// What it is.
    pub cpv: Cpv,
    /// Its slot.
    pub slot: String,
    /// One line for people.
    pub description: String,
    /// The project's page.
    pub homepage: String,
    /// Its licence expression, in Gentoo's names.
    pub license: String,
    /// `RESTRICT` of the ebuild.
    pub restrict: Vec<String>,
    /// The USE flags that are on.
    pub r#use: Vec<String>,
    /// The USE flags that it knows.
    pub iuse: Vec<String>,
    /// The eclasses that it inherits, indirectly too.
    pub eclasses: Vec<String>,
    /// What it depends on.
    pub edges: Edges,
    /// Whether it is part of the system set, which every other package has in its sysroot.
    pub implicit: bool,
    /// Its sources.
    pub distfiles: Vec<Distfile>,
}

/// The eclass of packages that are built from a crate of this repository.
const WORKSPACE_ECLASS: &str = "slipway-cargo";

impl Package {
    /// The crate of this repository that the package is built from: `slipway-NAME` for a package `NAME` that inherits
    /// `slipway-cargo.eclass`.
    pub fn workspace_crate(&self) -> Option<String> {
        let inherits = self.eclasses.iter().any(|eclass| eclass == WORKSPACE_ECLASS);
        inherits.then(|| format!("slipway-{}", self.cpv.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_built_from_the_crate_of_its_name() {
        #[track_caller]
        fn check(eclasses: &str, expected: Option<&str>) {
            let package: Package = serde_json::from_str(&format!(
                r#"{{"cpv":"slipway-base/update-engine-0","slot":"0","description":"","homepage":"","license":"","restrict":[],
                    "use":[],"iuse":[],"eclasses":{eclasses},"edges":{{"depend":[],"bdepend":[],"rdepend":[],"pdepend":[],
                    "idepend":[]}},"implicit":false,"distfiles":[]}}"#
            ))
            .unwrap();
            assert_eq!(package.workspace_crate().as_deref(), expected, "{eclasses}");
        }
        check(r#"["slipway-cargo","systemd"]"#, Some("slipway-update-engine"));
        check(r#"["cargo"]"#, None);
        check("[]", None);
    }

    #[test]
    fn package_versions() {
        #[track_caller]
        fn check(text: &str, expected: Option<(&str, &str, &str)>) {
            let cpv = text.parse::<Cpv>().ok();
            assert_eq!(
                cpv.as_ref().map(|c| (c.category(), c.name(), c.version())),
                expected,
                "{text}"
            );
        }
        check("sys-libs/zlib-1.3.1", Some(("sys-libs", "zlib", "1.3.1")));
        check("sys-libs/zlib-1.3.1-r2", Some(("sys-libs", "zlib", "1.3.1-r2")));
        check("dev-libs/gtk-2-engines-4_p1", Some(("dev-libs", "gtk-2-engines", "4_p1")));
        check("net-misc/openssh-10.0_p1", Some(("net-misc", "openssh", "10.0_p1")));
        check("sys-libs/zlib", None);
        check("zlib-1", None);
        check("/zlib-1", None);
        check("sys-libs/-1", None);
        check("a/b-1 c", None);
        check("a/../b-1", None);
    }
}
