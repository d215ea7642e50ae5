//! What all containers of the SDK have in common.

use std::collections::BTreeMap;

use slipway_engine::{ContainerSpec, Keep, Limits, Network, RootFs, Stdio, User};

/// For what and with what is built.
#[derive(Clone, Debug)]
pub struct Target {
    /// The SDK root.
    pub sdk: RootFs,
    /// Seconds since 1970 for file formats that ask for a date (`SOURCE_DATE_EPOCH`).
    pub epoch: u64,
}

/// A container on the SDK root: no network, no host path, nothing of the host's environment, a fixed host name and a clock that
/// stands still. The caller adds program and mounts.
pub fn base_spec(target: &Target, name: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        root: target.sdk.clone(),
        mounts: Vec::new(),
        env: base_env(target.epoch),
        argv: Vec::new(),
        cwd: "/".into(),
        user: User::ROOT,
        network: Network::None,
        hostname: "slipway".to_owned(),
        limits: Limits::default(),
        stdio: Stdio::Capture,
        keep: Keep::Never,
    }
}

pub(crate) fn base_env(epoch: u64) -> BTreeMap<String, String> {
    [
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("LD_PRELOAD", "/opt/toolchain/clock.so"),
        ("NOCOLOR", "true"),
        // Portage comes last: its virtual environment has a python of its own, which builds must not find.
        ("PATH", "/opt/toolchain/bin:/usr/bin:/usr/sbin:/opt/portage/bin"),
        // Portage from a wheel believes that it lives in a prefix.
        ("PORTAGE_OVERRIDE_EPREFIX", ""),
        ("ROOT", "/sysroot"),
        ("SYSROOT", "/sysroot"),
        ("TERM", "dumb"),
        ("TZ", "UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .chain([("SOURCE_DATE_EPOCH".to_owned(), epoch.to_string())])
    .collect()
}
