//! What is said to an update server, and what its answers mean (Omaha 3).

use slipway_omaha::{
    App, CheckStatus, ErrorCode, Event, EventResult, EventType, InstallSource, OmahaError, Os,
    Ping, Request, Response, SLIPWAY_APP_ID, UpdateCheck,
};
use slipway_payload::Version;

use crate::{fetch::AGENT, host::Host, memory::Memory};

/// Who asked for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The timer.
    ByTimer,
    /// A person.
    ByPerson,
}

/// What this machine says about itself in each request.
#[derive(Clone, Debug)]
pub struct Speaker<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What it remembers.
    pub memory: &'a Memory,
    /// The channel.
    pub channel: &'a str,
    /// Its owner's name for it.
    pub alias: &'a str,
    /// Who asked.
    pub asked: Asked,
}

/// An answer that means nothing.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    /// Not Omaha.
    #[error("the update server's answer was not understood")]
    Answer(#[source] OmahaError),
    /// An error of the server.
    #[error("the update server says `{0}`")]
    Refused(String),
    /// An offer without a version.
    #[error("the update server offers `{0}`, which is no version")]
    Version(String),
    /// An application identifier of ours that is none.
    #[error("cannot speak to the update server")]
    Own(#[source] OmahaError),
}

/// What a server proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// A version to go to.
    pub version: Option<Version>,
    /// When to ask again, in seconds.
    pub poll_interval: Option<u64>,
}

impl Speaker<'_> {
    /// The question for an update, with the report on the last one.
    ///
    /// # Errors
    /// Never in practice.
    pub fn check(&self) -> Result<String, TalkError> {
        let mut app = self.app()?;
        app.ping = Some(Ping { active: true, ..Ping::default() });
        let target_version_prefix = self.memory.pin.clone().unwrap_or_default();
        app.update_check = Some(UpdateCheck { target_version_prefix });
        app.events = vec![match self.memory.report_rollback {
            true => Event::failure(ErrorCode::ROLLED_BACK),
            false => {
                let previous = self.memory.report_previous.clone().unwrap_or_default();
                Event {
                    previous_version: Some(previous),
                    ..Event::new(EventType::UpdateComplete, EventResult::SuccessReboot)
                }
            }
        }];
        Ok(self.request(app))
    }

    /// A sign of life while an update waits for its reboot.
    ///
    /// # Errors
    /// Never in practice.
    pub fn ping(&self) -> Result<String, TalkError> {
        let mut app = self.app()?;
        app.ping = Some(Ping { active: true, ..Ping::default() });
        Ok(self.request(app))
    }

    /// The report of one event.
    ///
    /// # Errors
    /// Never in practice.
    pub fn event(&self, event: Event) -> Result<String, TalkError> {
        let mut app = self.app()?;
        app.events = vec![event];
        Ok(self.request(app))
    }

    fn app(&self) -> Result<App, TalkError> {
        let id = SLIPWAY_APP_ID.parse().map_err(TalkError::Own)?;
        let host = self.host;
        let mut app = App::new(id, host.running.version.to_string());
        app.track = self.channel.to_owned();
        app.boot_id = format!("{{{}}}", host.boot_id);
        app.oem = host.oem.clone();
        app.oem_version = host.oem_version.clone();
        app.aleph_version = self.memory.aleph_version.clone();
        app.machine_id = host.machine_id.clone();
        app.machine_alias = self.alias.to_owned();
        app.lang = "en-US".to_owned();
        app.board = format!("{}-usr", host.arch);
        app.delta_okay = true;
        Ok(app)
    }

    fn request(&self, app: App) -> String {
        let machine = match self.host.arch.as_str() {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            other => other,
        };
        let request = Request {
            version: AGENT.to_owned(),
            updater_version: AGENT.to_owned(),
            install_source: match self.asked {
                Asked::ByTimer => InstallSource::Scheduler,
                Asked::ByPerson => InstallSource::OnDemand,
            },
            is_machine: true,
            os: Os {
                version: "Chateau".to_owned(),
                platform: "CoreOS".to_owned(),
                service_pack: format!("{}_{machine}", self.host.running.version),
                arch: String::new(),
            },
            apps: vec![app],
            ..Request::default()
        };
        request.to_xml()
    }
}

/// The start of a download.
pub(crate) fn download_started() -> Event {
    Event::new(EventType::UpdateDownloadStarted, EventResult::Success)
}

/// The end of one that was verified.
pub(crate) fn download_finished() -> Event {
    Event::new(EventType::UpdateDownloadFinished, EventResult::Success)
}

/// An update that waits for its reboot.
pub(crate) fn installed() -> Event {
    Event::new(EventType::UpdateComplete, EventResult::Success)
}

/// A failure.
pub(crate) fn failed(code: u32) -> Event {
    Event::failure(ErrorCode::new(code))
}

