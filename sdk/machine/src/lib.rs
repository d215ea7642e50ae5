//! A virtual machine, or anything else with a console, driven through its standard input and output.
//!
//! [`Machine`] waits for what the console shows, runs shell commands on it and gives their output. Tests and benchmarks of
//! booted images are written with it. Who starts the emulator decides how: a machine is given as a [`Command`].

mod console;
mod error;

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use console::Console;
pub use error::MachineError;

/// How long a boot may take, and the way down. Emulated machines are slow, and their hosts may be busy.
pub const BOOT: Duration = Duration::from_secs(300);
/// How long one command may take.
pub const COMMAND: Duration = Duration::from_secs(300);

/// A running machine. It is killed with this value.
pub struct Machine {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    console: Console,
    commands: u32,
}

impl Machine {
    /// Starts a machine whose console is the terminal of `command`; everything that it shows is written to `log` too.
    ///
    /// # Errors
    /// When the command cannot be started, or the log cannot be written.
    pub fn start(command: &Command, log: &Utf8Path) -> Result<Self, MachineError> {
        let console = Console::new(log)?;
        let mut command = in_terminal(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|source| MachineError::Start { source })?;
        let missing = || MachineError::Start { source: std::io::ErrorKind::BrokenPipe.into() };
        let input = child.stdin.take().ok_or_else(missing)?;
        let mut pipe = child.stdout.take().ok_or_else(missing)?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, output, console, commands: 0 })
    }

    /// Waits for `text` on the console, after what was waited for before.
    ///
    /// # Errors
    /// When it does not come within `limit`, or the machine ends first.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<(), MachineError> {
        let end = Instant::now() + limit;
        while !self.console.find(text) {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.console.add(&bytes)?,
                Err(reason) => {
                    let problem = match reason {
                        RecvTimeoutError::Timeout => "did not come in time",
                        RecvTimeoutError::Disconnected => "did not come before the machine ended",
                    };
                    return Err(self.console.error(format!("{text:?} {problem}")));
                }
            }
        }
        Ok(())
    }

    /// What the console shows within `time`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn listen(&mut self, time: Duration) -> Result<String, MachineError> {
        let end = Instant::now() + time;
        let mut heard = String::new();
        while let Ok(bytes) =
            self.output.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.console.add(&bytes)?;
            heard.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(heard)
    }

    /// Takes over the shell whose prompt begins with `prompt`: from now on the console shows what commands write, and nothing else.
    ///
    /// # Errors
    /// When no shell comes within [`BOOT`].
    pub fn take_shell(&mut self, prompt: &str) -> Result<(), MachineError> {
        self.expect(prompt, BOOT)?;
        self.send("stty -echo; PS1=; PS2=; bind 'set enable-bracketed-paste off'; export TERM=dumb SYSTEMD_COLORS=0 PAGER=cat\n")?;
        self.run("true").map(drop)
    }

    /// Types `text`.
    ///
    /// # Errors
    /// When the machine has ended.
    pub fn send(&mut self, text: &str) -> Result<(), MachineError> {
        let sent = self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush());
        sent.map_err(|_| self.console.error(format!("{text:?} cannot be typed")))
    }

    /// Runs a shell command, and gives its exit status and what it wrote.
    ///
    /// # Errors
    /// When it does not end within [`COMMAND`].
    pub fn try_run(&mut self, command: &str) -> Result<(i32, String), MachineError> {
        self.commands += 1;
        let n = self.commands;
        // The shell puts the markers together, so that no echo of this line looks like one. It is one line, because a command
        // such as sudo reads what else is typed.
        self.send(&format!("echo BEGIN''-{n}-; {command}; echo END''-{n}-$?-\n"))?;
        self.expect(&format!("BEGIN-{n}-"), COMMAND)?;
        let begin = self.console.position();
        let end = format!("END-{n}-");
        self.expect(&end, COMMAND)?;
        let status = self.console.position();
        self.expect("-", COMMAND)?;
        let output = self.console.text(begin, status - end.len());
        let status = self.console.text(status, self.console.position() - 1);
        let status = status.parse();
        let status =
            status.map_err(|_| self.console.error(format!("`{command}` has no status")))?;
        Ok((status, output))
    }

    /// Runs a shell command that must succeed, and gives what it wrote.
    ///
    /// # Errors
    /// When it fails, or does not end within [`COMMAND`].
    pub fn run(&mut self, command: &str) -> Result<String, MachineError> {
        match self.try_run(command)? {
            (0, output) => Ok(output),
            (status, output) => {
                Err(self.console.error(format!("`{command}` ended with {status}: {output}")))
            }
        }
    }

    /// Waits for the machine to end by itself.
    ///
    /// # Errors
    /// When it does not within [`BOOT`].
    pub fn wait_for_end(&mut self) -> Result<(), MachineError> {
        let end = Instant::now() + BOOT;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.console.add(&bytes)?,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.console.error("the machine did not end".to_owned()));
                }
            }
        }
        self.child.wait().map(drop).map_err(|source| MachineError::Start { source })
    }
}

