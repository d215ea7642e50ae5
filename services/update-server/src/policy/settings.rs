//! What an operator sets for a group, as it is stored (JSON) and as it is shown by the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Window;

/// The policy of a group. As JSON, what is left out has its default; what is unknown is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether the group gets updates at all; `false` is what CoreUpdate calls paused.
    pub updates_enabled: bool,
    /// The version that every machine of the group shall have, in place of the channel's.
    pub pin: Option<String>,
    /// Whether machines may get an older version than they have.
    pub allow_downgrade: bool,
    /// OEMs (`app/@oem`) whose machines get nothing.
    pub oem_blacklist: Vec<String>,
    /// The share of machines that may get the newest version, 0 to 100.
    pub percent: f64,
    /// Shares that grow with time, in place of `percent` while active.
    pub rollout: Rollout,
    /// How many updates may be granted in a period.
    pub per_period: Option<PerPeriod>,
    /// How many updates may be in progress at once.
    pub at_once: Option<u32>,
    /// How long a granted update may take, in seconds; afterwards the machine counts as missing, and may ask anew.
    pub lease_seconds: u64,
    /// Whether the first machine that tries a version must succeed before any other gets it.
    pub safe_mode: bool,
    /// When updates may start; empty means at any time.
    pub windows: Vec<Window>,
    /// What a check that a person asked for may pass over.
    pub on_demand: OnDemand,
    /// When to stop by itself.
    pub auto_stop: Option<AutoStop>,
    /// How often machines shall ask, in seconds; the client's own interval if absent.
    pub poll_seconds: Option<u32>,
}

/// At most `count` grants in any `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerPeriod {
    /// How many.
    pub count: u32,
    /// How long the period is, in seconds.
    pub seconds: u64,
}

/// A rollout by frames, as CoreUpdate has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollout {
    /// One after the other; after the last its share stays.
    pub frames: Vec<Frame>,
    /// When it was activated; absent means that it is not active.
    pub since: Option<Timestamp>,
}

/// A part of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// How long it lasts, in seconds.
    pub seconds: u64,
    /// The share of machines that may get the version during it, 0 to 100.
    pub percent: f64,
}

/// What `installsource="ondemandupdate"` may pass over. Never: pauses, stops, pins, blacklists and floors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDemand {
    /// Nothing: it is a check like any other.
    Nothing,
    /// The share, the limits and the canary, as with CoreUpdate.
    #[default]
    Limits,
    /// The limits and the maintenance windows.
    LimitsAndWindows,
}

/// Thresholds above which a group stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoStop {
    /// Percent of finished attempts at the version that failed.
    pub error_percent: Option<f64>,
    /// Percent of attempts at the version whose machines were not heard of again in time.
    pub missing_percent: Option<f64>,
    /// Attempts that must have ended before a percentage means anything.
    pub minimum: u32,
}

/// A policy that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A share that is none.
    #[error("`{what}` is `{value}`; a share is a number from 0 to 100")]
    Share {
        /// Which field.
        what: &'static str,
        /// What it says.
        value: String,
    },
    /// A duration or a number of zero.
    #[error("`{what}` is 0; leave it out, or give it a value above")]
    Zero {
        /// Which field.
        what: &'static str,
    },
    /// A pin that is no version.
    #[error(
        "`{version}` is no version that a group can be pinned to; give three numbers, such as `4001.2.0`"
    )]
    Pin {
        /// What it says.
        version: String,
    },
    /// Too many parts.
    #[error("`{what}` has {count} entries; {limit} are the most")]
    TooMany {
        /// Which field.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            updates_enabled: true,
            pin: None,
            allow_downgrade: false,
            oem_blacklist: Vec::new(),
            percent: 100.0,
            rollout: Rollout::default(),
            per_period: None,
            at_once: None,
            lease_seconds: 3600,
            safe_mode: false,
            windows: Vec::new(),
            on_demand: OnDemand::default(),
            auto_stop: None,
            poll_seconds: None,
        }
    }
}

impl Policy {
    /// Whether the values make sense.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), PolicyError> {
        share("percent", self.percent)?;
        few("rollout.frames", self.rollout.frames.len(), 20_000)?;
        few("windows", self.windows.len(), 64)?;
        few("oem_blacklist", self.oem_blacklist.len(), 1000)?;
        for frame in &self.rollout.frames {
            share("rollout.frames.percent", frame.percent)?;
            above_zero("rollout.frames.seconds", frame.seconds)?;
        }
        above_zero("lease_seconds", self.lease_seconds)?;
        if let Some(period) = self.per_period {
            above_zero("per_period.seconds", period.seconds)?;
        }
        if let Some(stop) = self.auto_stop {
            share("auto_stop.error_percent", stop.error_percent.unwrap_or(0.0))?;
            share("auto_stop.missing_percent", stop.missing_percent.unwrap_or(0.0))?;
            above_zero("auto_stop.minimum", stop.minimum.into())?;
        }
        match &self.pin {
            Some(pin) if semver::Version::parse(pin).is_err() => {
                Err(PolicyError::Pin { version: pin.chars().take(64).collect() })
            }
            _ => Ok(()),
        }
    }
}

/// The share that the frames allow after some seconds, and in how many seconds it changes next.
pub fn percent_at(frames: &[Frame], elapsed: u64) -> (f64, Option<u64>) {
    let mut end = 0u64;
    for frame in frames {
        end = end.saturating_add(frame.seconds);
        if elapsed < end {
            return (frame.percent, Some(end - elapsed));
        }
    }
    (frames.last().map_or(100.0, |frame| frame.percent), None)
}

fn share(what: &'static str, value: f64) -> Result<(), PolicyError> {
    if (0.0..=100.0).contains(&value) {
        return Ok(());
    }
    Err(PolicyError::Share { what, value: value.to_string() })
}

fn above_zero(what: &'static str, value: u64) -> Result<(), PolicyError> {
    if value == 0 { Err(PolicyError::Zero { what }) } else { Ok(()) }
}

fn few(what: &'static str, count: usize, limit: usize) -> Result<(), PolicyError> {
    if count > limit { Err(PolicyError::TooMany { what, count, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_refused() {
        let policy: Policy = serde_json::from_str("{}").unwrap();
        assert_eq!(policy, Policy::default());
        assert!(serde_json::from_str::<Policy>(r#"{"persent": 3}"#).is_err());
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let check = |change: fn(&mut Policy), expected: &str| {
            let mut policy = Policy::default();
            change(&mut policy);
            let error = policy.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(|policy| policy.percent = 101.0, "`percent`");
        check(|policy| policy.percent = f64::NAN, "`percent`");
        check(|policy| policy.lease_seconds = 0, "`lease_seconds`");
        check(|policy| policy.pin = Some("newest".into()), "`newest`");
        check(
            |policy| policy.rollout.frames = vec![Frame { seconds: 0, percent: 1.0 }],
            "rollout.frames.seconds",
        );
    }

    #[test]
    fn shares_follow_the_frames() {
        let frames = [Frame { seconds: 10, percent: 1.0 }, Frame { seconds: 20, percent: 50.0 }];
        let check = |elapsed, expected| assert_eq!(percent_at(&frames, elapsed), expected);
        check(0, (1.0, Some(10)));
        check(9, (1.0, Some(1)));
        check(10, (50.0, Some(20)));
        check(29, (50.0, Some(1)));
        check(30, (50.0, None));
        assert_eq!(percent_at(&[], 5), (100.0, None));
    }
}
