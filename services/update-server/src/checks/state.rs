//! What a machine does, and what its events make of that.
//!
//! ```text
//!             granted          13/1             14/1            3/1
//!  any status ──────▶ Granted ─────▶ Downloading ─────▶ Downloaded ─────▶ Installed
//!                        │               │                │                │
//!                        └───────────────┴──── 3/0 ───────┴──▶ Error ◀─────┤
//!                        it runs the version that it was granted ▶ Complete ◀┘
//!                        nothing heard until the grant ends ─────▶ Undefined
//! ```

use jiff::{SignedDuration, Timestamp};

use super::{Ask, Happened};
use crate::{
    ids::{AppId, GroupId, MachineId},
    store::{Instance, Status},
};

/// The error by which a machine says that it came back from a version.
pub(super) const ROLLED_BACK: u32 = 44;

/// A grant, as far as a batch knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeaseRow {
    /// Its number; `None` until it is written.
    pub(super) id: Option<i64>,
    pub(super) app: AppId,
    pub(super) group: GroupId,
    pub(super) machine: MachineId,
    pub(super) version: String,
    pub(super) granted_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) end: Option<(Timestamp, Ended)>,
    pub(super) changed: bool,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Complete,
    Failed,
    Missing,
    Replaced,
}

impl Ended {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Replaced => "replaced",
        }
    }
}

/// A row of the table of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) kind: &'static str,
    pub(super) event: Option<(u32, u32)>,
    pub(super) error_code: Option<u32>,
    pub(super) instance: Instance,
}

/// What the database does not know yet of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unwritten {
    Nothing,
    /// That it was seen just now, and no more: what nearly every check comes to.
    Seen,
    Anything,
}

/// A machine within a batch.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) instance: Instance,
    pub(super) unwritten: Unwritten,
    pub(super) open: Option<LeaseRow>,
    pub(super) closed: Vec<LeaseRow>,
    pub(super) events: Vec<EventRow>,
}

impl Slot {
    /// A machine that the database knows, with its grant.
    pub(super) fn known(instance: Instance, open: Option<LeaseRow>) -> Self {
        let unwritten = Unwritten::Nothing;
        Self { instance, unwritten, open, closed: Vec::new(), events: Vec::new() }
    }

    /// A machine that nobody knew.
    pub(super) fn new(ask: &Ask, now: Timestamp) -> Self {
        let instance = Instance {
            app: ask.app.clone(),
            machine: ask.machine.clone(),
            group: ask.group.clone(),
            track: String::new(),
            version: String::new(),
            arch: ask.arch,
            oem: String::new(),
            oem_version: String::new(),
            aleph_version: String::new(),
            alias: String::new(),
            given_alias: String::new(),
            ip: String::new(),
            boot_id: String::new(),
            install_source: String::new(),
            status: Status::Undefined,
            status_since: now,
            update_version: None,
            granted_at: None,
            error_code: None,
            event_type: None,
            event_result: None,
            pin: None,
            first_seen: now,
            last_seen: now,
        };
        Self { unwritten: Unwritten::Anything, ..Self::known(instance, None) }
    }

    /// Takes over what the machine says of itself. A clock that went backwards does not make it younger.
    pub(super) fn describe(&mut self, ask: &Ask, now: Timestamp) {
        let instance = &mut self.instance;
        let mut unwritten = Unwritten::Nothing;
        if instance.last_seen < now {
            instance.last_seen = now;
            unwritten = Unwritten::Seen;
        }
        if instance.group != ask.group || instance.arch != ask.arch {
            instance.group = ask.group.clone();
            instance.arch = ask.arch;
            unwritten = Unwritten::Anything;
        }
        for (field, said) in [
            (&mut instance.track, &ask.track),
            (&mut instance.version, &ask.version),
            (&mut instance.oem, &ask.oem),
            (&mut instance.oem_version, &ask.oem_version),
            (&mut instance.aleph_version, &ask.aleph_version),
            (&mut instance.alias, &ask.alias),
            (&mut instance.ip, &ask.ip),
            (&mut instance.boot_id, &ask.boot_id),
            (&mut instance.install_source, &ask.install_source),
        ] {
            if field != said {
                field.clone_from(said);
                unwritten = Unwritten::Anything;
            }
        }
        self.unwritten = self.unwritten.max(unwritten);
    }

