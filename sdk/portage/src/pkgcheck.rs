//! pkgcheck, Gentoo's own linter for ebuild repositories: how it is run, and which of its findings this repository has a reason for.

use std::{collections::BTreeSet, fmt};

use camino::Utf8PathBuf;
use serde_json::{Map, Value};
use slipway_engine::{Access, ContainerSpec, Mount, Network};

use crate::{Cpv, PortageError, Target, base_spec};

/// pkgcheck and what it needs, as pip reads it: versions and digests. Later versions want a later bash than the SDK has.
pub const PKGCHECK_REQUIREMENTS: &str = include_str!("pkgcheck.txt");

/// The program that downloads them.
pub const WHEELS_SCRIPT: &str = include_str!("wheels.sh");

/// The program that installs and runs them.
pub const PKGCHECK_SCRIPT: &str = include_str!("pkgcheck.sh");

/// What containers for pkgcheck see of the host.
#[derive(Clone, Debug)]
pub struct PkgcheckDirs {
    /// Holds `requirements.txt`; to download also `ca.pem` if the host believes certificates of its own; to run also `wheels.tar`.
    pub input: Utf8PathBuf,
    /// To download: where `wheels.tar` comes out. To run: the ebuild repository.
    pub other: Utf8PathBuf,
}

/// A container that downloads pkgcheck. `pip` are settings of the host's package index client.
pub fn wheels_spec(
    target: &Target,
    dirs: &PkgcheckDirs,
    pip: &[(String, String)],
) -> ContainerSpec {
    let mut spec = spec(target, dirs, WHEELS_SCRIPT, "/out", Access::ReadWrite);
    spec.network = Network::Host;
    // No certificate is valid when the clock stands still in the future.
    spec.env.remove("LD_PRELOAD");
    spec.env.extend(pip.iter().cloned());
    spec
}

/// A container that prints what pkgcheck finds.
pub fn pkgcheck_spec(target: &Target, dirs: &PkgcheckDirs) -> ContainerSpec {
    let mut spec = spec(target, dirs, PKGCHECK_SCRIPT, "/repos/slipway", Access::ReadOnly);
    // It looks at a repository, not at a target.
    for name in ["PORTAGE_OVERRIDE_EPREFIX", "ROOT", "SYSROOT"] {
        spec.env.remove(name);
    }
    spec
}

fn spec(
    target: &Target,
    dirs: &PkgcheckDirs,
    script: &str,
    place: &str,
    access: Access,
) -> ContainerSpec {
    let mut spec = base_spec(target, "pkgcheck");
    spec.argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    spec.mounts = vec![
        Mount { source: dirs.input.clone(), target: "/in".into(), access: Access::ReadOnly },
        Mount { source: dirs.other.clone(), target: place.into(), access },
    ];
    spec
}

/// Something that pkgcheck does not like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Its name for the kind of problem, such as `UnknownLicense`.
    pub class: String,
    /// Category and name of the package, or the eclass or file; empty for the repository.
    pub subject: String,
    /// Everything else that it says.
    pub details: Details,
}

/// What a finding says beside class and subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Details(Vec<(String, String)>);

/// What this repository does otherwise than pkgcheck wants it: the class, the subject (empty for any), and why.
/// The list may only shrink. What is here for the sake of a build's cache goes when that ebuild changes for another reason.
const ACCEPTED: &[(&str, &str, &str)] = &[
    ("BannedCharacter", "net-misc/openssh", "systemd's name for the template of a unit has an `@`"),
    ("BadDescription", "", "a description is no reason to build a package again"),
    ("DeprecatedInsinto", "", "there is no systemd.eclass: units have one place"),
    ("EclassDocError", "", "a comment of an eclass is no reason to build all its users again"),
    ("EclassDocMissingFunc", "meson", "as above"),
    ("ExcessiveLineLength", "", "options, addresses and patterns are not broken"),
    (
        "MissingPythonEclass",
        "",
        "the SDK has one Python, and eclasses to choose another are not here",
    ),
    ("NonexistentCategories", "", "categories of the SDK's tools, which Portage has to know"),
    ("StaticSrcUri", "sys-libs/zlib", "a way to write the same address"),
];

/// Reads what pkgcheck printed.
///
/// # Errors
/// [`PortageError::Findings`] for a line that is no JSON object.
pub fn findings(text: &str) -> Result<Vec<Finding>, PortageError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut findings = lines.map(finding).collect::<Result<Vec<_>, _>>()?;
    findings.sort();
    Ok(findings)
}

