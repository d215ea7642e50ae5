//! From a check to the reboot that it asks for.
//!
//! Writing to the disk blocks the task that runs this; whoever answers people meanwhile does so in another one.

use std::path::PathBuf;

use bytes::Bytes;
use slipway_omaha::Event;
use slipway_payload::{Applier, Head, PayloadError, Section, Version, read_head};

use crate::{
    agent::Agent,
    boot,
    decide::{Candidate, CandidateKind, Facts, Plan, decide},
    error::AgentError,
    fetch::{Download, Place},
    install::{Install, InstallError},
    memory,
    slots::Slots,
    status::{Stage, Status},
    talk::{self, Asked, Speaker},
    trust::Trusted,
};

/// After so many frames (4 MiB each) the medium is flushed, and an interruption costs no more.
const FRAMES_PER_FLUSH: usize = 4;

/// The first bytes of a payload: magic and the length of the head.
const START: usize = 12;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub asked: Asked,
    /// Where the update comes from.
    pub from: Origin,
    /// How far to go.
    pub depth: Depth,
}

/// Where an update comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configured server.
    Server,
    /// A folder with a copy of a repository, on a machine without a network.
    Folder(PathBuf),
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only look.
    Look,
    /// Install.
    Install,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// There is nothing newer.
    NoUpdate,
    /// There is an update.
    Available(Plan),
    /// The next boot is into this version.
    Installed(Version),
    /// An update waits for its reboot already.
    Waiting,
}

impl Agent {
    /// Checks, and updates if there is something to update to. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When anything fails or is not taken; the running version is untouched then. The state and the server know why.
    pub async fn update(&mut self, ask: &Ask, now: i64) -> Result<Done, AgentError> {
        if self.status.stage() == Stage::NeedReboot {
            let ping = self.speaker(ask.asked).ping()?;
            self.tell(&ask.from, ping).await;
            return Ok(Done::Waiting);
        }
        self.step(Status::Checking)?;
        self.memory.last_checked = now;
        self.memory.counters.checks += 1;
        let result = self.attempt(ask).await;
        match &result {
            Ok(Done::NoUpdate) => self.step(Status::Idle)?,
            Ok(_) => {}
            Err(error) => self.note(ask, error).await,
        }
        self.save()?;
        self.publish();
        result
    }

    async fn attempt(&mut self, ask: &Ask) -> Result<Done, AgentError> {
        self.look_again()?;
        let place = self.place(&ask.from)?;
        let offer = match ask.from {
            Origin::Server => match self.propose(ask).await? {
                Some(version) => Some(version),
                None => return Ok(Done::NoUpdate),
            },
            Origin::Folder(_) => None,
        };
        let root = self.config.root.clone();
        let seen = self.folders.state.join("tuf");
        let trusted = Trusted::load(&self.fetcher, &root, &place, &seen).await?;
        let channel = self.channel();
        let pin = self.memory.pin.as_ref().and_then(|pin| pin.parse().ok());
        let newest = || trusted.versions(&channel, &self.host.arch).pop();
        let Some(version) = offer.or(pin).or_else(newest) else { return Ok(Done::NoUpdate) };
        let running = self.host.running;
        if version == running.version {
            return Ok(Done::NoUpdate);
        }
        let policy = trusted.policy(&channel).await?;
        let record = trusted.record(&channel, version, &self.host.arch).await?;
        let facts = Facts {
            running: running.version,
            usr_root_hash: running.usr_root_hash,
            arch: &self.host.arch,
            channel: &channel,
            policy: &policy,
            failed: &self.memory.failed,
            pin,
        };
        let plan = decide(&facts, version, record.as_ref())?;
        let size = plan.candidates.first().map_or(0, |candidate| candidate.length);
        self.step(Status::Available { version: version.to_string(), size })?;
        match ask.depth {
            Depth::Look => Ok(Done::Available(plan)),
            Depth::Install => self.install(ask, &place, &plan).await,
        }
    }

    /// A boot that was on trial when the agent started may have been found good since.
    fn look_again(&mut self) -> Result<(), AgentError> {
        if self.memory.pending.is_none() {
            return Ok(());
        }
        let mut esp = self.hardware.esp().map_err(AgentError::Hardware)?;
        let ukis = boot::ukis(&mut *esp)?;
        let outcome = boot::outcome(&self.host, self.memory.pending.as_ref(), &ukis);
        boot::remember(&mut self.memory, &outcome);
        self.save()
    }

