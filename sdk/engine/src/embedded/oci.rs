//! Turns a container's spec into the one of the Open Container Initiative, which libcontainer reads.

use std::collections::HashSet;

use camino::Utf8Path;
use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{
    Capability, Linux, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxDeviceCgroupBuilder,
    LinuxDeviceType, LinuxMemoryBuilder, LinuxNamespaceBuilder, LinuxNamespaceType,
    LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Mount as OciMount, MountBuilder,
    PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder, RootBuilder, Spec, SpecBuilder,
    UserBuilder,
};

use super::console::Console;
use crate::policy::{CAPABILITIES, MASKED_PATHS, OPEN_FILES, READONLY_PATHS, SHM_BYTES};
use crate::{Access, ContainerSpec, Limits, Mount};

/// Makes the OCI spec of a container whose file system is seen at `rootfs`.
///
/// Without a control group nothing is limited. The network namespace is missing on purpose: the container gets the one of its parent, where loopback is up.
pub(super) fn spec(
    container: &ContainerSpec,
    rootfs: &Utf8Path,
    cgroup: Option<&Utf8Path>,
    extra: &[Mount],
    console: &Console,
) -> Result<Spec, OciSpecError> {
    let mut mounts = system_mounts()?;
    for mount in extra.iter().chain(&container.mounts) {
        mounts.push(bind(mount)?);
    }
    SpecBuilder::default()
        .version("1.0.2")
        .root(RootBuilder::default().path(rootfs.as_std_path()).readonly(false).build()?)
        .hostname(container.hostname.clone())
        .mounts(mounts)
        .process(process(container, console)?)
        .linux(linux(container.limits, cgroup)?)
        .build()
}

/// The init is root. It changes to the user when it starts the program.
fn process(container: &ContainerSpec, console: &Console) -> Result<Process, OciSpecError> {
    let capabilities = capabilities(CAPABILITIES)?;
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(capabilities.clone())
        .effective(capabilities.clone())
        .permitted(capabilities)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?;
    let limit =
        |kind, value: u64| PosixRlimitBuilder::default().typ(kind).soft(value).hard(value).build();
    let rlimits = vec![
        limit(PosixRlimitType::RlimitNofile, OPEN_FILES.into())?,
        limit(PosixRlimitType::RlimitCore, 0)?,
    ];
    ProcessBuilder::default()
        .terminal(console.is_terminal())
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).umask(0o022_u32).build()?)
        .args(container.argv.clone())
        .env(Vec::new())
        .cwd("/")
        .capabilities(capabilities)
        .rlimits(rlimits)
        .no_new_privileges(false)
        .build()
}

/// Parses names the way an OCI spec writes them.
fn capabilities(names: &[&str]) -> Result<HashSet<Capability>, OciSpecError> {
    Ok(serde_json::from_value(serde_json::json!(names))?)
}

fn linux(limits: Limits, cgroup: Option<&Utf8Path>) -> Result<Linux, OciSpecError> {
    let kinds = [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Mount,
    ];
    let namespaces = kinds.map(|kind| LinuxNamespaceBuilder::default().typ(kind).build());
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let linux = LinuxBuilder::default()
        .namespaces(namespaces.into_iter().collect::<Result<Vec<_>, _>>()?)
        .masked_paths(owned(MASKED_PATHS))
        .readonly_paths(owned(READONLY_PATHS));
    match cgroup {
        Some(cgroup) => {
            linux.cgroups_path(cgroup.as_std_path()).resources(resources(limits)?).build()
        }
        None => {
            let mut linux = linux.build()?;
            linux.set_resources(None);
            Ok(linux)
        }
    }
}

/// The limits, and no devices but the few that libcontainer always allows.
///
/// Version 2 control groups filter devices by a program in the kernel, which this build of libcontainer leaves out.
fn resources(limits: Limits) -> Result<LinuxResources, OciSpecError> {
    let no_device = LinuxDeviceCgroupBuilder::default()
        .allow(false)
        .typ(LinuxDeviceType::A)
        .access("rwm")
        .build()?;
    let mut resources = LinuxResourcesBuilder::default().devices(vec![no_device]);
    if let Some(bytes) = limits.memory_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        resources =
            resources.memory(LinuxMemoryBuilder::default().limit(bytes).swap(bytes).build()?);
    }
    if let Some(pids) = limits.pids {
        resources = resources.pids(LinuxPidsBuilder::default().limit(i64::from(pids)).build()?);
    }
    resources.build()
}

fn system_mounts() -> Result<Vec<OciMount>, OciSpecError> {
    let shm_size = format!("size={SHM_BYTES}");
    let table: [(&str, &str, &[&str]); 5] = [
        ("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        ("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        (
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        ("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        ("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &shm_size]),
    ];
    let mount = |(target, kind, options): (&str, &str, &[&str])| {
        let options = options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>();
        MountBuilder::default().destination(target).typ(kind).source(kind).options(options).build()
    };
    table.into_iter().map(mount).collect()
}

fn bind(mount: &Mount) -> Result<OciMount, OciSpecError> {
    let mut options = vec!["rbind".to_owned(), "rprivate".to_owned()];
    if mount.access == Access::ReadOnly {
        options.extend(["ro".to_owned(), "rro".to_owned()]);
    }
    let builder = MountBuilder::default().typ("bind").options(options);
    builder.source(mount.source.as_std_path()).destination(mount.target.as_std_path()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_is_known() {
        assert_eq!(capabilities(CAPABILITIES).unwrap().len(), CAPABILITIES.len());
        capabilities(&["CAP_NO_SUCH"]).unwrap_err();
    }
}
