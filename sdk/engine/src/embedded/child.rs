//! The entry of the re-executed program.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::net::{RecvFlags, recv};

use super::CHILD_NAME;
use super::protocol::{Report, Request};
use super::supervise::supervise;
use crate::{Failure, docker};

/// Makes and guards one container.
pub(super) const CONTAINER_ROLE: &str = "container";

/// The longest request that is accepted.
const REQUEST_BYTES: usize = 16 << 20;

/// Does the work of a child if this process is one. Call it first thing in `main`, before there is any thread.
///
/// `Some` is the code to end with. `None` means that this is an ordinary process that goes on.
#[must_use]
pub fn embedded_child_main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next().as_deref() != Some(OsStr::new(CHILD_NAME)) {
        return None;
    }
    let role = arguments.next().unwrap_or_default();
    let result = match role.to_str() {
        Some(CONTAINER_ROLE) => container(),
        Some(docker::WATCH_ROLE) => docker::watch(arguments),
        _ => Err(io::Error::other("unknown role")),
    };
    Some(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn container() -> io::Result<()> {
    let mut control = take_control()?;
    let report = match read_request(&mut control) {
        Ok(request) => supervise(request, &control).unwrap_or_else(Report::Failed),
        Err(error) => Report::Failed(Failure::Protocol { message: error.to_string() }),
    };
    control.write_all(&report.to_line()?)
}

/// Takes the socket that came as standard input, and leaves an empty input to the container.
fn take_control() -> io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = fs_err::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(UnixStream::from(control))
}

/// Reads one line and no more: what comes behind it, a cancellation, is left to whoever watches the container.
fn read_request(control: &mut UnixStream) -> io::Result<Request> {
    let mut line = Vec::new();
    let mut peeked = [0; 4096];
    while !line.ends_with(b"\n") && line.len() < REQUEST_BYTES {
        let (_, length) = recv(&*control, &mut peeked, RecvFlags::PEEK)?;
        let wanted =
            peeked[..length].iter().position(|byte| *byte == b'\n').map_or(length, |end| end + 1);
        if wanted == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        control.read_exact(&mut peeked[..wanted])?;
        line.extend_from_slice(&peeked[..wanted]);
    }
    Request::from_line(&line)
}
