//! Maintenance windows: days of the week, a time of day, a length and a time zone.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

/// A window in which updates may start. As text: `Mon-Fri 09:00 +8h Europe/Berlin`, `Sat,Sun 22:30 +90m`, `* 02:00 +2h UTC`.
/// The time zone is UTC if it is left out; it is stored by name, so that its rules may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    days: Days,
    start: Time,
    minutes: u32,
    zone: String,
    rules: TimeZone,
}

/// Days of the week, Monday in the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

/// A text that is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no window ({problem}); write `Mon-Fri 09:00 +8h Europe/Berlin`")]
pub struct WindowError {
    text: String,
    problem: &'static str,
}

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const WEEK: u32 = 7 * 24 * 60;

impl Window {
    /// Whether it is open, and if not, when it opens next.
    pub fn state(&self, now: Timestamp) -> Result<(), Option<Timestamp>> {
        let today = now.to_zoned(self.rules.clone()).date();
        let length = SignedDuration::from_mins(self.minutes.into());
        let mut next = None;
        // A window of a week may have begun seven days ago; the next one begins within eight.
        for offset in -8i32..=8 {
            let Ok(day) = today.checked_add(offset.days()) else { continue };
            if !self.days.has(day.weekday()) {
                continue;
            }
            // A time that the change to summer time leaves out begins when clocks have moved on.
            let Ok(begin) = self.rules.to_ambiguous_zoned(day.to_datetime(self.start)).compatible()
            else {
                continue;
            };
            let begin = begin.timestamp();
            if begin <= now && now < begin + length {
                return Ok(());
            }
            if begin > now && next.is_none() {
                next = Some(begin);
            }
        }
        Err(next)
    }

    /// The name of its time zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Its length in minutes.
    pub fn minutes(&self) -> u32 {
        self.minutes
    }
}

/// Whether any of the windows is open; if none is, when the first opens. No windows are always open.
///
/// # Errors
/// When none is open: the time at which the next one opens.
pub fn open_at(windows: &[Window], now: Timestamp) -> Result<(), Option<Timestamp>> {
    if windows.is_empty() {
        return Ok(());
    }
    let mut next: Option<Timestamp> = None;
    for window in windows {
        match window.state(now) {
            Ok(()) => return Ok(()),
            Err(at) => next = [next, at].into_iter().flatten().min(),
        }
    }
    Err(next)
}

impl Days {
    fn has(self, day: Weekday) -> bool {
        self.0 >> day.to_monday_zero_offset() & 1 == 1
    }
}

impl FromStr for Days {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |name: &str| {
            let found = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
            found.ok_or("days are Mon, Tue, Wed, Thu, Fri, Sat, Sun")
        };
        if text == "*" {
            return Ok(Self(0x7f));
        }
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (number(first)?, number(last)?);
            loop {
                days |= 1 << day;
                if day == last {
                    break;
                }
                day = (day + 1) % 7;
            }
        }
        Ok(Self(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x7f => f.write_str("*"),
            0x1f => f.write_str("Mon-Fri"),
            days => {
                let names: Vec<&str> =
                    (0..7).filter(|day| days >> day & 1 == 1).map(|day| NAMES[day]).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let fail = |problem| WindowError { text: text.chars().take(80).collect(), problem };
        let mut parts = text.split_whitespace();
        let days = parts.next().unwrap_or_default().parse().map_err(fail)?;
        let start = parts.next().unwrap_or_default();
        let (hour, minute) = start.split_once(':').ok_or_else(|| fail("no time of day"))?;
        let number = |text: &str| text.parse::<i8>().map_err(|_| fail("no time of day"));
        let start =
            Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| fail("no time of day"))?;
        let length = parts.next().and_then(|part| part.strip_prefix('+'));
        let minutes =
            minutes(length.unwrap_or_default()).ok_or_else(|| fail("no length, such as `+8h`"))?;
        if minutes == 0 || minutes > WEEK {
            return Err(fail("a length is between one minute and a week"));
        }
        let zone = parts.next().unwrap_or("UTC").to_owned();
        if parts.next().is_some() {
            return Err(fail("something follows the time zone"));
        }
        let rules = TimeZone::get(&zone).map_err(|_| fail("no such time zone"))?;
        Ok(Self { days, start, minutes, zone, rules })
    }
}

