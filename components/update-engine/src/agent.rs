//! The agent: its state, what it remembers, and what people ask it for besides updates.

use std::{
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use slipway_packages_manifest::Layout;
use tokio::sync::watch;

use crate::{
    boot::{self, Outcome},
    config::{Config, check_channel},
    disk::{DirEsp, Disk, Esp, FileDisk},
    error::AgentError,
    fetch::Fetcher,
    host::Host,
    memory::{Counters, Memory, MemoryFile, Pending},
    metrics,
    status::{Stage, Status},
};

/// Opens the disk and the ESP each time that they are needed.
pub trait Hardware: Send + Sync {
    /// The disk.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn disk(&self) -> io::Result<Box<dyn Disk>>;

    /// The ESP.
    ///
    /// # Errors
    /// When it is not mounted.
    fn esp(&self) -> io::Result<Box<dyn Esp>>;
}

/// The hardware of a machine, or files that stand for it.
#[derive(Clone, Debug)]
pub struct Files {
    /// The disk.
    pub disk: PathBuf,
    /// Where the ESP is mounted.
    pub esp: PathBuf,
}

impl Hardware for Files {
    fn disk(&self) -> io::Result<Box<dyn Disk>> {
        Ok(Box::new(FileDisk::open(&self.disk)?))
    }

    fn esp(&self) -> io::Result<Box<dyn Esp>> {
        Ok(Box::new(DirEsp::open(&self.esp)?))
    }
}

/// Where the agent keeps things.
#[derive(Clone, Debug)]
pub struct Folders {
    /// What survives a reboot: `/var/lib/update-engine`.
    pub state: PathBuf,
    /// What does not: `/run/update-engine`.
    pub run: PathBuf,
}

/// What the agent tells about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it is doing.
    pub status: Status,
    /// The version that runs.
    pub running: String,
    /// The channel.
    pub channel: String,
    /// The only version that is taken.
    pub pin: Option<String>,
    /// When the server was asked last, in seconds since 1970; 0 for never.
    pub last_checked: i64,
    /// Versions that are not taken again, and why.
    pub failed: std::collections::BTreeMap<String, String>,
    /// Counters since the first boot.
    pub counters: Counters,
}