/// The command in a pseudo-terminal of its own: script(1) is essential on Debian, and what it starts ends with it, because it
/// hangs up. Whoever starts tests so that they outlive a terminal has all that they start ignore that; env(1) undoes it.
fn in_terminal(command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")));
    #[expect(clippy::disallowed_methods, reason = "the caller has set environment and directory")]
    let mut script = Command::new("env");
    script.args(["--default-signal=HUP", "script", "--quiet", "--flush", "--return", "--command"]);
    script.arg(words.collect::<Vec<_>>().join(" ")).arg("/dev/null");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        script.current_dir(dir);
    }
    script
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The starting program takes what it started with it.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(dir: &tempfile::TempDir) -> Machine {
        #[expect(clippy::disallowed_methods, reason = "a shell stands in for a machine's console")]
        let mut command = Command::new("bash");
        let rc = dir.path().join("rc");
        fs_err::write(&rc, "PS1='core@here$ '\n").unwrap();
        command.arg("--rcfile").arg(rc).arg("-i");
        let mut machine =
            Machine::start(&command, Utf8Path::from_path(&dir.path().join("log")).unwrap())
                .unwrap();
        machine.take_shell("core@").unwrap();
        machine
    }

    #[test]
    fn commands_give_their_status_and_output() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = shell(&dir);
        let mut check = |command: &str, status, output: &str| {
            assert_eq!(machine.try_run(command).unwrap(), (status, output.to_owned()), "{command}");
        };
        check("echo one; echo two", 0, "one\ntwo");
        check("true", 0, "");
        check("(exit 3)", 3, "");
        check("echo END-1-0-", 0, "END-1-0-");
        machine.send("echo three\n").unwrap();
        assert_eq!(machine.listen(Duration::from_secs(2)).unwrap(), "three\r\n");
        let log = fs_err::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("two"), "{log}");
    }

    #[test]
    fn nothing_outlives_its_machine() {
        let status = fs_err::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        if u64::from_str_radix(ignored, 16).unwrap() & 1 == 0 {
            // Once more with hang-ups ignored, as everything that is started with nohup has them.
            #[expect(clippy::disallowed_methods, reason = "starts this test")]
            let mut again = Command::new("env");
            again.arg("--ignore-signal=HUP").arg(std::env::current_exe().unwrap());
            again.args(["--exact", "tests::nothing_outlives_its_machine"]);
            assert!(again.status().unwrap().success());
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "stands in for an emulator")]
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo $$ > {dir}/id; echo up; exec sleep 1000")]);
        let mut machine = Machine::start(&command, &dir.join("log")).unwrap();
        machine.expect("up", COMMAND).unwrap();
        let id = fs_err::read_to_string(dir.join("id")).unwrap();
        drop(machine);
        let end = Instant::now() + Duration::from_secs(10);
        while Utf8Path::new("/proc").join(id.trim()).exists() {
            assert!(Instant::now() < end, "{} is still there", id.trim());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn an_error_shows_the_end_of_the_console() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = shell(&dir);
        let error = machine.run("echo why; false").unwrap_err().to_string();
        assert!(error.contains("ended with 1: why"), "{error}");
        machine.send("exit\n").unwrap();
        let error = machine.expect("never", COMMAND).unwrap_err().to_string();
        assert!(error.contains("\"never\" did not come before the machine ended"), "{error}");
        assert!(error.contains("END-"), "{error}");
        machine.wait_for_end().unwrap();
    }
}
