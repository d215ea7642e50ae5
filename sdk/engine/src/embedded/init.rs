//! The first process of a container: starts the program, passes on SIGTERM, reaps orphans, ends with its exit code.
//!
//! It is this program still, in the container and with the container's rights. Without an init of its own a shell
//! would be process 1 and ignore SIGTERM.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use camino::Utf8PathBuf;
use fs_err as fs;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use rustix::process::{
    DumpableBehavior, WaitOptions, set_dumpable_behavior, set_parent_process_death_signal, wait,
};

use crate::policy::TMP_MODE;
use crate::{ContainerSpec, User};

/// A shell's code for a program that is not there.
const NOT_FOUND: i32 = 127;
/// A shell's code for a program that cannot be executed.
const NOT_EXECUTABLE: i32 = 126;

/// What libcontainer is given to execute in the container.
#[derive(Clone, Debug)]
pub(super) struct Init {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: Utf8PathBuf,
    user: User,
}

impl Init {
    pub(super) fn new(spec: &ContainerSpec) -> Self {
        Self {
            argv: spec.argv.clone(),
            env: spec.env.clone(),
            cwd: spec.cwd.clone(),
            user: spec.user,
        }
    }

    fn run(&self) -> i32 {
        match self.start() {
            Ok(program) => await_end(program),
            Err((code, message)) => {
                let _nobody_reads_it = writeln!(io::stderr(), "slipway: {message}");
                code
            }
        }
    }

    fn start(&self) -> Result<Pid, (i32, String)> {
        let program = &self.argv[0];
        make_tmp().map_err(|error| (NOT_EXECUTABLE, error.to_string()))?;
        fs::create_dir_all(&self.cwd).map_err(|error| (NOT_EXECUTABLE, error.to_string()))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the engine, and environment and directory are set"
        )]
        let mut command = std::process::Command::new(program);
        command.args(&self.argv[1..]).env_clear().envs(&self.env).current_dir(&self.cwd);
        let child = command.uid(self.user.uid).gid(self.user.gid).spawn().map_err(|error| {
            let code =
                if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
            (code, format!("cannot execute `{program}`: {error}"))
        })?;
        i32::try_from(child.id())
            .map(Pid::from_raw)
            .map_err(|error| (NOT_EXECUTABLE, error.to_string()))
    }
}

impl Executor for Init {
    /// Does not return, as libcontainer asks.
    fn exec(&self, _spec: &Spec) -> Result<(), ExecutorError> {
        std::process::exit(self.run())
    }

    /// Called before the container is started, so that its parent is known to live.
    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        let guarded = set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
        guarded.map_err(|error| ExecutorValidationError::ArgValidationError(error.to_string()))
    }

    /// The environment is given to the program only.
    fn setup_envs(&self, _envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

fn make_tmp() -> io::Result<()> {
    if fs::metadata("/tmp").is_ok() {
        return Ok(());
    }
    fs::create_dir("/tmp")?;
    fs::set_permissions("/tmp", std::fs::Permissions::from_mode(TMP_MODE))
}

/// Waits for the program and returns its code, with 128 added to the number of a signal.
///
/// The signals are blocked after the program was started, because it would inherit that. One that comes before is lost,
/// hence the parent repeats SIGTERM.
fn await_end(program: Pid) -> i32 {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGCHLD);
    let events = signals.thread_block().and_then(|()| SignalFd::new(&signals));
    loop {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get() == program.as_raw() {
                return exit_code(status);
            }
        }
        let signal = events.as_ref().ok().and_then(|events| events.read_signal().ok().flatten());
        if signal.is_some_and(|signal| signal.ssi_signo == Signal::SIGTERM as u32) {
            let _already_gone = kill(program, Signal::SIGTERM);
        }
    }
}

/// The exit code that tells how a process ended.
pub(super) fn exit_code(status: rustix::process::WaitStatus) -> i32 {
    status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
        .unwrap_or(NOT_EXECUTABLE)
}
