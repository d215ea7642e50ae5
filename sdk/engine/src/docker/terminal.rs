//! Lends the terminal of the caller to a container of a daemon.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::pin::Pin;

use bollard::query_parameters::ResizeContainerTTYOptionsBuilder;
use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use crate::Stdio;

/// How often the size of the terminal is looked at.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// The controlling terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: fs::File,
}

enum Event {
    Typed(Vec<u8>),
    Resized(Winsize),
}

impl Terminal {
    /// Takes the terminal if one was asked for and there is one.
    pub(super) fn open(stdio: Stdio) -> Option<Self> {
        if stdio == Stdio::Capture || !isatty(rustix::stdio::stdout()) {
            return None;
        }
        fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok().map(|tty| Self { tty })
    }

    /// Sends what is typed to `input`, and the terminal's size to the daemon, until the relay is dropped.
    pub(super) fn relay(
        self,
        client: bollard::Docker,
        id: String,
        mut input: Pin<Box<dyn AsyncWrite + Send>>,
    ) -> io::Result<Relay> {
        let saved = tcgetattr(&self.tty)?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(&self.tty, OptionalActions::Now, &raw)?;
        let restore = self.tty.try_clone()?;
        let (stop, stopped) = rustix::pipe::pipe()?;
        let (sender, mut events) = channel(16);
        let thread = std::thread::spawn(move || read_events(self.tty, &stop, &sender));
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Typed(bytes) => {
                        let _container_gone = input.write_all(&bytes).await;
                    }
                    Event::Resized(size) => {
                        let options = ResizeContainerTTYOptionsBuilder::default();
                        let options = options.h(size.ws_row.into()).w(size.ws_col.into()).build();
                        let _container_gone = client.resize_container_tty(&id, options).await;
                    }
                }
            }
        });
        drop(thread);
        Ok(Relay { tty: restore, saved, task, _stop: stopped })
    }
}

/// Restores the terminal and ends the reading when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    tty: fs::File,
    saved: Termios,
    task: JoinHandle<()>,
    _stop: OwnedFd,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        let _terminal_is_gone = tcsetattr(&self.tty, OptionalActions::Now, &self.saved);
    }
}

/// Reads the terminal in a thread of its own. A read of tokio's own could not be given up when the container ends.
fn read_events(mut tty: fs::File, stop: &OwnedFd, sender: &Sender<Event>) {
    let mut known = None;
    let mut buffer = [0; 4096];
    loop {
        let mut fds = [PollFd::new(stop, PollFlags::IN), PollFd::new(&tty, PollFlags::IN)];
        let polled = poll(&mut fds, Some(&TICK));
        let (stopped, typed) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if stopped || !matches!(polled, Ok(_) | Err(rustix::io::Errno::INTR)) {
            return;
        }
        let size = tcgetwinsize(&tty).ok();
        let resized = size.filter(|size| known != Some((size.ws_row, size.ws_col)));
        if let Some(size) = resized {
            known = Some((size.ws_row, size.ws_col));
            if sender.blocking_send(Event::Resized(size)).is_err() {
                return;
            }
        }
        if typed {
            let Ok(length @ 1..) = tty.read(&mut buffer) else { return };
            if sender.blocking_send(Event::Typed(buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    }
}
