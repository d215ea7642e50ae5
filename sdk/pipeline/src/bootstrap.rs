//! Running the seed's steps with the container engine.
//!
//! An engine's root is read-only below a scratch layer, but a bootstrap has to write. So the container's root is a skeleton, and
//! each folder of the tree is mounted into it, writable. Both engines can do that.

use std::{io, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use slipway_engine::{
    Access, CancellationToken, ContainerSpec, Exit, Keep, Limits, Mount, RootFs, Stdio, User,
};
use slipway_portage::{SETUP_VERSION, setup_files};
use slipway_seed::{PortageSpec, RunInRoot, SetupStep, StepMount};
use slipway_store::Digest;
use tokio::sync::mpsc;

use crate::EngineSource;

/// Runs seed steps in containers.
pub struct EngineInRoot {
    /// The engine.
    pub engine: Arc<EngineSource>,
    /// Where the skeleton is made.
    pub work: Utf8PathBuf,
}

/// Folders of the root that the setup needs and no Debian package has.
const FOLDERS: [&str; 9] =
    ["build", "distfiles", "in", "opt", "out", "repos", "setup", "sysroot", "wheel"];

/// The kernel's and the engine's own folders.
const OF_THE_ENGINE: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("the step `{step}` ended with {exit:?}\n{output}")]
struct StepFailed {
    step: String,
    exit: Exit,
    output: String,
}

impl RunInRoot for EngineInRoot {
    fn run<'a>(
        &'a self,
        root: &'a Utf8Path,
        step: &'a SetupStep,
    ) -> BoxFuture<'a, Result<(), slipway_seed::RunError>> {
        Box::pin(async move {
            let skeleton = self.work.join("skeleton");
            let mut mounts = tree_mounts(root, &skeleton)?;
            if step.network {
                mounts.extend(name_resolution(root)?);
            }
            // One place, one mount: Docker refuses a second.
            mounts.retain(|mount| step.mounts.iter().all(|given| given.target != mount.target));
            for mount in &step.mounts {
                mounts.push(Mount {
                    source: mount.source.clone(),
                    target: mount.target.clone(),
                    access: Access::ReadOnly,
                });
            }
            let spec = ContainerSpec {
                name: format!("seed-{}", step.name.replace(' ', "-")),
                root: RootFs { dir: skeleton, id: "seed-skeleton-2".to_owned() },
                mounts,
                env: step.env.iter().cloned().collect(),
                argv: step.argv.clone(),
                cwd: "/".into(),
                user: User::ROOT,
                network: if step.network {
                    slipway_engine::Network::Host
                } else {
                    slipway_engine::Network::None
                },
                hostname: "slipway".to_owned(),
                limits: Limits::default(),
                stdio: Stdio::Capture,
                keep: Keep::Never,
            };
            let engine = self.engine.get().await?;
            let (sender, mut output) = mpsc::channel::<slipway_engine::Chunk>(64);
            let tail = tokio::spawn(async move {
                let mut tail = Vec::new();
                while let Some(chunk) = output.recv().await {
                    tail.extend_from_slice(&chunk.data);
                    let from = tail.len().saturating_sub(4000);
                    tail.drain(..from);
                }
                tail
            });
            let run = engine.run(spec, sender, CancellationToken::new()).await?;
            let output = String::from_utf8_lossy(&tail.await?).into_owned();
            if run.exit.success() {
                Ok(())
            } else {
                Err(StepFailed { step: step.name.clone(), exit: run.exit, output }.into())
            }
        })
    }
}