/// An update that the machine's owner or the channel's signers do not want yet.
pub(crate) fn deferred(code: u32) -> Event {
    let event = Event::new(EventType::UpdateComplete, EventResult::UpdateDeferred);
    Event { error_code: Some(ErrorCode::new(code)), ..event }
}

/// Reads an answer to a check. Of what a server says about payloads nothing is believed, so nothing of it is read.
///
/// # Errors
/// When it is an error, or none of this protocol.
pub fn read_answer(answer: &[u8]) -> Result<Offer, TalkError> {
    let response = Response::parse(answer).map_err(TalkError::Answer)?;
    let app = response.apps.into_iter().next();
    let Some(check) = app.as_ref().and_then(|app| app.update_check.as_ref()) else {
        let said = app.map_or("nothing".to_owned(), |app| app.status.as_word().to_owned());
        return Err(TalkError::Refused(said));
    };
    let poll_interval = check.poll_interval;
    match &check.status {
        CheckStatus::Ok => {
            let version = check.manifests.first().map_or("", |manifest| manifest.version.as_str());
            match version.parse() {
                Ok(version) => Ok(Offer { version: Some(version), poll_interval }),
                Err(_) => Err(TalkError::Version(version.chars().take(64).collect())),
            }
        }
        CheckStatus::NoUpdate => Ok(Offer { version: None, poll_interval }),
        other => {
            // The reason is at the application (Nebraska).
            let at_app = app.as_ref().map(|app| app.status.as_word()).filter(|word| *word != "ok");
            Err(TalkError::Refused(at_app.unwrap_or(other.as_word()).to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_payload::Digest;

    use super::*;
    use crate::slots::Running;

    fn host() -> Host {
        Host {
            running: Running {
                version: "4.1.0".parse().unwrap(),
                usr_root_hash: Digest::of_bytes(b"usr"),
            },
            arch: "amd64".to_owned(),
            machine_id: "0f3a5c0e1b7d4e55a0b6c2d19e8f7a42".to_owned(),
            boot_id: "6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11".to_owned(),
            oem: "qemu".to_owned(),
            oem_version: "0.1".to_owned(),
        }
    }

    fn check(memory: &Memory) -> App {
        let host = host();
        let speaker = Speaker {
            host: &host,
            memory,
            channel: "stable",
            alias: "rack7",
            asked: Asked::ByTimer,
        };
        let request = Request::parse(speaker.check().unwrap().as_bytes()).unwrap();
        assert_eq!(request.install_source, InstallSource::Scheduler);
        assert_eq!(request.os.service_pack, "4.1.0_x86_64");
        request.apps.into_iter().next().unwrap()
    }

    #[test]
    fn a_check_says_who_asks() {
        let app = check(&Memory::default());
        assert_eq!((app.version.as_str(), app.track.as_str()), ("4.1.0", "stable"));
        assert_eq!((app.board.as_str(), app.machine_alias.as_str()), ("amd64-usr", "rack7"));
        assert_eq!(app.events[0].previous_version.as_deref(), Some(""));
        assert!(app.update_check.is_some() && app.ping.is_some() && app.delta_okay);
    }

    #[test]
    fn a_check_reports_what_the_reboot_came_to() {
        let memory = Memory { report_previous: Some("4.0.0".to_owned()), ..Memory::default() };
        let event = check(&memory).events.remove(0);
        assert_eq!(event.previous_version.as_deref(), Some("4.0.0"));
        let memory = Memory { report_rollback: true, ..Memory::default() };
        let event = check(&memory).events.remove(0);
        assert_eq!(event.error_code.map(ErrorCode::raw), Some(44));
        assert_eq!(event.result, EventResult::Error);
    }

    #[test]
    fn answers() {
        #[track_caller]
        fn check(app_status: &str, inner: &str, expected: &str) {
            let answer = format!(
                "<response protocol=\"3.0\" server=\"s\"><app appid=\"{SLIPWAY_APP_ID}\" status=\"{app_status}\">{inner}</app></response>"
            );
            let said = match read_answer(answer.as_bytes()) {
                Ok(offer) => format!("{:?}", offer.version.map(|version| version.to_string())),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected);
        }
        check("ok", "<updatecheck status=\"noupdate\"/>", "None");
        let offer = |version: &str| {
            format!("<updatecheck status=\"ok\"><manifest version=\"{version}\"/></updatecheck>")
        };
        check("ok", &offer("4.2.0"), "Some(\"4.2.0\")");
        check("ok", &offer("4.2"), "the update server offers `4.2`, which is no version");
        check("ok", "", "the update server says `ok`");
        check(
            "error-maxUpdatesPerPeriodLimitReached",
            "<updatecheck status=\"error-internal\"/>",
            "the update server says `error-maxUpdatesPerPeriodLimitReached`",
        );
        let garbage = read_answer(b"<html>").unwrap_err();
        assert_eq!(garbage.to_string(), "the update server's answer was not understood");
    }
}
