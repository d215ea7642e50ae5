//! The life of one container, in a process of its own with a single thread: make, start, watch, kill, clean up.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid,
};

use super::cgroup::Cgroups;
use super::console::{Console, Relay};
use super::init::{Init, exit_code};
use super::overlay::Overlay;
use super::protocol::{Report, Request};
use super::{kept, loopback, oci};
use crate::prepare::network_files;
use crate::scratch::RunDir;
use crate::{ContainerSpec, Failure, Keep, Network};

/// How often a cancelled container is reminded, and a terminal's size is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Runs the container of a request. Afterwards nothing of it is left but what is to be kept.
pub(super) fn supervise(request: Request, control: &UnixStream) -> Result<Report, Failure> {
    let Request { spec, scratch_dir, grace_ms } = request;
    isolate(spec.network)?;
    let run_dir = RunDir::create(&scratch_dir, &spec.name)
        .map_err(|error| Failure::scratch(&*scratch_dir, &error))?;
    let cgroups = Cgroups::of(&run_dir.id);
    let mut session = Session { spec, run_dir, cgroups, grace: Duration::from_millis(grace_ms) };
    let overlay = Overlay::mount(&session.spec.root.dir, &session.run_dir.path);
    let ended =
        overlay.and_then(|overlay| session.run(&overlay, control).map(|end| (end, overlay)));
    session.finish(ended)
}

/// Leaves the mount and, without network, the network namespace of the caller.
fn isolate(network: Network) -> Result<(), Failure> {
    let flags = match network {
        Network::None => CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET,
        Network::Host => CloneFlags::CLONE_NEWNS,
    };
    unshare(flags).map_err(|error| Failure::namespace("make namespaces", error))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| Failure::namespace("make the mounts private", error))?;
    if network == Network::None {
        loopback::bring_up()
            .map_err(|error| Failure::namespace("bring up the loopback interface", error))?;
    }
    Ok(())
}

struct Session {
    spec: ContainerSpec,
    run_dir: RunDir,
    cgroups: Cgroups,
    grace: Duration,
}

/// How a container ended.
struct End {
    code: i32,
    cancelled: bool,
    out_of_memory: bool,
}

impl Session {
    fn run(&mut self, overlay: &Overlay, control: &UnixStream) -> Result<End, Failure> {
        let cgroup = self.cgroups.prepare(self.spec.limits)?;
        let console = Console::open(self.spec.stdio, &self.run_dir.path)
            .map_err(|error| Failure::scratch(&*self.run_dir.path, &error))?;
        let mut container = self.create(overlay, cgroup.as_deref(), &console)?;
        let result = self.start_and_watch(&mut container, console, control);
        // Deleting kills whatever is left, which is nothing after an orderly end.
        let deleted = container.delete(true);
        let end = result?;
        deleted.map_err(|error| Failure::runtime("delete", &error))?;
        Ok(end)
    }

    fn create(
        &self,
        overlay: &Overlay,
        cgroup: Option<&Utf8Path>,
        console: &Console,
    ) -> Result<Container, Failure> {
        let dir = &self.run_dir.path;
        let extra =
            network_files(&self.spec, dir).map_err(|error| Failure::scratch(&**dir, &error))?;
        let describe = |error: &dyn std::error::Error| Failure::runtime("describe", error);
        let oci = oci::spec(&self.spec, &overlay.merged, cgroup, &extra, console)
            .map_err(|error| describe(&error))?;
        oci.save(dir.join("config.json")).map_err(|error| describe(&error))?;
        let failed = |error| Failure::runtime("create", &error);
        let mut builder = ContainerBuilder::new(self.run_dir.id.clone(), SyscallType::default())
            .with_root_path(dir.join("state").as_std_path())
            .map_err(failed)?
            .with_executor(Init::new(&self.spec));
        if let Console::Terminal { socket, .. } = console {
            builder = builder.with_console_socket(Some(socket.as_std_path()));
        }
        builder
            .as_init(dir.as_std_path())
            .with_systemd(false)
            .with_detach(true)
            .build()
            .map_err(failed)
    }

