//! Checks that need no engine, made before anything starts, and the files that tell a container about its network.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::{Access, ContainerSpec, EngineError, Mount, Network};

/// Checks a spec and fills in what both engines fill in alike.
pub(crate) fn prepare(mut spec: ContainerSpec) -> Result<ContainerSpec, EngineError> {
    if let Some(reason) = contradiction(&spec) {
        return Err(EngineError::InvalidSpec { container: spec.name, reason });
    }
    if !spec.root.dir.is_dir() {
        return Err(EngineError::RootMissing { container: spec.name, path: spec.root.dir });
    }
    if let Some(mount) = spec.mounts.iter().find(|mount| !mount.source.exists()) {
        let (path, target) = (mount.source.clone(), mount.target.clone());
        return Err(EngineError::MountSourceMissing { container: spec.name, path, target });
    }
    spec.env.entry("HOME".to_owned()).or_insert_with(|| "/".to_owned());
    Ok(spec)
}

fn contradiction(spec: &ContainerSpec) -> Option<String> {
    let name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !spec.name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !spec.name.chars().all(name_char)
    {
        return Some("its name must consist of letters, digits, `-`, `_` and `.`, and start with a letter or digit".into());
    }
    if spec.argv.first().is_none_or(String::is_empty) {
        return Some("it names no program to run".into());
    }
    if let Some(argument) = spec.argv.iter().find(|argument| argument.contains('\0')) {
        return Some(format!("the argument {argument:?} contains a null character"));
    }
    if let Some(name) = spec.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Some(format!("{name:?} cannot be the name of an environment variable"));
    }
    if spec.root.id.is_empty() {
        return Some("its root file system has no id".into());
    }
    let targets = spec.mounts.iter().map(|mount| &mount.target);
    let mut absolute = targets.clone().chain([&spec.cwd]);
    if let Some(path) = absolute.find(|path| !path.is_absolute()) {
        return Some(format!("the path `{path}` must be absolute"));
    }
    let sources = spec.mounts.iter().map(|mount| &mount.source).chain([&spec.root.dir]);
    sources
        .clone()
        .find(|path| !path.is_absolute())
        .map(|path| format!("the host path `{path}` must be absolute"))
}

/// Writes `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a container into `dir` and returns their mounts.
///
/// Without a network they say only who the container itself is. A mount of the spec's own goes first.
pub(crate) fn network_files(spec: &ContainerSpec, dir: &Utf8Path) -> io::Result<Vec<Mount>> {
    let (hosts, resolv_conf) = match spec.network {
        Network::None => (
            format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t{}\n", spec.hostname),
            String::new(),
        ),
        Network::Host => (host_file("/etc/hosts")?, host_file("/etc/resolv.conf")?),
    };
    let files = [
        ("hosts", hosts),
        ("hostname", format!("{}\n", spec.hostname)),
        ("resolv.conf", resolv_conf),
    ];
    let mut mounts = Vec::new();
    for (name, content) in files {
        let target = Utf8PathBuf::from("/etc").join(name);
        if spec.mounts.iter().any(|mount| mount.target == target || mount.target == "/etc") {
            continue;
        }
        let source = dir.join(name);
        fs::write(&source, content)?;
        mounts.push(Mount { source, target, access: Access::ReadOnly });
    }
    Ok(mounts)
}

fn host_file(path: &str) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Keep, Limits, RootFs, Stdio, User};

    fn spec() -> ContainerSpec {
        ContainerSpec {
            name: "pkg".into(),
            root: RootFs { dir: "/".into(), id: "id".into() },
            mounts: Vec::new(),
            env: BTreeMap::new(),
            argv: vec!["true".into()],
            cwd: "/".into(),
            user: User::ROOT,
            network: Network::None,
            hostname: "sdk".into(),
            limits: Limits::default(),
            stdio: Stdio::Capture,
            keep: Keep::Never,
        }
    }

    #[track_caller]
    fn check(edit: impl FnOnce(&mut ContainerSpec), expected: &str) {
        let mut spec = spec();
        edit(&mut spec);
        let answer = prepare(spec).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert!(answer.contains(expected), "{answer}");
    }

    #[test]
    fn specs_are_checked() {
        check(|_| (), "ok");
        check(|spec| spec.name = "a/b".into(), "its name must consist of");
        check(|spec| spec.name = "-rf".into(), "start with a letter");
        check(|spec| spec.argv.clear(), "no program");
        check(|spec| spec.argv.push("a\0".into()), "null character");
        check(|spec| drop(spec.env.insert("A=B".into(), String::new())), "environment variable");
        check(|spec| spec.cwd = "tmp".into(), "`tmp` must be absolute");
        check(|spec| spec.root.dir = "/no/such".into(), "`/no/such` is not a directory");
        let mount = |source: &str| Mount {
            source: source.into(),
            target: "/mnt".into(),
            access: Access::ReadOnly,
        };
        check(
            |spec| spec.mounts.push(mount("/no/such")),
            "`/no/such`, to be mounted at `/mnt`, does not exist",
        );
        check(|spec| spec.mounts.push(mount("etc")), "the host path `etc` must be absolute");
    }

    #[test]
    fn home_is_added_but_not_replaced() {
        assert_eq!(prepare(spec()).unwrap().env["HOME"], "/");
        let mut with_home = spec();
        with_home.env.insert("HOME".into(), "/root".into());
        assert_eq!(prepare(with_home).unwrap().env["HOME"], "/root");
    }

    #[test]
    fn a_container_without_network_knows_itself_only() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let mounts = network_files(&spec(), dir).unwrap();
        assert_eq!(mounts.len(), 3);
        assert!(fs::read_to_string(dir.join("hosts")).unwrap().contains("127.0.0.1\tsdk\n"));
        assert_eq!(fs::read_to_string(dir.join("resolv.conf")).unwrap(), "");

        let mut own = spec();
        own.mounts.push(Mount {
            source: "/".into(),
            target: "/etc/hosts".into(),
            access: Access::ReadOnly,
        });
        assert_eq!(network_files(&own, dir).unwrap().len(), 2);
    }
}
