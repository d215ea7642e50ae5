//! A build of the image under test while the tests that need none are compiled and run: they leave the cores idle at times.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
};

use anyhow::Context as _;
use camino::Utf8PathBuf;

use crate::report;

/// Another process, which builds. It is killed when this is dropped or this process ends, however that ends: a build bears that at
/// any time, what is done stays done, and its containers end with it.
pub(super) struct Build {
    child: Child,
    /// What it says, until somebody wants to know.
    lines: Receiver<String>,
}

impl Build {
    /// Starts to build the image that machines are tested with.
    pub(super) fn start() -> anyhow::Result<Self> {
        let own = Utf8PathBuf::try_from(std::env::current_exe()?)?;
        report::say("building `minimal` beside the tests; what that says comes after them");
        Self::of(&[own.as_str(), "--engine", "embedded", "build-image", "--image", "minimal"])
    }

    fn of(command: &[&str]) -> anyhow::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "it needs the environment that the tests were started with"
        )]
        let mut child = Command::new("setpriv");
        child.args(["--pdeathsig", "KILL"]).args(command);
        child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn().context("cannot start `setpriv`, of util-linux")?;
        let (sender, lines) = channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(stderr).split(b'\n').map_while(Result::ok);
                // Read to the end even if nobody listens, or the build would be stopped by a full pipe.
                lines.for_each(|line| drop(sender.send(String::from_utf8_lossy(&line).into())));
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
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, test_kill_process};

    use super::*;

    fn shell(script: &str) -> Build {
        Build::of(&["/bin/sh", "-c", script]).unwrap()
    }

    #[test]
    fn how_it_ends_is_told() {
        shell("echo said >&2").finish().unwrap();
        let error = shell("exit 3").finish().unwrap_err();
        assert_eq!(error.to_string(), "the image cannot be built");
    }

    #[test]
    fn what_it_says_waits_however_much_it_is() {
        let mut build = shell("yes said | head -100000 >&2; printf '\\377\\nlast' >&2");
        assert!(build.child.wait().unwrap().success());
        let lines: Vec<_> = build.lines.iter().collect();
        assert_eq!(lines.len(), 100_002);
        assert_eq!(lines[100_000..], ["\u{fffd}", "last"]);
    }

    #[test]
    fn it_does_not_outlive_who_wants_it() {
        let build = shell("exec sleep 1000");
        let id = Pid::from_child(&build.child);
        drop(build);
        assert!(test_kill_process(id).is_err());
        // Nor a process that has no time to drop anything.
        let build = shell("exec setpriv --dump >&2");
        let said: Vec<_> = build.lines.iter().collect();
        assert!(said.iter().any(|line| line == "Parent death signal: KILL"), "{said:?}");
    }
}
