//! The programs that are measured, as a user would build them, and a server that runs.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::environment;

/// A second has so many ticks in `/proc/PID/stat`, on every architecture that this runs on.
const TICKS: f64 = 100.0;

/// Where the programs are.
pub(super) struct Programs {
    server: Utf8PathBuf,
    control: Utf8PathBuf,
}

impl Programs {
    /// Builds both with optimisations.
    pub(super) fn build(root: &Utf8Path) -> anyhow::Result<Self> {
        let cargo = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
        #[expect(
            clippy::disallowed_methods,
            reason = "cargo needs the environment that it was started with"
        )]
        let mut command = Command::new(cargo);
        command.args([
            "build",
            "--locked",
            "--release",
            "--message-format",
            "json-render-diagnostics",
        ]);
        command.args(["-p", "slipway-update-server", "-p", "slipway-updatectl"]);
        let output = command.current_dir(root).stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "the update server was not built");
        let text = String::from_utf8(output.stdout)?;
        let path = |name| program(&text, name).with_context(|| format!("cargo built no `{name}`"));
        Ok(Self { server: path("slipway-update-server")?, control: path("updatectl")? })
    }

    /// A command of `updatectl` for a server, which prints JSON.
    pub(super) fn control(&self, server: &str) -> Command {
        let mut command = bare(&self.control);
        command.args(["--json", "--server", server]);
        command
    }
}

/// Where a program is, by what cargo says.
fn program(said: &str, name: &str) -> Option<Utf8PathBuf> {
    let messages = said.lines().filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter(|message: &serde_json::Value| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(Utf8PathBuf::from))
}

/// A program with nothing of this process around it.
fn bare(program: &Utf8Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "what is measured is what a user starts")]
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A server that runs. It is killed when this goes.
pub(super) struct Server {
    child: Child,
    /// Its address, without a slash at the end.
    pub(super) base: String,
}

/// Memory of a process in MiB.
pub(super) struct Memory {
    /// What it has now.
    pub(super) now: f64,
    /// The most that it had.
    pub(super) peak: f64,
}

impl Server {
    /// Starts the server on a free port, with its log and what it writes in a folder.
    pub(super) fn start(
        programs: &Programs,
        database: &str,
        folder: &Utf8Path,
        settings: &[&str],
    ) -> anyhow::Result<Self> {
        let log = folder.join("server.log");
        let mut command = bare(&programs.server);
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", database]);
        command.args(settings).current_dir(folder).stdout(Stdio::piped());
        let mut child = command.stderr(fs_err::File::create(&log)?.into_parts().0).spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Some(base) = line.trim().strip_prefix("listening on ") else {
            let _ended = child.wait();
            anyhow::bail!("the server did not start: {}", fs_err::read_to_string(&log)?.trim());
        };
        Ok(Self { base: base.to_owned(), child })
    }

    /// How much memory it has.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let text = fs_err::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |name| mebibytes(&text, name).with_context(|| format!("no `{name}` in {text}"));
        Ok(Memory { now: read("VmRSS:")?, peak: read("VmHWM:")? })
    }

    /// How many seconds of processor time it has used, its own and the kernel's for it.
    pub(super) fn processor_seconds(&self) -> anyhow::Result<f64> {
        let text = fs_err::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        processor_seconds(&text).with_context(|| format!("no times in `{text}`"))
    }
}

/// A line of `/proc/PID/status`, which says KiB (proc(5)).
fn mebibytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// `utime` and `stime` of `/proc/PID/stat` (proc(5)); the name before them may hold anything.
fn processor_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_where_cargo_says() {
        let said = r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"updatectl"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"updatectl"},"executable":"/t/release/updatectl"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(program(said, "updatectl").unwrap(), "/t/release/updatectl");
        assert_eq!(program(said, "lib"), None);
    }

    #[test]
    fn memory_and_time_are_those_of_the_kernel() {
        assert_eq!(mebibytes("VmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", "VmRSS:"), Some(1.0));
        assert_eq!(mebibytes("VmRSS:\t1024\n", "VmRSS:"), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9";
        assert_eq!(processor_seconds(stat), Some(2.0));
    }
}
