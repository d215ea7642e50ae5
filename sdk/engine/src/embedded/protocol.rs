//! What the engine and its child say to each other: a request line, maybe a cancellation, a report line.

use std::io;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{ContainerSpec, Failure, Kept};

/// Said by the parent after the request to cancel the run.
pub(super) const CANCEL: &[u8] = b"cancel\n";

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) spec: ContainerSpec,
    pub(super) scratch_dir: Utf8PathBuf,
    pub(super) grace_ms: u64,
}

/// What the child answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The container ran; `code` is the exit code of its init.
    Done { code: i32, cancelled: bool, out_of_memory: bool, kept: Option<Kept> },
    /// It could not be made.
    Failed(Failure),
}

impl Request {
    pub(super) fn to_line(&self) -> io::Result<Vec<u8>> {
        to_line(self)
    }

    pub(super) fn from_line(line: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(line)?)
    }
}

impl Report {
    pub(super) fn to_line(&self) -> io::Result<Vec<u8>> {
        to_line(self)
    }

    pub(super) fn from_line(line: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(line)?)
    }
}

fn to_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
