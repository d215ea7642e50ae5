//! What numbers and states are called on pages. A tone is a colour that always comes with its word.

use serde::Serialize;
use slipway_omaha::{ErrorCode, Event as OmahaEvent, EventResult, EventType};

use crate::store::{Event, Group, Severity, Status};

/// A word with a tone: `good`, `busy`, `warn`, `bad` or `calm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Badge {
    pub(super) word: String,
    pub(super) tone: &'static str,
}

impl Badge {
    pub(super) fn new(word: impl Into<String>, tone: &'static str) -> Self {
        Self { word: word.into(), tone }
    }
}

/// What a machine does.
pub(super) fn status(status: Status) -> Badge {
    match status {
        Status::Undefined => Badge::new("Idle", "calm"),
        Status::Granted => Badge::new("Update granted", "busy"),
        Status::Downloading => Badge::new("Downloading", "busy"),
        Status::Downloaded => Badge::new("Downloaded", "busy"),
        Status::Installed => Badge::new("Waiting for reboot", "busy"),
        Status::Complete => Badge::new("Up to date", "good"),
        Status::Error => Badge::new("Failed", "bad"),
        Status::OnHold => Badge::new("On hold", "warn"),
    }
}

/// How much an activity entry matters.
pub(super) fn severity(severity: Severity) -> Badge {
    match severity {
        Severity::Success => Badge::new("Success", "good"),
        Severity::Info => Badge::new("Info", "calm"),
        Severity::Warning => Badge::new("Warning", "warn"),
        Severity::Error => Badge::new("Error", "bad"),
    }
}

/// What a group does.
pub(super) fn group(group: &Group, target: Option<&str>) -> Badge {
    match (&group.stopped_reason, group.policy.updates_enabled, target) {
        (Some(_), ..) => Badge::new("Stopped by itself", "bad"),
        (None, false, _) => Badge::new("Paused", "warn"),
        (None, true, None) => Badge::new("No version", "warn"),
        (None, true, Some(_)) if group.rolling_version.is_some() => {
            Badge::new("Rolling out", "busy")
        }
        (None, true, Some(_)) => Badge::new("Updates on", "good"),
    }
}

/// A code in words; stored codes have no flag bits.
pub(super) fn error(code: i64) -> String {
    let words = u32::try_from(code).map(|code| ErrorCode::new(code).words());
    capital(&words.unwrap_or_else(|_| format!("unknown error {code}")))
}

/// With a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first =
        letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// An entry of a machine's history, as a sentence without its end.
pub(super) fn event(event: &Event) -> String {
    let to = |words: &str| match &event.update_version {
        Some(version) => format!("{words} {version}"),
        None => words.to_owned(),
    };
    let said = event.event_type.zip(event.event_result);
    match (event.kind.as_str(), said) {
        ("event", Some((kind, result))) => {
            let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
            let omaha = OmahaEvent {
                error_code: event.error_code.map(|code| ErrorCode::new(number(code))),
                ..OmahaEvent::new(
                    EventType::from_number(number(kind)),
                    EventResult::from_number(number(result)),
                )
            };
            omaha.words()
        }
        ("granted", _) => to("granted the update to"),
        ("expired", _) => to("not heard of in time about"),
        ("hold", _) => to("has to wait for"),
        (other, _) => other.to_owned(),
    }
}

/// A number with spaces between its thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A part of a whole as percent: never `100 %` unless it is all, never `0 %` unless it is nothing.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        _ if part == 0 => "0 %".to_owned(),
        _ if part >= whole => "100 %".to_owned(),
        ..1.0 => "< 1 %".to_owned(),
        _ if percent > 99.0 => "> 99 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}

/// A number of percent without needless digits.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// What an entry of the audit log did.
pub(super) fn action(action: &str) -> String {
    let Some((kind, verb)) = action.split_once('.') else { return action.to_owned() };
    let verb = match verb {
        "create" => "created",
        "update" => "changed",
        "delete" => "removed",
        "alias" => "alias changed",
        "pin" => "pin changed",
        "role" => "role changed",
        "key" => "key renewed",
        other => other,
    };
    format!("{kind} {verb}").replace(['_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        for (part, whole, expected) in [
            (0, 0, "–"),
            (0, 9, "0 %"),
            (1, 1000, "< 1 %"),
            (999, 1000, "> 99 %"),
            (5, 5, "100 %"),
            (1, 3, "33 %"),
        ] {
            assert_eq!(share(part, whole), expected);
        }
        assert_eq!(percent(12.5), "12.5 %");
        assert_eq!(percent(100.0), "100 %");
        assert_eq!(size(382_137_917), "364.4 MiB");
        assert_eq!(size(12), "12 B");
    }

    #[test]
    fn codes_and_actions() {
        assert_eq!(error(18), "The payload's signature is wrong");
        assert_eq!(error(-3), "unknown error -3".replacen('u', "U", 1));
        assert_eq!(action("group.update"), "group changed");
        assert_eq!(action("channel.floor-remove"), "channel floor remove");
        assert_eq!(action("backup"), "backup");
    }
}
