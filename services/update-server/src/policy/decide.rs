//! The decision: does this machine get an update now, which one, and why.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Allowed, Graph, OnDemand, Policy, graph::bare, open_at, percent_at};

/// What is known of a machine that asks.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    /// Its id; decides about its place in a rollout.
    pub id: &'a str,
    /// The version that it runs, as it says.
    pub version: &'a str,
    /// Its platform.
    pub oem: &'a str,
    /// The version that an operator pinned it to.
    pub pin: Option<&'a str>,
    /// Why it asks.
    pub trigger: Trigger,
    /// The update that it was granted and has not finished.
    pub lease: Option<Granted<'a>>,
    /// The version that it came back from, because it did not work there.
    pub rolled_back: Option<&'a str>,
}

/// Why a machine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Its timer ran out.
    Timer,
    /// A person told it to.
    Person,
}

/// An update that was granted.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// To which version.
    pub version: &'a str,
    /// Until when it must be done.
    pub expires_at: Timestamp,
}

/// What is known of a group.
#[derive(Clone, Copy, Debug)]
pub struct GroupState<'a> {
    /// What an operator has set.
    pub policy: &'a Policy,
    /// Why it stopped by itself.
    pub stopped: Option<&'a str>,
    /// When the channel came to point to its version.
    pub channel_changed: Timestamp,
}

/// What happened in a group so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Grants in the last period.
    pub granted_in_period: u64,
    /// When the oldest of them was made.
    pub oldest_in_period: Option<Timestamp>,
    /// Updates under way, to any version, those of the machine itself left out.
    pub in_progress: u64,
    /// Grants of the version, ever.
    pub granted: u64,
    /// Machines that run the version after an update.
    pub completed: u64,
    /// Attempts at the version that failed.
    pub failed: u64,
    /// Attempts at the version whose machines were not heard of again in time.
    pub missing: u64,
}

/// What a machine gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// Why.
    pub reason: Reason,
    /// When its turn may come, if that can be said.
    pub turn: Option<Timestamp>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A new grant of this version.
    Grant(String),
    /// What was granted before, again.
    Again(String),
    /// There is an update, and the machine must wait.
    Wait,
    /// There is nothing for it.
    Nothing,
}

/// Why a machine gets what it gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
pub enum Reason {
    /// It says a version that is none.
    NoVersion {
        /// What it says.
        version: String,
    },
    /// The group has no channel, or its channel points to nothing.
    NoPackage,
    /// The version that it or its group is pinned to is not there.
    UnknownPin {
        /// Which.
        version: String,
    },
    /// It has what it shall have.
    Current,
    /// It has a newer version, and may not go back.
    Newer {
        /// What the channel or pin says.
        version: String,
    },
    /// Updates are switched off.
    Off,
    /// The group stopped by itself.
    Stopped {
        /// Why.
        why: String,
    },
    /// Its platform gets nothing.
    Oem {
        /// Which.
        oem: String,
    },
    /// The version is blacklisted.
    Blacklisted {
        /// Which.
        version: String,
    },
    /// It came back from this version.
    RolledBack {
        /// Which.
        version: String,
    },
    /// No maintenance window is open.
    Window,
    /// The rollout has not reached it.
    Share {
        /// Its place, 0 to 100.
        place: f64,
        /// How far the rollout is, 0 to 100.
        percent: f64,
    },
    /// Another machine tries the version first.
    Canary,
    /// As many updates as may be were granted in this period.
    Period {
        /// How many were.
        granted: u64,
        /// How many may be.
        count: u32,
    },
    /// As many updates as may be are under way.
    AtOnce {
        /// How many are.
        in_progress: u64,
        /// How many may be.
        count: u32,
    },
    /// It was granted before, and has not finished.
    Unfinished,
    /// Nothing is in its way.
    Target,
    /// A version that may not be skipped comes first.
    Floor {
        /// Why.
        why: String,
    },
    /// It goes back.
    Downgrade,
}

/// Decides. When unsure it gives nothing: a machine that waits is asked about, one that breaks is lost.
pub fn decide(
    machine: &Machine<'_>,
    group: GroupState<'_>,
    graph: &Graph,
    counters: &Counters,
    now: Timestamp,
) -> Decision {
    let (next, reason) = match next_version(machine, group.policy, graph) {
        Ok(next) => next,
        Err(reason) => return nothing(reason),
    };
    if let Some(reason) = forbidden(machine, group, graph, &next) {
        return nothing(reason);
    }
    let unfinished =
        machine.lease.filter(|lease| lease.expires_at > now && same(lease.version, &next));
    if unfinished.is_some() {
        return Decision {
            answer: Answer::Again(next.to_string()),
            reason: Reason::Unfinished,
            turn: None,
        };
    }
    if let Some(why) = should_stop(group.policy, counters) {
        return nothing(Reason::Stopped { why });
    }
    match waiting(machine, group, &next, counters, now) {
        Some((reason, turn)) => Decision { answer: Answer::Wait, reason, turn },
        None => Decision { answer: Answer::Grant(next.to_string()), reason, turn: None },
    }
}