    fn start_and_watch(
        &self,
        container: &mut Container,
        console: Console,
        control: &UnixStream,
    ) -> Result<End, Failure> {
        let failed = |error: io::Error| Failure::runtime("watch", &error);
        let pid = container.pid().and_then(|pid| Pid::from_raw(pid.as_raw()));
        let pid = pid.ok_or_else(|| failed(io::Error::other("it has no process")))?;
        let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
        let relay = console.connect().map_err(failed)?;
        container.start().map_err(|error| Failure::runtime("start", &error))?;
        let cancelled = Watch { process: &process, control, relay, grace: self.grace }
            .until_end()
            .map_err(failed)?;
        let out_of_memory = self.cgroups.out_of_memory();
        let status =
            waitpid(Some(pid), WaitOptions::empty()).map_err(|error| failed(error.into()))?;
        let code = status.map_or(0, |(_, status)| exit_code(status));
        Ok(End { code, cancelled, out_of_memory })
    }

    /// Cleans up in the order that leaves the least behind when this process is killed meanwhile.
    fn finish(self, ended: Result<(End, Overlay), Failure>) -> Result<Report, Failure> {
        let Self { spec, run_dir, cgroups, .. } = self;
        cgroups.remove();
        let kept = match &ended {
            Ok((end, overlay))
                if spec.keep == Keep::OnFailure && (end.code != 0 || end.cancelled) =>
            {
                overlay.unmount();
                overlay.allow_remount();
                run_dir.keep().map_err(|error| Failure::scratch(&*run_dir.path, &error))?;
                Some(kept::commands(&spec, run_dir.path.as_str(), overlay))
            }
            Ok((_, overlay)) => {
                overlay.unmount();
                None
            }
            Err(_) => {
                let merged = run_dir.path.join("merged");
                let _not_mounted =
                    rustix::mount::unmount(merged.as_str(), rustix::mount::UnmountFlags::DETACH);
                None
            }
        };
        if kept.is_none() {
            let path = run_dir.path.clone();
            let removed = run_dir.remove().map_err(|error| Failure::scratch(path, &error));
            if ended.is_ok() {
                removed?;
            }
        }
        let (End { code, cancelled, out_of_memory }, _) = ended?;
        Ok(Report::Done { code, cancelled, out_of_memory, kept })
    }
}

/// What is waited for while the container runs.
struct Watch<'a> {
    process: &'a OwnedFd,
    control: &'a UnixStream,
    relay: Option<Relay>,
    grace: Duration,
}

impl Watch<'_> {
    /// Waits for the end of the container's init; returns whether the run was cancelled.
    fn until_end(mut self) -> io::Result<bool> {
        let mut cancelled_at: Option<Instant> = None;
        loop {
            let ready = self.wait(cancelled_at.is_none())?;
            if ready.typed || ready.printed {
                self.carry(&ready);
            }
            if ready.ended {
                return Ok(cancelled_at.is_some());
            }
            if ready.called {
                match self.control.read(&mut [0; 64]) {
                    // The parent is gone, so nobody is left to wait for a slow end.
                    Ok(0) | Err(_) => self.signal(Signal::KILL),
                    Ok(_) => (),
                }
                cancelled_at.get_or_insert_with(Instant::now);
            }
            if let Some(since) = cancelled_at {
                self.signal(if since.elapsed() >= self.grace {
                    Signal::KILL
                } else {
                    Signal::TERM
                });
            }
            if let Some(relay) = &self.relay {
                relay.resize();
            }
        }
    }

    /// Waits for something to happen, and no longer than a tick when there is something to do by the clock.
    fn wait(&self, listen: bool) -> io::Result<Ready> {
        let mut fds = vec![PollFd::new(self.process, PollFlags::IN)];
        // A parent that dies after it has cancelled is noticed by hang-up, which needs no asking for.
        let interest = if listen { PollFlags::IN } else { PollFlags::empty() };
        fds.push(PollFd::new(self.control, interest));
        let terminals = self.relay.as_ref().map(Relay::sources);
        fds.extend(
            terminals
                .iter()
                .flatten()
                .map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)),
        );
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        let bounded = !listen || self.relay.is_some();
        match poll(&mut fds, bounded.then_some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            ended: is_ready(0),
            called: is_ready(1),
            typed: is_ready(2),
            printed: is_ready(3),
        })
    }

    fn carry(&mut self, ready: &Ready) {
        let Some(relay) = &mut self.relay else { return };
        let typed = if ready.typed { relay.type_in() } else { Ok(1) };
        let printed = if ready.printed { relay.print_out() } else { Ok(1) };
        // The pseudo-terminal fails when the last program that had it open has ended.
        if !matches!((typed, printed), (Ok(1..), Ok(1..))) {
            self.relay = None;
        }
    }

    fn signal(&self, signal: Signal) {
        let _already_gone = pidfd_send_signal(self.process, signal);
    }
}

struct Ready {
    ended: bool,
    called: bool,
    typed: bool,
    printed: bool,
}