/// `8h`, `90m`, `1h30m` as minutes.
fn minutes(text: &str) -> Option<u32> {
    let (hours, rest) = text.split_once('h').unwrap_or(("0", text));
    let rest = if rest.is_empty() { "0" } else { rest.strip_suffix('m')? };
    hours.parse::<u32>().ok()?.checked_mul(60)?.checked_add(rest.parse().ok()?)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, start, minutes, zone, .. } = self;
        write!(f, "{days} {:02}:{:02} +", start.hour(), start.minute())?;
        match (minutes / 60, minutes % 60) {
            (0, rest) => write!(f, "{rest}m")?,
            (hours, 0) => write!(f, "{hours}h")?,
            (hours, rest) => write!(f, "{hours}h{rest}m")?,
        }
        write!(f, " {zone}")
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;

    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(window: &str, now: &str, expected: &str) {
        let window: Window = window.parse().unwrap();
        let text = match window.state(now.parse().unwrap()) {
            Ok(()) => "open".to_owned(),
            Err(next) => next.map_or("never".to_owned(), |at| at.to_string()),
        };
        assert_eq!(text, expected, "{window} at {now}");
    }

    #[test]
    fn a_window_is_open_between_its_ends_in_its_own_time_zone() {
        // 2026-11-25 is a Wednesday; Berlin is an hour before UTC.
        check("Mon-Fri 09:00 +8h Europe/Berlin", "2026-11-25T07:59:59Z", "2026-11-25T08:00:00Z");
        check("Mon-Fri 09:00 +8h Europe/Berlin", "2026-11-25T08:00:00Z", "open");
        check("Mon-Fri 09:00 +8h Europe/Berlin", "2026-11-25T15:59:59Z", "open");
        check("Mon-Fri 09:00 +8h Europe/Berlin", "2026-11-25T16:00:00Z", "2026-11-26T08:00:00Z");
        check("Mon-Fri 09:00 +8h Europe/Berlin", "2026-11-27T16:00:00Z", "2026-11-30T08:00:00Z");
    }

    #[test]
    fn a_window_reaches_over_midnight_and_over_the_week() {
        check("Sun 23:00 +3h", "2026-11-30T01:59:00Z", "open");
        check("Sun 23:00 +3h", "2026-11-30T02:00:00Z", "2026-12-06T23:00:00Z");
        check("Wed 00:00 +168h", "2026-12-01T23:59:59Z", "open");
    }

    #[test]
    fn the_change_to_summer_time_leaves_out_an_hour_and_keeps_the_length() {
        // On 2027-03-28 clocks in Berlin go from 02:00 to 03:00, that is at 01:00 UTC.
        check("* 02:30 +1h Europe/Berlin", "2027-03-28T01:29:59Z", "2027-03-28T01:30:00Z");
        check("* 02:30 +1h Europe/Berlin", "2027-03-28T01:30:00Z", "open");
        check("* 02:30 +1h Europe/Berlin", "2027-03-28T02:30:00Z", "2027-03-29T00:30:00Z");
    }

    #[test]
    fn a_window_is_read_as_it_is_written() {
        for text in [
            "Mon-Fri 09:00 +8h Europe/Berlin",
            "Sat,Sun 22:30 +1h30m UTC",
            "* 00:00 +45m America/New_York",
        ] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        assert_eq!(
            "fri-mon 1:00 +60m".parse::<Window>().unwrap().to_string(),
            "Mon,Fri,Sat,Sun 01:00 +1h UTC"
        );
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_reason() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<Window>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        };
        check("", "days are");
        check("Someday 09:00 +8h", "days are");
        check("Mon 25:00 +8h", "time of day");
        check("Mon 09:00", "length");
        check("Mon 09:00 +0m", "between");
        check("Mon 09:00 +200h", "between");
        check("Mon 09:00 +8h Europe/Atlantis", "time zone");
        check("Mon 09:00 +8h UTC please", "follows");
    }

    #[test]
    fn of_several_windows_one_suffices() {
        let windows: Vec<Window> =
            ["Mon 09:00 +1h", "Wed 09:00 +1h"].map(|text| text.parse().unwrap()).into();
        assert_eq!(open_at(&windows, "2026-11-25T09:30:00Z".parse().unwrap()), Ok(()));
        let next = open_at(&windows, "2026-11-25T10:00:00Z".parse().unwrap());
        assert_eq!(next, Err(Some("2026-11-30T09:00:00Z".parse().unwrap())));
        assert_eq!(open_at(&[], Timestamp::UNIX_EPOCH), Ok(()));
    }
}
