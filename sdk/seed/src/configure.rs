//! Finishes an unpacked tree by commands that run inside of it: dpkg's own configuration, then the caller's setup steps.

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;

use crate::{
    dpkg,
    error::{SeedError, blocking, file},
    event::{Events, SeedEvent},
    place::{self, BuildLock},
    unpack::UnpackedTree,
};

/// Why a command in the tree failed; whoever runs commands has its own error type.
pub type RunError = Box<dyn std::error::Error + Send + Sync>;

/// A command that runs inside of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupStep {
    /// Its name, for people.
    pub name: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// All of its environment, on top of which nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Whether it may use the network.
    pub network: bool,
    /// What it sees besides the tree.
    pub mounts: Vec<StepMount>,
}

/// A directory or file of the host that a step sees, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepMount {
    /// Where it is on the host. Not part of the root's id.
    pub source: Utf8PathBuf,
    /// Where it appears in the tree.
    pub target: Utf8PathBuf,
    /// The digest of what is in it, part of the root's id: another content is another root.
    pub digest: String,
}

/// Runs commands inside of a tree: the caller's container engine.
pub trait RunInRoot: Send + Sync {
    /// Runs the step as root with `root` as its writable root file system, with `/proc`, `/dev` and `/tmp` as programs
    /// expect them, and with nothing of these left in the tree afterwards. A status other than 0 is an error.
    /// Where it can, it ends the command when this process is killed; else the command writes into a tree that nobody will use.
    fn run<'a>(
        &'a self,
        root: &'a Utf8Path,
        step: &'a SetupStep,
    ) -> BoxFuture<'a, Result<(), RunError>>;
}

/// Keeps services from being started: there is no init in the container.
const POLICY: &str = "#!/bin/sh\nexit 101\n";

const ESSENTIAL: &str = "configure essential";

/// Configures all packages, then runs the setup steps.
pub(crate) async fn configure(
    tree: UnpackedTree,
    epoch: u64,
    setup: &[SetupStep],
    run: &dyn RunInRoot,
    lock: &BuildLock,
    events: &dyn Events,
) -> Result<Utf8PathBuf, SeedError> {
    let root = tree.root.clone();
    let policy = root.join("usr/sbin/policy-rc.d");
    let held = lock.clone();
    let written = policy.clone();
    blocking("service policy", move || {
        let _held = held;
        place::write_executable(&written, POLICY)
    })
    .await?;
    let configure = ["/usr/bin/dpkg", "--force-confold", "--force-unsafe-io", "--configure"];
    let essential: Vec<_> =
        configure.into_iter().chain(tree.essential.iter().map(String::as_str)).collect();
    let steps = [
        dpkg_step("preinst", &["/bin/sh", "-c", &tree.preinst_script], epoch),
        dpkg_step(ESSENTIAL, &essential, epoch),
        dpkg_step("configure", &[&configure[..], &["-a"]].concat(), epoch),
    ];
    // dpkg wants at least one name.
    let wanted = steps.iter().filter(|step| step.name != ESSENTIAL || !tree.essential.is_empty());
    for step in wanted {
        run_step(&root, step, run, events).await?;
    }
    check_configured(&root)?;
    for step in setup {
        run_step(&root, step, run, events).await?;
    }
    fs_err::remove_file(&policy).map_err(file("remove", &policy))?;
    Ok(root)
}

fn dpkg_step(name: &str, argv: &[&str], epoch: u64) -> SetupStep {
    let epoch = epoch.to_string();
    let env = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        // Byte code and the days in /etc/shadow would say when the tree was made.
        ("SOURCE_DATE_EPOCH", &epoch),
        ("PYTHONHASHSEED", "0"),
    ];
    SetupStep {
        name: name.to_owned(),
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        network: false,
        mounts: Vec::new(),
    }
}

async fn run_step(
    root: &Utf8Path,
    step: &SetupStep,
    run: &dyn RunInRoot,
    events: &dyn Events,
) -> Result<(), SeedError> {
    events.event(SeedEvent::StepStarted { step: step.name.clone() });
    run.run(root, step).await.map_err(|source| SeedError::Step {
        step: step.name.clone(),
        root: root.to_owned(),
        source,
    })?;
    events.event(SeedEvent::StepFinished { step: step.name.clone() });
    Ok(())
}

fn check_configured(root: &Utf8Path) -> Result<(), SeedError> {
    let path = root.join("var/lib/dpkg/status");
    let status = fs_err::read_to_string(&path).map_err(file("read", &path))?;
    let packages = dpkg::not_configured(&status);
    if packages.is_empty() { Ok(()) } else { Err(SeedError::NotConfigured { packages }) }
}