/// The agent. Only one works on a machine.
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) host: Host,
    pub(crate) folders: Folders,
    pub(crate) hardware: Box<dyn Hardware>,
    pub(crate) memory: Memory,
    pub(crate) status: Status,
    pub(crate) fetcher: Fetcher,
    pub(crate) layout: Layout,
    pub(crate) poll_interval: Option<u64>,
    file: MemoryFile,
    report: watch::Sender<Report>,
    _lock: fs::File,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Agent {
    /// Starts: takes the lock, remembers, and looks what the last reboot came to.
    ///
    /// # Errors
    /// When another agent works here, or the machine's folders cannot be used.
    pub fn open(
        config: Config,
        host: Host,
        folders: Folders,
        hardware: Box<dyn Hardware>,
    ) -> Result<Self, AgentError> {
        for folder in [&folders.state, &folders.run] {
            fs::create_dir_all(folder).map_err(AgentError::Folders)?;
        }
        let lock = lock(&folders.state)?;
        let file = MemoryFile::new(&folders.state);
        let mut memory = file.load()?;
        if memory.aleph_version.is_empty() {
            memory.aleph_version = host.running.version.to_string();
            // A machine that was just installed says so (Omaha: previousversion 0.0.0.0).
            memory.report_previous = Some("0.0.0.0".to_owned());
        }
        let mut esp = hardware.esp().map_err(AgentError::Hardware)?;
        let outcome = boot::outcome(&host, memory.pending.as_ref(), &boot::ukis(&mut *esp)?);
        boot::remember(&mut memory, &outcome);
        let mut status = Status::Idle;
        if let Outcome::Waiting(version) = outcome {
            status.step(Status::NeedReboot { version: version.to_string() })?;
        }
        let fetcher = Fetcher::new(&config)?;
        let report = watch::Sender::new(report(&status, &config, &host, &memory));
        let agent = Self {
            config,
            host,
            folders,
            hardware,
            memory,
            status,
            fetcher,
            layout: layout(),
            poll_interval: None,
            file,
            report,
            _lock: lock,
        };
        agent.save()?;
        agent.publish();
        Ok(agent)
    }

    /// Follows what the agent tells about itself.
    pub fn reports(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }

    /// What it tells now.
    pub fn report(&self) -> Report {
        report(&self.status, &self.config, &self.host, &self.memory)
    }

    /// What it remembers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The machine.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// When the server wants to be asked again, in seconds.
    pub fn poll_interval(&self) -> Option<u64> {
        self.poll_interval
    }

    /// The channel: what an administrator chose, else what is configured.
    pub fn channel(&self) -> String {
        self.memory.channel.clone().unwrap_or_else(|| self.config.channel.clone())
    }

    /// Goes back to the other version with the next reboot; or takes back an update that waits for its reboot. The version that is
    /// left is not taken again.
    ///
    /// # Errors
    /// When there is no other version that was found good.
    pub fn roll_back(&mut self) -> Result<String, AgentError> {
        let mut esp = self.hardware.esp().map_err(AgentError::Hardware)?;
        let running = self.host.running.version;
        let waiting = self.memory.pending.as_ref().map(|pending| pending.version.clone());
        let to = boot::roll_back(&mut *esp, running)?;
        let left = waiting.filter(|_| to == running).unwrap_or_else(|| running.to_string());
        self.memory.failed.insert(left, "an administrator went back".to_owned());
        if self.status.stage() == Stage::NeedReboot {
            self.status.step(Status::Idle)?;
        }
        self.memory.pending = None;
        if to != running {
            self.memory.pending = Some(self.pending(&to.to_string()));
            self.status.step(Status::NeedReboot { version: to.to_string() })?;
        }
        self.save()?;
        self.publish();
        Ok(to.to_string())
    }

    /// Forgets which versions failed, and takes back what waits for its reboot.
    ///
    /// # Errors
    /// When the ESP cannot be written.
    pub fn reset(&mut self) -> Result<(), AgentError> {
        if self.status.stage() == Stage::NeedReboot {
            let mut esp = self.hardware.esp().map_err(AgentError::Hardware)?;
            let running = self.host.running.version;
            boot::take_back(&mut *esp, running)?;
            let trial = boot::is_on_trial(running, &boot::ukis(&mut *esp)?);
            // Whoever stays on trial after all may still fail it.
            self.memory.pending = self.memory.pending.take().filter(|_| trial).map(|left| {
                Pending { version: left.from, from: left.version, boot_id: left.boot_id }
            });
            self.status.step(Status::Idle)?;
        } else {
            // An error or a block is no state that anything must leave by a step.
            self.status = Status::Idle;
        }
        self.memory.failed.clear();
        self.memory.download = None;
        self.save()?;
        self.publish();
        Ok(())
    }

    /// Takes only this version from now on; none takes any.
    ///
    /// # Errors
    /// When it is no version.
    pub fn pin(&mut self, version: Option<&str>) -> Result<(), AgentError> {
        if let Some(text) = version {
            let _version: slipway_payload::Version =
                text.parse().map_err(|_| AgentError::Version(text.to_owned()))?;
        }
        self.memory.pin = version.map(ToOwned::to_owned);
        self.save()?;
        self.publish();
        Ok(())
    }

    /// Follows another channel; none follows the configured one. The running version stays until the channel has a newer one.
    ///
    /// # Errors
    /// When it is no name of a channel.
    pub fn follow(&mut self, channel: Option<&str>) -> Result<(), AgentError> {
        if let Some(name) = channel {
            check_channel(name)?;
        }
        self.memory.channel = channel.map(ToOwned::to_owned);
        self.memory.download = None;
        self.save()?;
        self.publish();
        Ok(())
    }

    pub(crate) fn pending(&self, version: &str) -> Pending {
        Pending {
            version: version.to_owned(),
            from: self.host.running.version.to_string(),
            boot_id: self.host.boot_id.clone(),
        }
    }

    pub(crate) fn step(&mut self, to: Status) -> Result<(), AgentError> {
        self.status.step(to)?;
        self.publish();
        Ok(())
    }

    pub(crate) fn save(&self) -> Result<(), AgentError> {
        Ok(self.file.save(&self.memory)?)
    }

    /// Tells everybody. Metrics that cannot be written are no reason to stop.
    pub(crate) fn publish(&self) {
        let report = self.report();
        let _nobody_waits = metrics::write(&self.folders.run, &report);
        self.report.send_replace(report);
    }
}

fn report(status: &Status, config: &Config, host: &Host, memory: &Memory) -> Report {
    Report {
        status: status.clone(),
        running: host.running.version.to_string(),
        channel: memory.channel.clone().unwrap_or_else(|| config.channel.clone()),
        pin: memory.pin.clone(),
        last_checked: memory.last_checked,
        failed: memory.failed.clone(),
        counters: memory.counters,
    }
}

/// The layout of disks, as the system was built with it.
fn layout() -> Layout {
    let text = include_str!("../../../packages-manifest/layouts/v1.toml");
    Layout::parse("v1.toml", text).expect("a test parses it")
}

fn lock(folder: &Path) -> Result<fs::File, AgentError> {
    let path = folder.join("lock");
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(AgentError::Folders)?;
    match rustix::fs::flock(file.file(), rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => Err(AgentError::Locked),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_layout_is_one() {
        assert_eq!(super::layout().partitions.len(), 7);
    }
}