    /// Ends what ran out of time, or was reached: that a machine runs a version is better evidence than an event, which
    /// is sent only once.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let Some(lease) = &self.open else { return };
        if same(&lease.version, &self.instance.version) {
            self.end(Ended::Complete, now);
            self.become_status(Status::Complete, now);
            self.instance.error_code = None;
            self.note("complete", None, None);
        } else if lease.expires_at <= now {
            self.end(Ended::Missing, now);
            self.become_status(Status::Undefined, now);
            self.note("expired", None, None);
        }
    }

    /// Takes over an event.
    pub(super) fn happen(&mut self, happened: &Happened, lease_seconds: u64, now: Timestamp) {
        // With every check the update engine says that it completed an update from the version "": nothing happened.
        let heartbeat = happened.kind == 3
            && happened.result == 2
            && happened.previous_version.as_deref().unwrap_or_default().is_empty();
        if heartbeat {
            return;
        }
        let numbers = (happened.kind, happened.result);
        self.unwritten = Unwritten::Anything;
        self.instance.event_type = Some(happened.kind.into());
        self.instance.event_result = Some(happened.result.into());
        let next = match numbers {
            (3, 0) => return self.fail(happened, now),
            (13, 1) => Some(Status::Downloading),
            (14, 1) => Some(Status::Downloaded),
            (3 | 800, 1) => Some(Status::Installed),
            _ => None,
        };
        if let (Some(next), Some(lease)) = (next, &mut self.open) {
            lease.expires_at = lease.expires_at.max(after(now, lease_seconds));
            lease.changed = true;
            self.become_status(next, now);
        }
        self.note("event", Some(numbers), None);
    }

    fn fail(&mut self, happened: &Happened, now: Timestamp) {
        let code = happened.error_code.unwrap_or(1);
        // A machine that never began reports errors too, such as a server that it could not understand.
        if self.open.is_some() || code == ROLLED_BACK {
            self.end(Ended::Failed, now);
            self.become_status(Status::Error, now);
            self.instance.error_code = Some(code.into());
        }
        self.note("event", Some((happened.kind, happened.result)), Some(code));
    }

    /// A machine that waits for its reboot lives, and says so: its grant goes on.
    pub(super) fn renew(&mut self, lease_seconds: u64, now: Timestamp) {
        if let (Status::Installed, Some(lease)) = (self.instance.status, &mut self.open) {
            lease.expires_at = lease.expires_at.max(after(now, lease_seconds));
            lease.changed = true;
        }
    }

    /// Grants a version.
    pub(super) fn grant(&mut self, version: &str, lease_seconds: u64, now: Timestamp) {
        self.end(Ended::Replaced, now);
        self.open = Some(LeaseRow {
            id: None,
            app: self.instance.app.clone(),
            group: self.instance.group.clone(),
            machine: self.instance.machine.clone(),
            version: version.to_owned(),
            granted_at: now,
            expires_at: after(now, lease_seconds),
            end: None,
            changed: true,
        });
        self.instance.update_version = Some(version.to_owned());
        self.instance.granted_at = Some(now);
        self.instance.error_code = None;
        self.become_status(Status::Granted, now);
        self.note("granted", None, None);
    }

    /// Lets it wait.
    pub(super) fn hold(&mut self, now: Timestamp) {
        if !self.instance.status.in_progress() && self.instance.status != Status::OnHold {
            self.become_status(Status::OnHold, now);
            self.note("hold", None, None);
        }
    }

    /// Nothing waits for it any more.
    pub(super) fn release(&mut self, now: Timestamp) {
        if self.instance.status == Status::OnHold {
            self.become_status(Status::Undefined, now);
        }
    }

    /// The version that it came back from.
    pub(super) fn rolled_back(&self) -> Option<&str> {
        let back = self.instance.status == Status::Error
            && self.instance.error_code == Some(ROLLED_BACK.into());
        self.instance.update_version.as_deref().filter(|_| back)
    }

    fn end(&mut self, how: Ended, now: Timestamp) {
        if let Some(mut lease) = self.open.take() {
            lease.end = Some((now, how));
            lease.changed = true;
            self.closed.push(lease);
        }
    }

    fn become_status(&mut self, status: Status, now: Timestamp) {
        if self.instance.status != status {
            self.instance.status = status;
            self.instance.status_since = now;
        }
        self.unwritten = Unwritten::Anything;
    }

    fn note(&mut self, kind: &'static str, event: Option<(u32, u32)>, error_code: Option<u32>) {
        self.events.push(EventRow { kind, event, error_code, instance: self.instance.clone() });
        self.unwritten = Unwritten::Anything;
    }
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

