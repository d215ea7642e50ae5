//! Turns a container's spec into the request that makes it.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as DockerMount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, ResourcesUlimits,
};

use crate::policy::{CAPABILITIES, MASKED_PATHS, OPEN_FILES, READONLY_PATHS, SHM_BYTES};
use crate::{Access, ContainerSpec, Mount, Network};

/// Variables that a daemon adds, unless they are named without a value.
const ADDED_BY_DOCKER: &[&str] = &["HOSTNAME", "PATH", "TERM"];

/// The request for a container of `image`. `terminal` tells whether it gets a pseudo-terminal and input.
pub(super) fn create(
    spec: &ContainerSpec,
    image: String,
    extra: &[Mount],
    terminal: bool,
) -> ContainerCreateBody {
    let given = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
    let unset = ADDED_BY_DOCKER.iter().filter(|name| !spec.env.contains_key(**name));
    ContainerCreateBody {
        image: Some(image),
        hostname: Some(spec.hostname.clone()),
        user: Some(format!("{}:{}", spec.user.uid, spec.user.gid)),
        env: Some(given.chain(unset.map(|name| (*name).to_owned())).collect()),
        // As the entry point, not the command, an image's own entry point cannot get in the way.
        entrypoint: Some(spec.argv.clone()),
        working_dir: Some(spec.cwd.to_string()),
        tty: Some(terminal),
        open_stdin: Some(terminal),
        stdin_once: Some(terminal),
        attach_stdin: Some(terminal),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(host_config(spec, extra)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, extra: &[Mount]) -> HostConfig {
    let memory = spec.limits.memory_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let network = match spec.network {
        Network::None => "none",
        Network::Host => "host",
    };
    let owned =
        |list: &[&str]| Some(list.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
    HostConfig {
        init: Some(!covers_init(&spec.mounts)),
        mounts: Some(extra.iter().chain(&spec.mounts).map(mount).collect()),
        network_mode: Some(network.to_owned()),
        ipc_mode: Some("private".to_owned()),
        memory,
        memory_swap: memory,
        pids_limit: spec.limits.pids.map(i64::from),
        shm_size: Some(SHM_BYTES.into()),
        ulimits: Some(vec![ulimit("nofile", OPEN_FILES.into()), ulimit("core", 0)]),
        cap_drop: owned(&["ALL"]),
        cap_add: owned(CAPABILITIES),
        masked_paths: owned(MASKED_PATHS),
        readonly_paths: owned(READONLY_PATHS),
        // The output goes to the caller only; the daemon must not fill its disk with it.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: Some(HashMap::new()),
        }),
        ..HostConfig::default()
    }
}

/// Whether a mount lies over the place where the daemon puts its own first process (`/sbin/docker-init`, `/sbin` being a link
/// into `/usr` on most systems). Then it would not be found, or would leave its mount point in the caller's files.
fn covers_init(mounts: &[Mount]) -> bool {
    mounts.iter().any(|mount| matches!(mount.target.as_str(), "/" | "/usr" | "/usr/sbin" | "/sbin"))
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

fn mount(mount: &Mount) -> DockerMount {
    let propagation = Some(MountBindOptionsPropagationEnum::RPRIVATE);
    DockerMount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_string()),
        target: Some(mount.target.to_string()),
        read_only: Some(mount.access == Access::ReadOnly),
        bind_options: Some(MountBindOptions { propagation, ..MountBindOptions::default() }),
        ..DockerMount::default()
    }
}
