//! Debian version numbers and their order: `[epoch:]upstream[-revision]`.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::types::ParseNameError;

/// A Debian version, ordered as dpkg orders it. Two texts may be equal in order, as `1.0` and `0:1.0` are.
#[derive(Debug, Clone)]
pub struct DebVersion {
    text: String,
    epoch: u32,
    upstream: (usize, usize),
}

impl DebVersion {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn upstream(&self) -> &str {
        &self.text[self.upstream.0..self.upstream.1]
    }

    fn revision(&self) -> &str {
        self.text.get(self.upstream.1 + 1..).unwrap_or("")
    }
}

impl FromStr for DebVersion {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseNameError { what: "Debian version", text: text.to_owned() };
        let good = |b: u8| b.is_ascii_alphanumeric() || b".+-~:_".contains(&b);
        if !text.bytes().all(good) {
            return Err(bad());
        }
        let (epoch, start) = match text.split_once(':') {
            Some((epoch, _)) => (epoch.parse().map_err(|_| bad())?, epoch.len() + 1),
            None => (0, 0),
        };
        let end = text[start..].rfind('-').map_or(text.len(), |at| start + at);
        if end == start {
            return Err(bad());
        }
        Ok(Self { text: text.to_owned(), epoch, upstream: (start, end) })
    }
}

impl fmt::Display for DebVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for DebVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream(), other.upstream()))
            .then_with(|| compare_part(self.revision(), other.revision()))
    }
}

impl PartialOrd for DebVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DebVersion {}

/// Compares text and number runs in turn, text first, as Debian policy 5.6.12 says.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = split_run(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = split_run(b, |c| !c.is_ascii_digit());
        let (number_a, rest_a) = split_run(rest_a, |c| c.is_ascii_digit());
        let (number_b, rest_b) = split_run(rest_b, |c| c.is_ascii_digit());
        let order = compare_text(text_a, text_b).then_with(|| compare_number(number_a, number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn split_run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len()))
}

/// `~` sorts before the end, the end before letters, letters before all else.
fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |c: Option<&u8>| match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|i| weight(a.get(i)).cmp(&weight(b.get(i))))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Compares digits of any length without converting them.
fn compare_number(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split_run(a, |c| c == b'0');
    let (_, b) = split_run(b, |c| c == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> DebVersion {
        text.parse().unwrap()
    }

    #[test]
    fn known_orders() {
        let rising = [
            "1.0~~",
            "1.0~~a",
            "1.0~",
            "1.0~rc1-1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1.1",
            "1.0-10",
            "1.0a",
            "1.0+dfsg",
            "1.0.1",
            "1.2",
            "1.10",
            "2025a",
            "1:0.1",
            "10:0",
        ];
        for pair in rising.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
        for (a, b) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.01", "1.1"), ("1-2-3", "1-2-03")] {
            assert_eq!(version(a), version(b));
        }
        for bad in ["", ":1", "x:1", "1 2", "-1", "1_ü"] {
            assert!(bad.parse::<DebVersion>().is_err(), "{bad}");
        }
    }

    const SHAPE: &str = "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?";

    proptest! {
        #[test]
        fn order_is_total(a in SHAPE, b in SHAPE, c in SHAPE) {
            let (a, b, c) = (version(&a), version(&b), version(&c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&a.clone()), Ordering::Equal);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        #[test]
        fn tilde_sorts_before_and_a_suffix_after(a in "[0-9][0-9a-c.]{0,6}") {
            let [lower, longer, epoch] = [format!("{a}~"), format!("{a}+b1"), format!("1:{a}")].map(|text| version(&text));
            let plain = version(&a);
            prop_assert!(lower < plain && plain < longer && longer < epoch);
        }
    }
}
