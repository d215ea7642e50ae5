//! Times and durations for people.

use jiff::Timestamp;
use serde::Serialize;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment: how long ago for reading, exact for pointing at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct When {
    /// For machines.
    iso: String,
    /// `2026-11-25 22:30:57 UTC`.
    exact: String,
    /// `3 minutes ago`.
    ago: String,
}

impl When {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            iso: at.to_string(),
            exact: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            ago: relative(at, now),
        }
    }
}

/// `3 minutes ago`, `in 2 days`, `just now`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        -4..=9 => "just now".to_owned(),
        10.. => format!("{} ago", coarse(seconds)),
        _ => format!("in {}", coarse(-seconds)),
    }
}

/// The largest unit that fits: `3 minutes`, `2 days`.
fn coarse(seconds: i64) -> String {
    let units = [(MINUTE, "second", 1), (HOUR, "minute", MINUTE), (DAY, "hour", HOUR)];
    let fits = units.into_iter().find(|(end, ..)| seconds < *end);
    let (count, unit) = match fits {
        Some((_, unit, length)) => (seconds / length, unit),
        None if seconds < 60 * DAY => (seconds / DAY, "day"),
        None if seconds < 730 * DAY => (seconds / (30 * DAY), "month"),
        None => (seconds / (365 * DAY), "year"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A duration as people write it: `45m`, `1h 30m`, `2d`.
pub(super) fn short(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

/// A duration that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write `90s`, `45m`, `1h 30m` or `2d`")]
pub(super) struct NoDuration(String);

/// Seconds, from what [`short`] writes; a number without a unit is seconds.
///
/// # Errors
/// [`NoDuration`] for anything else, and for more than ten years.
pub(super) fn seconds(text: &str) -> Result<u64, NoDuration> {
    let fail = || NoDuration(text.chars().take(40).collect());
    let mut total = 0u64;
    let mut digits = String::new();
    let mut seen = false;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(fail()),
        };
        let number: u64 = digits.parse().map_err(|_| fail())?;
        total =
            number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(fail)?;
        digits.clear();
        seen = true;
    }
    if !digits.is_empty() {
        if seen {
            return Err(fail());
        }
        total = digits.parse().map_err(|_| fail())?;
    } else if !seen {
        return Err(fail());
    }
    if total > 3650 * 86_400 { Err(fail()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-25T12:00:00Z", "just now"),
            ("2026-11-25T11:59:30Z", "30 seconds ago"),
            ("2026-11-25T11:59:00Z", "1 minute ago"),
            ("2026-11-25T09:00:01Z", "2 hours ago"),
            ("2026-11-23T12:00:00Z", "2 days ago"),
            ("2026-08-25T12:00:00Z", "3 months ago"),
            ("2020-11-25T12:00:00Z", "6 years ago"),
            ("2026-11-25T13:30:00Z", "in 1 hour"),
            ("2026-11-25T12:00:03Z", "just now"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), expected, "{at}");
        }
        assert_eq!(When::new(now, now).exact, "2026-11-25 12:00:00 UTC");
    }

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (number, text) in
            [(0, "0s"), (90, "1m 30s"), (3600, "1h"), (86_400, "1d"), (93_784, "1d 2h 3m 4s")]
        {
            assert_eq!(short(number), text);
            assert_eq!(seconds(text), Ok(number));
        }
        assert_eq!(seconds("3600"), Ok(3600));
        assert_eq!(seconds("90m"), Ok(5400));
        for bad in ["", "h", "5x", "1h30", "-5", "99999999d", "99999999999999999999s", "1.5h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
