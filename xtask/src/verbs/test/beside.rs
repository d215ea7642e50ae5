//! A build of the image under test while the tests that need none are compiled and run: they leave the cores idle at times.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::report;

/// Another process, which builds. Dropped, it is stopped, and what is done stays done.
pub(super) struct Build {
    child: Child,
    /// What it says, until somebody wants to know.
    lines: Receiver<String>,
}

impl Build {
    /// Starts to build the image that machines are tested with.
    pub(super) fn start() -> anyhow::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "it needs the environment that the tests were started with"
        )]
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--engine", "embedded", "build-image", "--image", "minimal"]);
        report::say("building `minimal` beside the tests; what that says comes after them");
        Self::of(command)
    }

    fn of(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start the build of the image")?;
        let (sender, lines) = channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(stderr).lines().map_while(Result::ok);
                // Read to the end even if nobody listens, or the build would be stopped by a full pipe.
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Ok(Self { child, lines })
    }

    /// Says what it has said and says, and waits for its end.
    ///
    /// # Errors
    ///
    /// When the image cannot be built.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.lines.iter().for_each(report::say);
        anyhow::ensure!(self.child.wait()?.success(), "the image cannot be built");
        Ok(())
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        // Asked once, it finishes what it has begun; asked again, it stops.
        for _ in 0..STOPS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            kill_process(Pid::from_child(&self.child), Signal::INT).ok();
            std::thread::sleep(PAUSE);
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How often it is asked to stop before it is killed, and the time between.
const STOPS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Build {
        #[expect(clippy::disallowed_methods, reason = "a shell as the build")]
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Build::of(command).unwrap()
    }

    #[test]
    fn how_it_ends_is_told() {
        shell("echo said >&2").finish().unwrap();
        let error = shell("exit 3").finish().unwrap_err();
        assert_eq!(error.to_string(), "the image cannot be built");
    }

    #[test]
    fn what_it_says_waits_however_much_it_is() {
        let mut build = shell("yes said | head -100000 >&2");
        assert!(build.child.wait().unwrap().success());
        assert_eq!(build.lines.iter().count(), 100_000);
    }

    #[test]
    fn it_does_not_outlive_who_wants_it() {
        // As a build does, it goes on when it is asked for the first time.
        let build = shell("trap 'trap - INT' INT; while :; do sleep 0.1; done");
        let id = Pid::from_child(&build.child);
        drop(build);
        assert!(rustix::process::test_kill_process(id).is_err());
    }
}