/// Whether two versions are the same; texts that are no versions are compared as they are.
pub(super) fn same(one: &str, other: &str) -> bool {
    match (semver::Version::parse(one), semver::Version::parse(other)) {
        (Ok(one), Ok(other)) => one.cmp_precedence(&other).is_eq(),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::Wants, policy::Trigger, store::Arch};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn ask(version: &str) -> Ask {
        Ask {
            app: "app".parse().unwrap(),
            group: "group".parse().unwrap(),
            machine: "machine".parse().unwrap(),
            track: "stable".to_owned(),
            version: version.to_owned(),
            arch: Arch::Amd64,
            oem: String::new(),
            oem_version: String::new(),
            aleph_version: String::new(),
            alias: String::new(),
            ip: String::new(),
            boot_id: String::new(),
            install_source: String::new(),
            trigger: Trigger::Timer,
            events: Vec::new(),
            wants: Wants::Update,
        }
    }

    fn event(kind: u32, result: u32) -> Happened {
        Happened { kind, result, error_code: None, previous_version: None }
    }

    /// A machine of version 1.0.0 that was granted 2.0.0 for 100 seconds.
    fn granted() -> Slot {
        let mut slot = Slot::new(&ask("1.0.0"), at(0));
        slot.describe(&ask("1.0.0"), at(0));
        slot.grant("2.0.0", 100, at(0));
        slot
    }

    fn ended(slot: &Slot) -> Vec<Ended> {
        slot.closed.iter().filter_map(|lease| lease.end.map(|(_, how)| how)).collect()
    }

    /// Every event from every status: where the drawing has no arrow, nothing moves.
    #[test]
    fn events_move_a_machine_as_the_drawing_says() {
        let steps = [
            (13, 1, Status::Downloading),
            (14, 1, Status::Downloaded),
            (3, 1, Status::Installed),
            (800, 1, Status::Installed),
        ];
        for (kind, result, expected) in steps {
            let mut slot = granted();
            slot.happen(&event(kind, result), 100, at(1));
            assert_eq!(slot.instance.status, expected);
            let mut free = Slot::new(&ask("1.0.0"), at(0));
            free.happen(&event(kind, result), 100, at(1));
            assert_eq!(
                free.instance.status,
                Status::Undefined,
                "without a grant nothing is in progress"
            );
        }
        for (kind, result) in [(3, 9), (2, 1), (54, 1), (14, 0)] {
            let mut slot = granted();
            slot.happen(&event(kind, result), 100, at(1));
            assert_eq!(slot.instance.status, Status::Granted, "{kind}/{result}");
        }
    }

    /// A check that brings nothing new writes a time, and one that does writes it all.
    #[test]
    fn what_a_check_changes_is_what_is_written() {
        let known = |seen| {
            let mut slot = Slot::new(&ask("1.0.0"), at(seen));
            slot.describe(&ask("1.0.0"), at(seen));
            Slot::known(slot.instance, None)
        };
        let check = |seen, change: fn(&mut Ask), expected| {
            let mut slot = known(seen);
            let mut ask = ask("1.0.0");
            change(&mut ask);
            slot.describe(&ask, at(10));
            slot.settle(at(10));
            slot.release(at(10));
            assert_eq!(slot.unwritten, expected);
            assert_eq!(slot.instance.last_seen, at(seen.max(10)));
        };
        check(0, |_| {}, Unwritten::Seen);
        check(10, |_| {}, Unwritten::Nothing);
        // A clock that went backwards.
        check(20, |_| {}, Unwritten::Nothing);
        check(20, |ask| ask.version = "1.0.1".to_owned(), Unwritten::Anything);
        check(0, |ask| ask.ip = "192.0.2.1".to_owned(), Unwritten::Anything);
        check(0, |ask| ask.group = "other".parse().unwrap(), Unwritten::Anything);
        let mut slot = known(0);
        slot.happen(&event(13, 1), 100, at(0));
        assert_eq!(slot.unwritten, Unwritten::Anything);
        let mut slot = known(0);
        slot.hold(at(0));
        assert_eq!(slot.unwritten, Unwritten::Anything);
        assert_eq!(Slot::new(&ask("1.0.0"), at(0)).unwritten, Unwritten::Anything);
    }

    #[test]
    fn a_failure_ends_a_grant() {
        let mut slot = granted();
        slot.happen(&Happened { error_code: Some(18), ..event(3, 0) }, 100, at(1));
        assert_eq!((slot.instance.status, slot.instance.error_code), (Status::Error, Some(18)));
        assert_eq!(ended(&slot), [Ended::Failed]);
        // Without a grant an error is noted, and no more.
        slot.happen(&Happened { error_code: Some(34), ..event(3, 0) }, 100, at(2));
        assert_eq!(slot.instance.error_code, Some(18));
        assert_eq!(slot.events.last().unwrap().error_code, Some(34));
        assert_eq!(slot.rolled_back(), None);
    }

    #[test]
    fn a_rollback_is_known_even_after_the_grant() {
        let mut slot = granted();
        slot.settle(at(100));
        assert_eq!(ended(&slot), [Ended::Missing]);
        slot.happen(&Happened { error_code: Some(44), ..event(3, 0) }, 100, at(101));
        assert_eq!(slot.rolled_back(), Some("2.0.0"));
    }

    #[test]
    fn the_version_that_runs_is_better_evidence_than_an_event() {
        let mut slot = granted();
        slot.describe(&ask("2.0.0"), at(500));
        slot.settle(at(500));
        assert_eq!(slot.instance.status, Status::Complete);
        assert_eq!(ended(&slot), [Ended::Complete]);
    }

    #[test]
    fn the_empty_event_of_every_check_is_none() {
        let mut slot = granted();
        let events = slot.events.len();
        for previous in [None, Some(String::new())] {
            slot.happen(&Happened { previous_version: previous, ..event(3, 2) }, 100, at(1));
        }
        assert_eq!(slot.events.len(), events);
    }

    #[test]
    fn progress_gives_more_time_and_asking_again_does_not() {
        let mut slot = granted();
        slot.renew(100, at(50));
        assert_eq!(slot.open.as_ref().unwrap().expires_at, at(100));
        slot.happen(&event(13, 1), 100, at(50));
        assert_eq!(slot.open.as_ref().unwrap().expires_at, at(150));
        slot.happen(&event(3, 1), 100, at(60));
        slot.renew(100, at(120));
        assert_eq!(slot.open.as_ref().unwrap().expires_at, at(220));
    }

    #[test]
    fn one_grant_takes_the_place_of_another() {
        let mut slot = granted();
        slot.grant("3.0.0", 100, at(1));
        assert_eq!(ended(&slot), [Ended::Replaced]);
        assert_eq!(slot.open.as_ref().unwrap().version, "3.0.0");
        slot.hold(at(2));
        assert_eq!(slot.instance.status, Status::Granted, "what is under way does not wait");
    }

    #[test]
    fn waiting_is_noted_once() {
        let mut slot = Slot::new(&ask("1.0.0"), at(0));
        slot.hold(at(1));
        slot.hold(at(2));
        assert_eq!(slot.events.len(), 1);
        slot.release(at(3));
        assert_eq!(slot.instance.status, Status::Undefined);
    }
}