    fn place(&self, from: &Origin) -> Result<Place, AgentError> {
        match from {
            Origin::Folder(folder) => Ok(Place::Folder(folder.clone())),
            Origin::Server => {
                let first = self.config.repository.iter();
                let all: Vec<_> = first.chain(&self.config.mirrors).cloned().collect();
                if all.is_empty() { Err(AgentError::Off) } else { Ok(Place::Http(all)) }
            }
        }
    }

    /// Asks the server. What it has to be told about the last reboot is told until it has answered.
    async fn propose(&mut self, ask: &Ask) -> Result<Option<Version>, AgentError> {
        let endpoint = self.endpoint()?;
        let body = self.speaker(ask.asked).check()?;
        let answer = self.fetcher.post(endpoint, body).await?;
        let offer = talk::read_answer(&answer)?;
        self.memory.report_previous = None;
        self.memory.report_rollback = false;
        self.memory.network_seen = true;
        self.poll_interval = offer.poll_interval;
        Ok(offer.version)
    }

    fn endpoint(&self) -> Result<url::Url, AgentError> {
        let server = self.config.server.as_ref().ok_or(AgentError::Off)?;
        server.join("v1/update/").map_err(|_| AgentError::Off)
    }

    fn speaker(&self, asked: Asked) -> Speaker<'_> {
        Speaker {
            host: &self.host,
            memory: &self.memory,
            channel: self.memory.channel.as_ref().unwrap_or(&self.config.channel),
            alias: &self.config.machine_alias,
            asked,
        }
    }

    /// Tells the server something. That it does not hear is no reason to stop.
    async fn tell(&self, from: &Origin, body: String) {
        if let (Origin::Server, Ok(endpoint)) = (from, self.endpoint()) {
            let _unheard = self.fetcher.post(endpoint, body).await;
        }
    }

    async fn tell_event(&self, ask: &Ask, event: Event) {
        if let Ok(body) = self.speaker(ask.asked).event(event) {
            self.tell(&ask.from, body).await;
        }
    }

    /// Takes note of a failure.
    async fn note(&mut self, ask: &Ask, error: &AgentError) {
        let (reason, code) = (error.chain(), error.code());
        let counters = &mut self.memory.counters;
        let event = match error.is_block() {
            true => {
                counters.blocked += 1;
                self.status = Status::Blocked { reason };
                talk::deferred(code)
            }
            false => {
                counters.failures += 1;
                self.status = Status::Error { reason, code };
                talk::failed(code)
            }
        };
        self.publish();
        // A server that was not reached is not told so.
        if !matches!(error, AgentError::Off) {
            self.tell_event(ask, event).await;
        }
    }

    async fn install(&mut self, ask: &Ask, place: &Place, plan: &Plan) -> Result<Done, AgentError> {
        self.memory.counters.attempts += 1;
        self.tell_event(ask, talk::download_started()).await;
        for candidate in &plan.candidates {
            match self.apply(ask, place, plan, candidate).await {
                Ok(()) => {
                    self.memory.counters.installed += 1;
                    self.step(Status::NeedReboot { version: plan.version.to_string() })?;
                    self.tell_event(ask, talk::installed()).await;
                    return Ok(Done::Installed(plan.version));
                }
                // Whatever is wrong with a delta, or with what it is applied to, may be right with the full payload.
                Err(error) if candidate.kind == CandidateKind::Delta && is_of_delta(&error) => {
                    self.memory.download = None;
                    let size = plan.candidates.last().map_or(0, |candidate| candidate.length);
                    self.status = Status::Available { version: plan.version.to_string(), size };
                }
                Err(error) => return Err(error),
            }
        }
        Err(AgentError::OtherPayload)
    }

    async fn apply(
        &mut self,
        ask: &Ask,
        place: &Place,
        plan: &Plan,
        candidate: &Candidate,
    ) -> Result<(), AgentError> {
        let fetcher = self.fetcher.clone();
        let mut download = Download::new(&fetcher, place, &candidate.object, 0)?;
        let head = head(&mut download, candidate).await?;
        let same = head.version == plan.version
            && head.arch == self.host.arch
            && head.usr_root_hash == plan.usr_root_hash
            && head.length == candidate.length;
        if !same {
            return Err(AgentError::OtherPayload);
        }
        let mut disk = self.hardware.disk().map_err(AgentError::Hardware)?;
        let mut esp = self.hardware.esp().map_err(AgentError::Hardware)?;
        let layout = self.layout.clone();
        let running = self.host.running;
        let slots = Slots::find(&mut *disk, &layout, &running)?;
        // A slot with a name has something else in it than an interrupted installation.
        let next = if slots.passive_is_empty() { self.resume_at(&head) } else { 0 };
        // What is written from the start is not what an older mark is about.
        if next == 0 && self.memory.download.take().is_some() {
            self.save()?;
        }
        let mut install = Install::begin(&mut *disk, &mut *esp, slots, running, head.clone())?;
        let result = self.transfer(&mut install, &mut download, head, next).await;
        self.memory.counters.bytes += download.received();
        let result = match result {
            Ok(()) => {
                self.tell_event(ask, talk::download_finished()).await;
                self.step(Status::Verifying { version: plan.version.to_string() })?;
                install.verify().map_err(AgentError::from)
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => self.switch(install, plan.version),
            Err(error) => {
                if !matches!(error, AgentError::Fetch(_)) {
                    self.memory.download = None;
                    install.abandon();
                }
                Err(error)
            }
        }
    }

    /// The last step. That it is coming is remembered before, so that a cut in between is understood.
    fn switch(&mut self, install: Install<'_>, version: Version) -> Result<(), AgentError> {
        let version = version.to_string();
        self.step(Status::Installing { version: version.clone() })?;
        self.memory.pending = Some(self.pending(&version));
        self.memory.download = None;
        self.save()?;
        // When this fails, the new kernel may have its name or not: the next look at the ESP knows.
        install.seal().map_err(AgentError::from)
    }

    /// The frame to go on with after an interruption. The UKI is written from its start: its file is no place to seek in.
    fn resume_at(&self, head: &Head) -> usize {
        let done = self.memory.download.as_ref().filter(|download| download.head == head.digest);
        let done = done.map_or(0, |download| download.frames);
        let uki = head.frames.iter().position(|frame| frame.section == Section::Uki);
        done.min(uki.unwrap_or(0))
    }

    async fn transfer(
        &mut self,
        install: &mut Install<'_>,
        download: &mut Download<'_>,
        head: Head,
        next: usize,
    ) -> Result<(), AgentError> {
        let (version, size, id) = (head.version.to_string(), head.length, head.digest);
        let mut applier = Applier::new(head, next);
        if let Some(frame) = applier.next().filter(|_| next > 0) {
            let position = frame.position;
            download.seek(position);
        }
        let mut distrusted = 0;
        while let Some(frame) = applier.next() {
            let (position, length) = (frame.position, frame.length);
            let status = Status::Downloading { version: version.clone(), size, done: position };
            self.step(status)?;
            let bytes: Bytes = download.take(length as usize).await?;
            let chunk = match applier.frame(&bytes, &mut install.base()) {
                Ok(chunk) => chunk,
                Err(PayloadError::WrongFrame { index }) => {
                    distrusted += 1;
                    if distrusted >= download.mirrors() {
                        return Err(PayloadError::WrongFrame { index }.into());
                    }
                    download.distrust(position);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            distrusted = 0;
            install.write(&chunk)?;
            let done = applier.position();
            if done.is_multiple_of(FRAMES_PER_FLUSH) {
                install.flush()?;
                self.memory.download = Some(memory::Download { head: id, frames: done });
                self.save()?;
            }
        }
        applier.finish()?;
        Ok(())
    }
}

/// Whether the full payload may succeed where a delta did not.
fn is_of_delta(error: &AgentError) -> bool {
    match error {
        AgentError::Payload(_) | AgentError::OtherPayload => true,
        AgentError::Install(error) => matches!(error, InstallError::ReadBack { .. }),
        AgentError::Fetch(error) => !error.is_temporary(),
        _ => false,
    }
}

/// The head of a payload, from the first mirror whose bytes are what was signed.
async fn head(download: &mut Download<'_>, candidate: &Candidate) -> Result<Head, AgentError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let start = download.take(START).await?;
        let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
        let length = u64::from(length).min(slipway_payload::HEAD_LIMIT);
        let rest = match length + START as u64 <= candidate.length {
            true => download.take(length as usize).await?,
            false => Bytes::new(),
        };
        let bytes = [start, rest].concat();
        match read_head(&bytes[..], Some(&candidate.head)) {
            Ok(head) => return Ok(head),
            Err(error) if tries >= download.mirrors() => return Err(error.into()),
            Err(_) => download.distrust(0),
        }
    }
}
