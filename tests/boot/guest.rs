//! A booted image, with `core` logged in on its serial console.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use slipway_machine::{BOOT, Machine};

use crate::support::{image, xtask};

/// What a guest is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// A raw disk instead of the image.
    pub(crate) disk: Option<Utf8PathBuf>,
    /// Whether the firmware can do Secure Boot.
    pub(crate) secure_boot: bool,
    /// Whether every write and flush of the disk is logged, in `writes.log` of the state.
    pub(crate) log_writes: bool,
    /// systemd credentials, `NAME=VALUE`.
    pub(crate) credentials: Vec<String>,
}

/// A running guest. Whatever goes wrong ends the test, and shows the end of the console.
pub(crate) struct Guest {
    machine: Machine,
    /// The port of this machine that leads to the guest's sshd.
    pub(crate) ssh_port: u16,
}

impl Guest {
    /// Starts the image with its state in the folder `state`, and the console's log beside it.
    #[track_caller]
    pub(crate) fn start(state: &Utf8Path, options: &Options) -> Self {
        let ssh_port = free_port();
        let mut command = xtask();
        // With one processor, because QEMU 10 at times leaves the timer interrupt of a second one in service for ever.
        command.args(["--engine", "embedded", "run", "--cores", "1"]);
        command.args(["--ssh-port", &ssh_port.to_string()]);
        command.args(["--state", state.as_str(), "--disk"]);
        command.arg(options.disk.as_deref().unwrap_or_else(|| image()));
        let console = ["agetty.autologin=core", "login.noauth=yes"].map(str::to_owned);
        if options.secure_boot {
            command.arg("--secure-boot");
        }
        if options.log_writes {
            command.arg("--log-writes");
        }
        for credential in console.iter().chain(&options.credentials) {
            command.args(["--credential", credential]);
        }
        let log = state.with_extension("console.log");
        Self { machine: Machine::start(&command, &log).unwrap(), ssh_port }
    }

    /// Starts the image and waits for the prompt.
    #[track_caller]
    pub(crate) fn boot(state: &Utf8Path, options: &Options) -> Self {
        let mut guest = Self::start(state, options);
        if let Err(error) = guest.machine.take_shell("core@localhost ~") {
            panic!("{error}\n{}", guest.processors());
        }
        guest
    }

    /// Where the processors are, asked twice: the kernel says nothing until systemd starts, so a console that ends before that does
    /// not tell what hangs.
    fn processors(&mut self) -> String {
        // The key that switches between the console and the emulator's monitor.
        let asked = ["\x01cinfo registers -a\n", "info registers -a\n"].map(|ask| {
            self.machine.send(ask).and_then(|()| self.machine.listen(Duration::from_secs(5)))
        });
        let said = asked.map(|said| said.unwrap_or_else(|error| error.to_string()));
        let wanted = |line: &&str| ["CPU#", "RIP="].iter().any(|name| line.starts_with(name));
        said.iter().flat_map(|said| said.lines()).filter(wanted).collect::<Vec<_>>().join("\n")
    }

    /// Waits for a text on the console.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        self.machine.expect(text, BOOT).unwrap();
    }

    /// Runs a shell command that must succeed, and gives what it wrote.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str) -> String {
        self.machine.run(command).unwrap()
    }

    /// Checks what a shell command writes.
    #[track_caller]
    pub(crate) fn check(&mut self, command: &str, expected: &str) {
        assert_eq!(self.run(command), expected, "{command}");
    }

    /// Waits until all units that this boot starts have been started, and checks how the system then is.
    #[track_caller]
    pub(crate) fn settle(&mut self, expected: &str) {
        let (_, said) = self.machine.try_run("systemctl is-system-running --wait").unwrap();
        // Until then systemd says on the console what it starts.
        let state = said.lines().last().unwrap_or_default();
        if state != expected {
            let failed = self
                .run("systemctl --failed --plain --no-legend; journalctl -b -p err --no-pager -q");
            panic!("the system is {state}, not {expected}\n{failed}");
        }
    }

    /// Waits for the machine to end by itself.
    #[track_caller]
    pub(crate) fn wait_for_end(mut self) {
        self.machine.wait_for_end().unwrap();
    }

    /// Cuts the power: what the guest has not written yet is lost.
    #[track_caller]
    pub(crate) fn cut_power(mut self) {
        // The key of the emulator that ends it.
        self.machine.send("\x01x").unwrap();
        self.wait_for_end();
    }

    /// Turns the machine off.
    #[track_caller]
    pub(crate) fn power_off(mut self) {
        self.machine.send("sudo systemctl poweroff\n").unwrap();
        self.wait_for_end();
    }
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
