//! One host: what it sends, given what it was answered.

use slipway_omaha::{
    App, AppId, ErrorCode, Event as OmahaEvent, EventResult, EventType, InstallSource, Os, Ping,
    Request, UpdateCheck,
};

use crate::Random;
use crate::random::Chance;

/// How hosts behave; shared by all.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The application.
    pub app: AppId,
    /// The group, sent as the track.
    pub track: String,
    /// The OEM.
    pub oem: String,
    /// The board, `amd64-usr` or `arm64-usr`.
    pub board: String,
    /// `scheduler` or `ondemandupdate`.
    pub source: InstallSource,
    /// The version whose updates fail, or whose hosts vanish; any version if absent.
    pub bad_version: Option<String>,
    /// How many updates of a hundred fail.
    pub fail_percent: f64,
    /// How many hosts of a hundred vanish when they begin an update.
    pub vanish_percent: f64,
    /// The code of failures.
    pub error_code: u32,
    /// How often a host only pings before it reboots.
    pub pings: u32,
}

/// One host.
#[derive(Debug, Clone)]
pub struct Host {
    machine: String,
    version: String,
    boots: u64,
    /// The version before, until the first check after an update has told it.
    previous: Option<String>,
    dice: Random,
}

/// What a host sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A check for an update.
    Check,
    /// An event on its own.
    Event(OmahaEvent),
    /// A sign of life on its own.
    Ping,
}

/// What a host does after it was granted an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It sends something.
    Send(Message),
    /// It gives up, and will ask again.
    Fail,
    /// It is never heard of again.
    Vanish,
    /// It reboots into the new version.
    Reboot,
}

/// The first digits of machine identifiers, by which the fakes of `updateservicectl` are known.
const PREFIX: &str = "deadbeef";

impl Host {
    /// The host of a number, in a world that grows from a seed.
    pub fn new(seed: u64, number: u64, version: &str) -> Self {
        let mut dice = Random::new(seed ^ number.wrapping_mul(0xd129_0d3b_8fb5_c9a5));
        let machine = format!("{PREFIX}{:016x}{:08x}", dice.bits(), number & 0xffff_ffff);
        Self { machine, version: version.to_owned(), boots: 0, previous: None, dice }
    }

    /// Its machine identifier.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// The version that it runs.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its dice.
    pub fn dice(&mut self) -> &mut Random {
        &mut self.dice
    }

    /// The document of a message.
    pub fn request(&self, profile: &Profile, message: &Message) -> Request {
        let mut app = App {
            track: profile.track.clone(),
            boot_id: format!("{{{}-0000-4000-8000-{:012x}}}", &self.machine[8..16], self.boots),
            oem: profile.oem.clone(),
            machine_id: self.machine.clone(),
            board: profile.board.clone(),
            lang: "en-US".to_owned(),
            ..App::new(profile.app.clone(), &self.version)
        };
        match message {
            Message::Check => {
                app.ping = Some(Ping { active: true, ..Ping::default() });
                app.update_check = Some(UpdateCheck::default());
                // A host that has just rebooted tells it here; one that has not sends an empty version.
                let previous = self.previous.clone().unwrap_or_default();
                let complete =
                    OmahaEvent::new(EventType::UpdateComplete, EventResult::SuccessReboot);
                app.events = vec![OmahaEvent { previous_version: Some(previous), ..complete }];
            }
            Message::Ping => app.ping = Some(Ping { active: true, ..Ping::default() }),
            Message::Event(event) => app.events = vec![event.clone()],
        }
        Request {
            version: "update_engine-0.4.10".to_owned(),
            updater_version: "update_engine-0.4.10".to_owned(),
            install_source: profile.source.clone(),
            is_machine: true,
            os: Os {
                version: "Chateau".to_owned(),
                platform: "CoreOS".to_owned(),
                service_pack: format!("{}_x86_64", self.version),
                ..Os::default()
            },
            apps: vec![app],
            ..Request::default()
        }
    }

    /// A check was answered: a reboot is told once.
    pub fn answered(&mut self) {
        self.previous = None;
    }

    /// What it does with an update to a version, by its dice.
    pub fn steps(&mut self, profile: &Profile, version: &str) -> Vec<Step> {
        let bad = profile.bad_version.as_deref().is_none_or(|bad| bad == version);
        let percent = |percent: f64| if bad { percent } else { 0.0 };
        let event = |kind, result| Step::Send(Message::Event(OmahaEvent::new(kind, result)));
        let mut steps = vec![event(EventType::UpdateDownloadStarted, EventResult::Success)];
        if self.dice.percent(percent(profile.vanish_percent)) == Chance::Comes {
            steps.push(Step::Vanish);
            return steps;
        }
        if self.dice.percent(percent(profile.fail_percent)) == Chance::Comes {
            steps.push(Step::Send(Message::Event(OmahaEvent::failure(ErrorCode::new(
                profile.error_code,
            )))));
            steps.push(Step::Fail);
            return steps;
        }
        steps.push(event(EventType::UpdateDownloadFinished, EventResult::Success));
        steps.push(event(EventType::UpdateComplete, EventResult::Success));
        if profile.pings > 0 {
            steps.push(event(EventType::Held, EventResult::Success));
        }
        steps.extend((0..profile.pings).map(|_| Step::Send(Message::Ping)));
        steps.push(Step::Reboot);
        steps
    }