fn finding(line: &str) -> Result<Finding, PortageError> {
    let mut said: Map<String, Value> = serde_json::from_str(line)
        .map_err(|source| PortageError::Findings { line: line.to_owned(), source })?;
    let mut take = |name: &str| said.remove(name).as_ref().map(text).unwrap_or_default();
    let class = take("__class__");
    let subject = match (take("category"), take("package")) {
        (category, name) if !category.is_empty() && !name.is_empty() => {
            format!("{category}/{name}")
        }
        (category, _) if !category.is_empty() => category,
        _ => [take("eclass"), take("path")].into_iter().find(|s| !s.is_empty()).unwrap_or_default(),
    };
    let details = said.into_iter().map(|(name, value)| (name, text(&value))).collect();
    Ok(Finding { class, subject, details: Details(details) })
}

/// A value as a person writes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The findings that this repository has no reason for. `provided` lists what the SDK provides, as Portage reads it.
pub fn unexpected(findings: Vec<Finding>, provided: &str) -> Vec<Finding> {
    let tools: BTreeSet<String> = provided
        .lines()
        .filter_map(|line| Some(line.parse::<Cpv>().ok()?.category_and_name().to_owned()))
        .collect();
    let accepted = |finding: &Finding| {
        ACCEPTED.iter().any(|(class, subject, _)| {
            finding.class == *class && (subject.is_empty() || finding.subject == *subject)
        })
    };
    findings.into_iter().filter(|f| !accepted(f) && !about_tools(f, &tools)).collect()
}

/// Whether the finding misses nothing but tools that the SDK provides.
fn about_tools(finding: &Finding, tools: &BTreeSet<String>) -> bool {
    let missed = match finding.class.as_str() {
        "NonexistentDeps" => finding.details.get("nonexistent"),
        "NonsolvableDepsInStable" => finding.details.get("deps"),
        _ => None,
    };
    missed.is_some_and(|missed| missed.split(' ').all(|atom| tools.contains(atom)))
}

impl Details {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = if self.subject.is_empty() { "the repository" } else { &self.subject };
        write!(f, "{subject}: {}", self.class)?;
        for (at, (name, value)) in self.details.0.iter().enumerate() {
            let lead = if at == 0 { ": " } else { ", " };
            write!(f, "{lead}{name} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDED: &str = "# Tools.\nsys-devel/bison-3.8.2\nvirtual/pkgconfig-0\n";

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let found = unexpected(findings(line).unwrap(), PROVIDED);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_there_is_no_reason_for_is_said() {
        check("\n", &[]);
        check(
            r#"{"__class__":"UnknownLicense","category":"a-b","package":"c","version":"1","licenses":["X","Y"]}"#,
            &["a-b/c: UnknownLicense: licenses X Y, version 1"],
        );
        check(
            r#"{"__class__":"UnknownProfileUseExpand","path":"base/make.defaults","groups":["P"],"profile_deprecated":false}"#,
            &["base/make.defaults: UnknownProfileUseExpand: groups P, profile_deprecated false"],
        );
        check(
            r#"{"__class__":"UnusedMirrors","mirrors":["m"]}"#,
            &["the repository: UnusedMirrors: mirrors m"],
        );
        check(
            r#"{"__class__":"CatMetadataXmlIndentation","category":"a-b"}"#,
            &["a-b: CatMetadataXmlIndentation"],
        );
    }

    #[test]
    fn what_there_is_a_reason_for_is_not() {
        check(
            r#"{"__class__":"ExcessiveLineLength","category":"a-b","package":"c","lines":[1]}"#,
            &[],
        );
        let banned = |package: &str| {
            format!(
                r#"{{"__class__":"BannedCharacter","category":"net-misc","package":"{package}"}}"#
            )
        };
        check(&banned("openssh"), &[]);
        check(&banned("curl"), &["net-misc/curl: BannedCharacter"]);
    }

    #[test]
    fn tools_of_the_sdk_are_no_missing_packages() {
        let missing = |atoms: &str| {
            format!(
                r#"{{"__class__":"NonexistentDeps","category":"a-b","package":"c","nonexistent":[{atoms}]}}"#
            )
        };
        check(&missing(r#""sys-devel/bison","virtual/pkgconfig""#), &[]);
        let other = r#""sys-devel/bison","sys-devel/flex""#;
        check(
            &missing(other),
            &["a-b/c: NonexistentDeps: nonexistent sys-devel/bison sys-devel/flex"],
        );
    }

    #[test]
    fn what_is_no_finding_is_an_error() {
        let error = findings("{}\nTraceback").unwrap_err();
        assert_eq!(error.to_string(), "pkgcheck's answer cannot be read: `Traceback`");
    }

    #[test]
    fn everything_that_is_downloaded_is_pinned() {
        let pinned = |line: &str| {
            let (name, hash) = line.split_once(" --hash=sha256:").unwrap();
            assert!(name.contains("==") && hash.len() == 64, "{line}");
        };
        PKGCHECK_REQUIREMENTS.lines().for_each(pinned);
        assert!(PKGCHECK_REQUIREMENTS.lines().any(|line| line.starts_with("pkgcheck==")));
    }
}
