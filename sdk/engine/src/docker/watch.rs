//! Removes the containers of a client that was killed.
//!
//! The client holds a pipe to its watcher and tells it the names of its containers: `+name` before one is made, `-name`
//! after its end, `!name` to have it removed at once. When the pipe closes, the watcher removes those that are left.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fs_err as fs;
use tokio::process::{Child, Command};

use super::{DockerEndpoint, remove};
use crate::{ChildProgram, EngineError};

/// Guards the containers of a Docker engine.
pub(crate) const WATCH_ROLE: &str = "docker-watch";

/// A container whose making was under way when its client was killed appears within this time.
const LATE_COMERS: [Duration; 5] = [Duration::from_millis(400); 5];

/// The client's side.
#[derive(Debug)]
pub(super) struct Watcher {
    pipe: Mutex<fs::File>,
    _child: Child,
}

impl Watcher {
    /// Starts the child. It outlives this process for a moment.
    pub(super) fn start(
        program: &ChildProgram,
        endpoint: &DockerEndpoint,
    ) -> Result<Self, EngineError> {
        let failed = |source| EngineError::ChildStart { program: format!("{program:?}"), source };
        let mut command = program.command(WATCH_ROLE);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let address = serde_json::to_string(endpoint).map_err(|error| failed(error.into()))?;
        command.arg(address).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Command::from(command).spawn().map_err(failed)?;
        let pipe = child.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let pipe = std::fs::File::from(pipe.into_owned_fd().map_err(failed)?);
        Ok(Self { pipe: Mutex::new(fs::File::from_parts(pipe, "watcher")), _child: child })
    }

    /// Has the container removed when this process or the guard dies.
    pub(super) fn guard(self: &Arc<Self>, name: &str) -> Guard {
        self.tell('+', name);
        Guard { watcher: Arc::clone(self), name: name.to_owned(), armed: true }
    }

    /// A watcher that has died cannot be told; the sweep of the next client stands in for it.
    fn tell(&self, verb: char, name: &str) {
        if let Ok(mut pipe) = self.pipe.lock() {
            let _watcher_gone = pipe.write_all(format!("{verb}{name}\n").as_bytes());
        }
    }
}

/// Has a container removed when it is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    watcher: Arc<Watcher>,
    name: String,
    armed: bool,
}

impl Guard {
    /// The container is gone, or is to stay.
    pub(super) fn release(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watcher.tell(if self.armed { '!' } else { '-' }, &self.name);
    }
}

/// The child's side.
pub(crate) fn watch(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> io::Result<()> {
    let address = arguments.next().unwrap_or_default();
    let endpoint: DockerEndpoint = serde_json::from_slice(address.as_encoded_bytes())?;
    let mut names = BTreeSet::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let Some((verb, name)) = line.split_at_checked(1) else { continue };
        match verb {
            "+" => drop(names.insert(name.to_owned())),
            "!" => {
                names.remove(name);
                remove_all(&endpoint, &BTreeSet::from([name.to_owned()]))?;
            }
            _ => drop(names.remove(name)),
        }
    }
    remove_all(&endpoint, &names)
}

fn remove_all(endpoint: &DockerEndpoint, names: &BTreeSet<String>) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = endpoint.client().map_err(io::Error::other)?;
        let mut left = names.clone();
        for pause in LATE_COMERS {
            let mut absent = BTreeSet::new();
            for name in left {
                if !matches!(remove(&client, &name).await, Ok(true)) {
                    absent.insert(name);
                }
            }
            left = absent;
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    })
}
