//! Durations as Nebraska writes them: PostgreSQL intervals such as `15 minutes`, and short ones such as `1d`.

/// The length of a duration in seconds; `None` for what is none.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = match unit.trim().trim_end_matches('s') {
        "" if unit.trim().is_empty() => return None,
        // The plural of seconds in short is an `s`, which is trimmed away above.
        "" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        "d" | "day" => 86_400,
        "w" | "week" => 604_800,
        _ => return None,
    };
    number.checked_mul(unit).filter(|seconds| *seconds > 0)
}

/// A duration of seconds in the largest unit that holds it wholly.
pub(super) fn format(seconds: u64) -> String {
    let units = [(86_400, "days"), (3600, "hours"), (60, "minutes")];
    let fitting =
        units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    let (length, unit) = fitting.unwrap_or((1, "seconds"));
    format!("{} {unit}", seconds / length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_long_or_short() {
        let check = |text: &str, expected| assert_eq!(parse(text), expected, "{text}");
        check("15 minutes", Some(900));
        check("1 hour", Some(3600));
        check("2 hours", Some(7200));
        check(" 60 seconds ", Some(60));
        check("1 days", Some(86_400));
        check("30s", Some(30));
        check("1h", Some(3600));
        check("7d", Some(604_800));
        check("2 weeks", Some(1_209_600));
        for bad in [
            "",
            "15",
            "minutes",
            "-1 minutes",
            "0 minutes",
            "1 fortnight",
            "99999999999999999999 days",
            "1.5 hours",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 1u64..1_000_000_000) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn any_text_is_a_duration_or_not(text in ".{0,20}") {
            let _ignored = parse(&text);
        }
    }
}
