//! Resolving: Portage's own solver in a container, and its answer as a graph.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use serde::Deserialize;
use slipway_engine::{Access, ContainerSpec, Mount};

use crate::{Cpv, Package, PortageError, Target, base_spec};

/// The program that runs inside the SDK root.
pub const RESOLVE_SCRIPT: &str = concat!(include_str!("metadata.py"), include_str!("resolve.py"));

/// What a container for resolving sees of the host.
#[derive(Clone, Debug)]
pub struct ResolveDirs {
    /// The ebuild repository.
    pub overlay: Utf8PathBuf,
    /// An empty folder, which becomes the target's root; written to.
    pub sysroot: Utf8PathBuf,
    /// What Portage of this SDK has read out of ebuilds before; written to. Portage believes an entry if the digests of the ebuild and
    /// of its eclasses are those in it, so the folder changes no answer. Without it every ebuild is run by a shell of its own.
    pub metadata: Utf8PathBuf,
}

/// What Portage is asked about atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What has to be built; read with [`parse_resolution`].
    Graph,
    /// Where sources can be had; read with [`parse_sources`](crate::parse_sources).
    Sources,
}

impl Question {
    /// The program that asks it.
    pub fn script(self) -> &'static str {
        match self {
            Self::Graph => RESOLVE_SCRIPT,
            Self::Sources => crate::SOURCES_SCRIPT,
        }
    }
}

/// A container that prints the answer for `atoms` on its standard output.
pub fn resolve_spec(
    target: &Target,
    dirs: &ResolveDirs,
    question: Question,
    atoms: &[String],
) -> ContainerSpec {
    let mut spec = base_spec(target, "resolve");
    spec.argv = ["/opt/portage/bin/python", "-c", question.script()].map(str::to_owned).to_vec();
    spec.argv.extend_from_slice(atoms);
    let mount = |source: &Utf8PathBuf, target: &str, access| Mount {
        source: source.clone(),
        target: target.into(),
        access,
    };
    spec.mounts = vec![
        mount(&dirs.overlay, "/repos/slipway", Access::ReadOnly),
        mount(&dirs.sysroot, "/sysroot", Access::ReadWrite),
        mount(&dirs.metadata, "/var/cache/edb/dep", Access::ReadWrite),
    ];
    spec
}

/// Everything that is needed to build and run what was asked for, with exact versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    packages: BTreeMap<Cpv, Package>,
    requested: BTreeMap<String, Cpv>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    error: Option<String>,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    requested: BTreeMap<String, Cpv>,
}

/// Reads what the resolver printed.
///
/// # Errors
/// [`PortageError::Unresolvable`] with Portage's reason, or [`PortageError::Answer`] when the text is not the agreed document.
pub fn parse_resolution(text: &[u8]) -> Result<Resolution, PortageError> {
    let answer: Answer =
        serde_json::from_slice(text).map_err(|source| PortageError::Answer { source })?;
    if let Some(error) = answer.error {
        return Err(PortageError::Unresolvable { reason: readable(&error) });
    }
    let packages =
        answer.packages.into_iter().map(|package| (package.cpv.clone(), package)).collect();
    Ok(Resolution { packages, requested: answer.requested })
}

/// Portage's words without its empty lines and advice that does not apply here.
fn readable(said: &str) -> String {
    let unhelpful = |line: &str| {
        line.is_empty() || line.contains("emerge --") || line.starts_with("For more information")
    };
    let lines: Vec<_> = said.lines().map(str::trim_end).filter(|line| !unhelpful(line)).collect();
    lines.join("\n")
}

impl Resolution {
    /// All packages, in the order of their names.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// One package.
    pub fn get(&self, cpv: &Cpv) -> Option<&Package> {
        self.packages.get(cpv)
    }

    /// The package that was chosen for an atom of the request.
    pub fn requested(&self, atom: &str) -> Option<&Cpv> {
        self.requested.get(atom)
    }

    /// What is in the sysroot while `package` is built: what it declares, tools that the SDK lacks among it, what that needs to
    /// run, and the system set. The members of the system set build on what they declare alone.
    pub fn sysroot_of(&self, package: &Package) -> BTreeSet<Cpv> {
        let mut wanted: Vec<&Cpv> =
            package.edges.depend.iter().chain(&package.edges.bdepend).collect();
        if !package.implicit {
            wanted.extend(self.implicit());
        }
        let mut sysroot = self.runtime_closure(wanted);
        sysroot.remove(&package.cpv);
        sysroot
    }