    /// It comes up with a new version; gives the one before.
    pub fn reboot(&mut self, version: &str) -> String {
        self.boots += 1;
        let before = std::mem::replace(&mut self.version, version.to_owned());
        self.previous = Some(before.clone());
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn profile() -> Profile {
        Profile {
            app: "e96281a6-d1af-4bde-9a0a-97b76e56dc57".parse().unwrap(),
            track: "stable".into(),
            oem: "fakeclient".into(),
            board: "amd64-usr".into(),
            source: InstallSource::Scheduler,
            bad_version: None,
            fail_percent: 0.0,
            vanish_percent: 0.0,
            error_code: 2000,
            pings: 0,
        }
    }

    fn events(steps: &[Step]) -> Vec<(u32, u32)> {
        let event = |step: &Step| match step {
            Step::Send(Message::Event(event)) => Some((event.kind.number(), event.result.number())),
            _ => None,
        };
        steps.iter().filter_map(event).collect()
    }

    fn check(profile: &Profile, expected: &[(u32, u32)], last: &Step) {
        let steps = Host::new(1, 1, "1.0.0").steps(profile, "2.0.0");
        assert_eq!(events(&steps), expected);
        assert_eq!(steps.last(), Some(last));
    }

    #[test]
    fn an_update_is_reported_step_by_step() {
        check(&profile(), &[(13, 1), (14, 1), (3, 1)], &Step::Reboot);
        check(
            &Profile { pings: 2, ..profile() },
            &[(13, 1), (14, 1), (3, 1), (800, 1)],
            &Step::Reboot,
        );
        check(&Profile { fail_percent: 100.0, ..profile() }, &[(13, 1), (3, 0)], &Step::Fail);
        check(&Profile { vanish_percent: 100.0, ..profile() }, &[(13, 1)], &Step::Vanish);
    }

    #[test]
    fn one_version_is_bad_and_no_other() {
        let bad = |version: &str| Profile {
            bad_version: Some(version.to_owned()),
            fail_percent: 100.0,
            ..profile()
        };
        check(&bad("2.0.0"), &[(13, 1), (3, 0)], &Step::Fail);
        check(&bad("3.0.0"), &[(13, 1), (14, 1), (3, 1)], &Step::Reboot);
    }

    #[test]
    fn pings_come_before_the_reboot() {
        let steps = Host::new(1, 1, "1.0.0").steps(&Profile { pings: 2, ..profile() }, "2.0.0");
        assert_eq!(steps.iter().filter(|step| **step == Step::Send(Message::Ping)).count(), 2);
    }

    #[test]
    fn a_check_is_what_a_real_host_sends() {
        let mut host = Host::new(1, 1, "1.0.0");
        let previous = |host: &Host| {
            host.request(&profile(), &Message::Check).apps[0].events[0].previous_version.clone()
        };
        assert_eq!(previous(&host), Some(String::new()));
        host.reboot("2.0.0");
        assert_eq!(previous(&host), Some("1.0.0".into()));
        host.answered();
        assert_eq!(previous(&host), Some(String::new()));
        let request = host.request(&profile(), &Message::Check);
        let app = &request.apps[0];
        assert_eq!((app.version.as_str(), app.track.as_str()), ("2.0.0", "stable"));
        assert!(app.ping.is_some() && app.update_check.is_some());
        assert_eq!(Request::parse(request.to_xml().as_bytes()).unwrap(), request);
    }

    #[test]
    fn events_come_alone() {
        let host = Host::new(1, 1, "1.0.0");
        let event = OmahaEvent::new(EventType::UpdateDownloadStarted, EventResult::Success);
        let request = host.request(&profile(), &Message::Event(event.clone()));
        let app = &request.apps[0];
        assert_eq!((&app.ping, &app.update_check, &app.events), (&None, &None, &vec![event]));
        let request = host.request(&profile(), &Message::Ping);
        assert!(request.apps[0].events.is_empty() && request.apps[0].update_check.is_none());
    }

    #[test]
    fn hosts_differ_and_come_again() {
        let machines: HashSet<String> =
            (0..1000).map(|number| Host::new(7, number, "1.0.0").machine).collect();
        assert_eq!(machines.len(), 1000);
        assert!(machines.iter().all(|machine| machine.len() == 32 && machine.starts_with(PREFIX)));
        assert!(machines.contains(Host::new(7, 3, "2.0.0").machine()));
    }
}