/// Makes the skeleton of `root`, and says what is mounted where.
fn tree_mounts(root: &Utf8Path, skeleton: &Utf8Path) -> io::Result<Vec<Mount>> {
    if skeleton.exists() {
        fs_err::remove_dir_all(skeleton)?;
    }
    for folder in FOLDERS {
        fs_err::create_dir_all(root.join(folder))?;
    }
    // The wheel's data is looked for below `/`.
    if !root.join("share").is_symlink() {
        fs_err::os::unix::fs::symlink("opt/portage/share", root.join("share"))?;
    }
    for folder in OF_THE_ENGINE {
        fs_err::create_dir_all(skeleton.join(folder))?;
    }
    let mut mounts = Vec::new();
    for entry in fs_err::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (source, kind) = (root.join(&name), entry.file_type()?);
        if kind.is_symlink() {
            fs_err::os::unix::fs::symlink(fs_err::read_link(&source)?, skeleton.join(&name))?;
        } else if kind.is_dir() && !OF_THE_ENGINE.contains(&name.as_str()) {
            fs_err::create_dir_all(skeleton.join(&name))?;
            mounts.push(Mount {
                source,
                target: format!("/{name}").into(),
                access: Access::ReadWrite,
            });
        }
    }
    Ok(mounts)
}

/// The host's way to resolve names. The engine gives it too, but the tree's own `/etc` lies on top of that.
fn name_resolution(root: &Utf8Path) -> io::Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        let source = Utf8PathBuf::from(file);
        if source.exists() {
            let place = root.join(file.trim_start_matches('/'));
            if !place.exists() {
                fs_err::write(place, "")?;
            }
            mounts.push(Mount {
                source: source.canonicalize_utf8()?,
                target: file.into(),
                access: Access::ReadOnly,
            });
        }
    }
    Ok(mounts)
}

/// The steps after Debian's packages are configured: Portage and the toolchain. `work` keeps their files while they run;
/// `pip` are settings of the host's package index client (`PIP_INDEX_URL` and the like), `ca_bundle` its certificates.
///
/// # Errors
/// When the files cannot be written.
pub fn setup_steps(
    portage: &PortageSpec,
    work: &Utf8Path,
    pip: &[(String, String)],
    ca_bundle: Option<&Utf8Path>,
) -> io::Result<Vec<SetupStep>> {
    let dir = work.join("setup");
    fs_err::create_dir_all(&dir)?;
    let mut listing = format!("setup {SETUP_VERSION}\n");
    for file in setup_files() {
        fs_err::write(dir.join(file.name), file.text)?;
        listing.push_str(file.name);
        listing.push_str(&Digest::of_bytes(file.text.as_bytes()).to_string());
    }
    let requirement = format!("portage=={} --hash=sha256:{}\n", portage.version, portage.sha256);
    fs_err::write(dir.join("requirements.txt"), &requirement)?;
    listing.push_str(&requirement);
    let mount = |source: Utf8PathBuf, target: &str, digest: String| StepMount {
        source,
        target: target.into(),
        digest,
    };
    let files = mount(dir, "/setup", Digest::of_bytes(listing.as_bytes()).to_string());
    let env: Vec<(String, String)> = [
        ("PATH", "/usr/sbin:/usr/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let step = |name: &str, script: &str| SetupStep {
        name: name.to_owned(),
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: env.clone(),
        network: false,
        mounts: vec![files.clone()],
    };
    let mut download = step(
        "download Portage",
        "python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r /setup/requirements.txt -d /wheel",
    );
    download.network = true;
    download.env.extend(pip.iter().cloned());
    if let Some(ca_bundle) = ca_bundle {
        download.env.push(("PIP_CERT".to_owned(), "/in/ca.pem".to_owned()));
        // Which certificates a host believes does not change what is downloaded: the digest does.
        download.mounts.push(mount(ca_bundle.to_owned(), "/in/ca.pem", "certificates".to_owned()));
    }
    let install = step(
        "install Portage",
        "sh /setup/portage.sh /wheel/portage-*.whl /setup/package.provided && rm -r /wheel/*",
    );
    let toolchain = step("install the toolchain", "sh /setup/toolchain.sh /setup/clock.c");
    Ok(vec![download, install, toolchain])
}
