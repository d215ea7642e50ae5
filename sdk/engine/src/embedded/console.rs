//! Lends the terminal of the caller to a container: a pseudo-terminal inside, raw mode outside, bytes between the two.

use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::Stdio;

/// What the container's streams are tied to.
#[derive(Debug)]
pub(super) enum Console {
    /// The streams of this process.
    Streams,
    /// A terminal, and where libcontainer hands over the other end of the pseudo-terminal.
    Terminal { tty: fs::File, listener: UnixListener, socket: Utf8PathBuf },
}

impl Console {
    /// Takes the controlling terminal when a terminal was asked for and there is one.
    pub(super) fn open(stdio: Stdio, run_dir: &Utf8Path) -> io::Result<Self> {
        if stdio == Stdio::Capture || !isatty(rustix::stdio::stdout()) {
            return Ok(Self::Streams);
        }
        let Ok(tty) = fs::OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            return Ok(Self::Streams);
        };
        let socket = run_dir.join("console");
        let listener = UnixListener::bind(&socket)?;
        Ok(Self::Terminal { tty, listener, socket })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// Receives the pseudo-terminal from libcontainer and puts the real one in raw mode.
    pub(super) fn connect(self) -> io::Result<Option<Relay>> {
        let Self::Terminal { tty, listener, .. } = self else { return Ok(None) };
        let (stream, _) = listener.accept()?;
        let pty =
            fs::File::from_parts(std::fs::File::from(receive_fd(&stream)?), "pseudo-terminal");
        let saved = tcgetattr(&tty)?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &raw)?;
        Ok(Some(Relay { tty, pty, saved }))
    }
}

fn receive_fd(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 256];
    recvmsg(stream, &mut [IoSliceMut::new(&mut name)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let rights = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    rights.ok_or_else(|| io::Error::other("the container sent no terminal"))
}

/// Carries bytes between the two terminals. Dropping it restores the real one.
#[derive(Debug)]
pub(super) struct Relay {
    tty: fs::File,
    pty: fs::File,
    saved: Termios,
}

impl Relay {
    /// What to poll: the real terminal and the pseudo-terminal.
    pub(super) fn sources(&self) -> [BorrowedFd<'_>; 2] {
        [self.tty.as_fd(), self.pty.as_fd()]
    }

    /// Gives the pseudo-terminal the size of the real one.
    pub(super) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(&self.tty) {
            let _closed = tcsetwinsize(&self.pty, size);
        }
    }

    /// Carries what was typed.
    pub(super) fn type_in(&mut self) -> io::Result<usize> {
        copy_once(&mut self.tty, &mut self.pty)
    }

    /// Carries what was printed.
    pub(super) fn print_out(&mut self) -> io::Result<usize> {
        copy_once(&mut self.pty, &mut self.tty)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _terminal_is_gone = tcsetattr(&self.tty, OptionalActions::Now, &self.saved);
    }
}

fn copy_once(from: &mut fs::File, to: &mut fs::File) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let length = from.read(&mut buffer)?;
    to.write_all(&buffer[..length])?;
    Ok(length)
}