/// The version that a machine shall have at last: the one that it or its group is pinned to, else what the channel points to.
///
/// # Errors
/// Why there is none.
pub fn destination(
    machine: &Machine<'_>,
    policy: &Policy,
    graph: &Graph,
) -> Result<Version, Reason> {
    let Some(pin) = machine.pin.or(policy.pin.as_deref()) else {
        return graph.target().cloned().ok_or(Reason::NoPackage);
    };
    let unknown = || Reason::UnknownPin { version: pin.to_owned() };
    let version = Version::parse(pin).map(bare).map_err(|_| unknown())?;
    if graph.allowed(&version).is_none() && !same(machine.version, &version) {
        return Err(unknown());
    }
    Ok(version)
}

/// The version that comes next, and why it is that one: a floor on the way, or the destination.
///
/// # Errors
/// Why there is none.
pub fn next_version(
    machine: &Machine<'_>,
    policy: &Policy,
    graph: &Graph,
) -> Result<(Version, Reason), Reason> {
    let running = Version::parse(machine.version)
        .map_err(|_| Reason::NoVersion { version: machine.version.chars().take(64).collect() })?;
    let destination = destination(machine, policy, graph)?;
    match destination.cmp_precedence(&running) {
        std::cmp::Ordering::Equal => Err(Reason::Current),
        std::cmp::Ordering::Less if policy.allow_downgrade => Ok((destination, Reason::Downgrade)),
        std::cmp::Ordering::Less => Err(Reason::Newer { version: destination.to_string() }),
        std::cmp::Ordering::Greater => match graph.floor_between(&running, &destination) {
            Some((floor, why)) => Ok((floor.clone(), Reason::Floor { why: why.to_owned() })),
            None => Ok((destination, Reason::Target)),
        },
    }
}

/// What no person on the machine can pass over.
fn forbidden(
    machine: &Machine<'_>,
    group: GroupState<'_>,
    graph: &Graph,
    next: &Version,
) -> Option<Reason> {
    if !group.policy.updates_enabled {
        return Some(
            group.stopped.map_or(Reason::Off, |why| Reason::Stopped { why: why.to_owned() }),
        );
    }
    if let Some(why) = group.stopped {
        return Some(Reason::Stopped { why: why.to_owned() });
    }
    if group.policy.oem_blacklist.iter().any(|oem| oem.eq_ignore_ascii_case(machine.oem)) {
        return Some(Reason::Oem { oem: machine.oem.to_owned() });
    }
    if graph.allowed(next) != Some(Allowed::Yes) {
        return Some(Reason::Blacklisted { version: next.to_string() });
    }
    let back = machine.rolled_back.is_some_and(|version| same(version, next));
    (back && machine.trigger == Trigger::Timer)
        .then(|| Reason::RolledBack { version: next.to_string() })
}

/// Why a machine must wait, and until when if that can be said.
fn waiting(
    machine: &Machine<'_>,
    group: GroupState<'_>,
    next: &Version,
    counters: &Counters,
    now: Timestamp,
) -> Option<(Reason, Option<Timestamp>)> {
    let policy = group.policy;
    let asked = machine.trigger == Trigger::Person;
    let past_limits = asked && policy.on_demand != OnDemand::Nothing;
    let past_windows = asked && policy.on_demand == OnDemand::LimitsAndWindows;
    match open_at(&policy.windows, now) {
        Err(next) if !past_windows => return Some((Reason::Window, next)),
        _ => {}
    }
    if past_limits {
        return None;
    }
    let place = place(machine.id, &next.to_string());
    let (percent, turn) = share(group, place, now);
    if place >= percent {
        return Some((Reason::Share { place, percent }, turn));
    }
    if policy.safe_mode && counters.completed == 0 && counters.in_progress > 0 {
        return Some((Reason::Canary, None));
    }
    limits(policy, counters)
}

fn limits(policy: &Policy, counters: &Counters) -> Option<(Reason, Option<Timestamp>)> {
    if let Some(period) = policy.per_period
        && counters.granted_in_period >= period.count.into()
    {
        let length = SignedDuration::from_secs(i64::try_from(period.seconds).unwrap_or(i64::MAX));
        let turn = counters.oldest_in_period.and_then(|oldest| oldest.checked_add(length).ok());
        let reason = Reason::Period { granted: counters.granted_in_period, count: period.count };
        return Some((reason, turn));
    }
    let count = policy.at_once?;
    let full = counters.in_progress >= count.into();
    full.then_some((Reason::AtOnce { in_progress: counters.in_progress, count }, None))
}