    /// The given packages with everything that they need to run, what every package may use among it.
    pub fn installed<'a>(&'a self, roots: impl IntoIterator<Item = &'a Cpv>) -> BTreeSet<Cpv> {
        self.runtime_closure(roots.into_iter().chain(self.implicit()))
    }

    fn implicit(&self) -> impl Iterator<Item = &Cpv> {
        self.packages.values().filter(|package| package.implicit).map(|package| &package.cpv)
    }

    /// The given packages with everything that they name as needed to run.
    fn runtime_closure<'a>(&'a self, roots: impl IntoIterator<Item = &'a Cpv>) -> BTreeSet<Cpv> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<&Cpv> = roots.into_iter().collect();
        while let Some(cpv) = queue.pop() {
            if found.insert(cpv.clone())
                && let Some(package) = self.packages.get(cpv)
            {
                queue.extend(package.edges.rdepend.iter().chain(&package.edges.pdepend));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(cpv: &str, implicit: bool, depend: &[&str], rdepend: &[&str]) -> String {
        // What is built with a tool of its own.
        let bdepend: &[&str] = if cpv == "a/agent-1" { &["a/compiler-1"] } else { &[] };
        format!(
            r#"{{"cpv":"{cpv}","slot":"0","description":"","homepage":"","license":"","restrict":[],"use":[],"iuse":[],"eclasses":[],
               "edges":{{"depend":{depend:?},"bdepend":{bdepend:?},"rdepend":{rdepend:?},"pdepend":[],"idepend":[]}},"implicit":{implicit},"distfiles":[]}}"#
        )
    }

    fn resolution() -> Resolution {
        let packages = [
            package("a/headers-1", true, &[], &[]),
            package("a/libc-1", true, &["a/headers-1"], &[]),
            package("a/ssl-1", false, &["a/zlib-1"], &["a/zlib-1"]),
            package("a/zlib-1", false, &[], &[]),
            package("a/curl-1", false, &["a/ssl-1"], &["a/ssl-1", "a/certs-1"]),
            package("a/certs-1", false, &[], &[]),
            package("a/agent-1", false, &[], &["a/certs-1"]),
            package("a/compiler-1", false, &[], &["a/zlib-1"]),
        ];
        let text = format!(
            r#"{{"packages":[{}],"requested":{{"a/agent":"a/agent-1","a/curl":"a/curl-1"}}}}"#,
            packages.join(",")
        );
        parse_resolution(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_sysroot_holds_what_is_declared_and_no_more() {
        #[track_caller]
        fn check(cpv: &str, expected: &[&str]) {
            let resolution = resolution();
            let sysroot = resolution.sysroot_of(resolution.get(&cpv.parse().unwrap()).unwrap());
            assert_eq!(sysroot.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
        check("a/headers-1", &[]);
        check("a/libc-1", &["a/headers-1"]);
        check("a/zlib-1", &["a/headers-1", "a/libc-1"]);
        check("a/curl-1", &["a/headers-1", "a/libc-1", "a/ssl-1", "a/zlib-1"]);
        check("a/agent-1", &["a/compiler-1", "a/headers-1", "a/libc-1", "a/zlib-1"]);
    }

    #[test]
    fn an_image_holds_what_runs() {
        let resolution = resolution();
        let closure = resolution.installed(resolution.requested("a/curl"));
        let names: Vec<_> = closure.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["a/certs-1", "a/curl-1", "a/headers-1", "a/libc-1", "a/ssl-1", "a/zlib-1"]
        );
    }

    #[test]
    fn tools_stay_out_of_images() {
        let resolution = resolution();
        let closure = resolution.installed(resolution.requested("a/agent"));
        let names: Vec<_> = closure.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a/agent-1", "a/certs-1", "a/headers-1", "a/libc-1"]);
    }

    #[test]
    fn portage_reasons_are_passed_on_in_one_error() {
        let said = r#"{"error":"\n!!! All ebuilds that could satisfy \"a/b\" have been masked.\n\nFor more information, see\n(see emerge --help)\n- a/b-1 (masked by: keyword)\n"}"#;
        let error = parse_resolution(said.as_bytes()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        Portage cannot resolve the packages
        !!! All ebuilds that could satisfy "a/b" have been masked.
        - a/b-1 (masked by: keyword)
        "#);
    }

    #[test]
    fn an_answer_that_is_not_the_document_is_an_error() {
        for text in ["", "Traceback", r#"{"packages":[{}]}"#, r#"{"packages":[],"more":1}"#] {
            assert!(
                matches!(parse_resolution(text.as_bytes()), Err(PortageError::Answer { .. })),
                "{text}"
            );
        }
    }
}
