//! Building one package: the container's program, environment and mounts.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use slipway_engine::{Access, ContainerSpec, Keep, Mount};

use crate::{Package, Target, base_spec, container::base_env};

/// The program that runs inside the SDK root; its arguments are the ebuild and the name of the package file.
pub const BUILD_SCRIPT: &str = include_str!("build.sh");

/// What a container for a build sees of the host.
#[derive(Clone, Debug)]
pub struct BuildDirs {
    /// An ebuild repository with this package's files alone.
    pub repository: Utf8PathBuf,
    /// The target's root with what the package declares.
    pub sysroot: Utf8PathBuf,
    /// The sources, by the names that the ebuild uses.
    pub distfiles: Utf8PathBuf,
    /// For a package of this repository: its part of the cargo workspace, and the crates that it uses.
    pub source: Option<Utf8PathBuf>,
    /// Where the package comes out, as `package.gpkg.tar`; written to.
    pub out: Utf8PathBuf,
}

/// The argument vector of a build, which is part of its cache key.
pub fn build_argv(package: &Package) -> Vec<String> {
    let ebuild = format!("/repos/slipway/{}", package.cpv.ebuild());
    ["/bin/bash", "-c", BUILD_SCRIPT, "build", &ebuild, package.cpv.category(), package.cpv.pf()]
        .map(str::to_owned)
        .to_vec()
}

/// The environment of a build, which is part of its cache key. How many jobs may run is not: results do not depend on it.
pub fn build_env(package: &Package, epoch: u64) -> BTreeMap<String, String> {
    let mut env = base_env(epoch);
    env.insert("USE".to_owned(), profile_use(package));
    env
}

/// The USE flags of a package as one setting: every flag that it knows, on or off, so that no profile can change it later.
pub fn profile_use(package: &Package) -> String {
    let flags = package.iuse.iter().filter(|flag| !flag.contains("prefix") && !is_expanded(flag));
    let setting = |flag: &String| {
        if package.r#use.contains(flag) { flag.clone() } else { format!("-{flag}") }
    };
    flags.map(setting).collect::<Vec<_>>().join(" ")
}

/// Flags that the profile derives from variables of their own, such as `elibc_glibc`.
fn is_expanded(flag: &str) -> bool {
    ["elibc_", "kernel_", "userland_", "amd64", "arm64"].iter().any(|start| flag.starts_with(start))
}

/// The container that builds `package` with `jobs` jobs at the same time.
pub fn build_spec(
    target: &Target,
    package: &Package,
    dirs: &BuildDirs,
    jobs: usize,
    keep: Keep,
) -> ContainerSpec {
    let mut spec = base_spec(target, &format!("build-{}", package.cpv.pf()));
    spec.argv = build_argv(package);
    spec.env = build_env(package, target.epoch);
    spec.env.insert("MAKEOPTS".to_owned(), format!("-j{jobs}"));
    spec.keep = keep;
    let mount = |source: &Utf8PathBuf, target: &str, access| Mount {
        source: source.clone(),
        target: target.into(),
        access,
    };
    spec.mounts = vec![
        mount(&dirs.repository, "/repos/slipway", Access::ReadOnly),
        mount(&dirs.sysroot, "/sysroot", Access::ReadOnly),
        mount(&dirs.distfiles, "/distfiles", Access::ReadOnly),
        mount(&dirs.out, "/out", Access::ReadWrite),
    ];
    spec.mounts.extend(dirs.source.iter().map(|dir| mount(dir, "/source", Access::ReadOnly)));
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        serde_json::from_str(
            r#"{"cpv":"sys-libs/zlib-1.3.1-r1","slot":"0","description":"","homepage":"","license":"","restrict":[],
                "use":["elibc_glibc","static"],"iuse":["elibc_glibc","prefix-guest","static","test"],"eclasses":[],
                "edges":{"depend":[],"bdepend":[],"rdepend":[],"pdepend":[],"idepend":[]},"implicit":false,"distfiles":[]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_build_sees_nothing_but_what_is_declared() {
        let target =
            Target { sdk: slipway_engine::RootFs { dir: "/sdk".into(), id: "1".into() }, epoch: 7 };
        let dirs = BuildDirs {
            repository: "/r".into(),
            sysroot: "/s".into(),
            distfiles: "/d".into(),
            source: None,
            out: "/o".into(),
        };
        let spec = build_spec(&target, &package(), &dirs, 3, Keep::Never);
        assert_eq!(spec.network, slipway_engine::Network::None);
        let mounts: Vec<_> = spec.mounts.iter().map(|m| (m.target.as_str(), m.access)).collect();
        assert_eq!(
            mounts,
            [
                ("/repos/slipway", Access::ReadOnly),
                ("/sysroot", Access::ReadOnly),
                ("/distfiles", Access::ReadOnly),
                ("/out", Access::ReadWrite)
            ]
        );
        assert_eq!(spec.env["MAKEOPTS"], "-j3");
        assert_eq!(spec.env["SOURCE_DATE_EPOCH"], "7");
        assert_eq!(
            spec.argv[4..],
            ["/repos/slipway/sys-libs/zlib/zlib-1.3.1-r1.ebuild", "sys-libs", "zlib-1.3.1-r1"]
        );
    }

    #[test]
    fn a_package_of_this_repository_sees_its_part_of_it() {
        let target =
            Target { sdk: slipway_engine::RootFs { dir: "/sdk".into(), id: "1".into() }, epoch: 7 };
        let dirs = BuildDirs {
            repository: "/r".into(),
            sysroot: "/s".into(),
            distfiles: "/d".into(),
            source: Some("/w".into()),
            out: "/o".into(),
        };
        let spec = build_spec(&target, &package(), &dirs, 1, Keep::Never);
        let mount = spec.mounts.iter().find(|mount| mount.target == "/source").unwrap();
        assert_eq!((mount.source.as_str(), mount.access), ("/w", Access::ReadOnly));
    }

    #[test]
    fn the_key_says_every_flag_but_not_the_number_of_jobs() {
        let env = build_env(&package(), 7);
        assert_eq!(env["USE"], "static -test");
        assert!(!env.contains_key("MAKEOPTS"));
    }
}