/// How far the rollout is, and when it reaches a place.
fn share(group: GroupState<'_>, place: f64, now: Timestamp) -> (f64, Option<Timestamp>) {
    let rollout = &group.policy.rollout;
    let Some(since) = rollout.since else { return (group.policy.percent, None) };
    // A version that comes while a rollout is active starts it anew.
    let start = since.max(group.channel_changed);
    let elapsed = u64::try_from(now.duration_since(start).as_secs()).unwrap_or(0);
    let (percent, _) = percent_at(&rollout.frames, elapsed);
    let mut begin = 0u64;
    for frame in &rollout.frames {
        if frame.percent > place && begin > elapsed {
            let begin = SignedDuration::from_secs(i64::try_from(begin).unwrap_or(i64::MAX));
            return (percent, start.checked_add(begin).ok());
        }
        begin = begin.saturating_add(frame.seconds);
    }
    (percent, None)
}

/// The place of a machine in the rollout of a version, 0 to below 100: evenly spread, another one for each version, so that
/// not always the same machines are first.
pub fn place(machine: &str, version: &str) -> f64 {
    let digest =
        Sha256::new().chain_update(machine).chain_update([0]).chain_update(version).finalize();
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    // 53 bits are what a f64 holds exactly.
    (u64::from_be_bytes(first) >> 11) as f64 / (1u64 << 53) as f64 * 100.0
}

/// Whether a group must stop, and why.
pub fn should_stop(policy: &Policy, counters: &Counters) -> Option<String> {
    let stop = policy.auto_stop?;
    let ended = counters.completed + counters.failed + counters.missing;
    if ended < stop.minimum.into() {
        return None;
    }
    let share = |part: u64| part as f64 * 100.0 / ended as f64;
    let above = |part, limit: Option<f64>| limit.is_some_and(|limit| share(part) > limit);
    if above(counters.failed, stop.error_percent) {
        let limit = stop.error_percent.unwrap_or_default();
        return Some(format!(
            "{} of {ended} attempts failed, more than {limit} %",
            counters.failed
        ));
    }
    if above(counters.missing, stop.missing_percent) {
        let limit = stop.missing_percent.unwrap_or_default();
        return Some(format!(
            "{} of {ended} machines were not heard of again, more than {limit} %",
            counters.missing
        ));
    }
    None
}

fn nothing(reason: Reason) -> Decision {
    Decision { answer: Answer::Nothing, reason, turn: None }
}

fn same(text: &str, version: &Version) -> bool {
    Version::parse(text).is_ok_and(|text| text.cmp_precedence(version).is_eq())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVersion { version } => {
                write!(f, "the machine says version `{version}`, which is none")
            }
            Self::NoPackage => {
                f.write_str("the group has no channel, or its channel points to nothing")
            }
            Self::UnknownPin { version } => {
                write!(f, "it is pinned to {version}, and there is no such package")
            }
            Self::Current => f.write_str("it has the version that it shall have"),
            Self::Newer { version } => {
                write!(f, "it has a newer version than {version}, and the group allows no way back")
            }
            Self::Off => f.write_str("updates of the group are switched off"),
            Self::Stopped { why } => write!(f, "the group stopped by itself: {why}"),
            Self::Oem { oem } => write!(f, "machines on `{oem}` get no updates in this group"),
            Self::Blacklisted { version } => write!(f, "{version} is blacklisted in the channel"),
            Self::RolledBack { version } => {
                write!(f, "it came back from {version}; a check by hand tries it again")
            }
            Self::Window => f.write_str("no maintenance window is open"),
            Self::Share { place, percent } => {
                write!(
                    f,
                    "its place in the rollout is {place:.2} %, and the rollout is at {percent} %"
                )
            }
            Self::Canary => f.write_str("another machine tries the version first"),
            Self::Period { granted, count } => {
                write!(f, "{granted} of {count} updates were granted in this period")
            }
            Self::AtOnce { in_progress, count } => {
                write!(f, "{in_progress} of {count} updates are under way")
            }
            Self::Unfinished => f.write_str("it was granted before, and has not finished"),
            Self::Target => f.write_str("nothing is in its way"),
            Self::Floor { why } if why.is_empty() => {
                f.write_str("a version that may not be skipped comes first")
            }
            Self::Floor { why } => {
                write!(f, "a version that may not be skipped comes first: {why}")
            }
            Self::Downgrade => f.write_str("it goes back to an older version"),
        }
    }
}
