//! The names of UKIs on the ESP, and which one the boot loader takes (systemd, Automatic Boot Assessment).

use std::fmt;

use slipway_payload::Version;

/// How often a new version may fail to boot before the machine falls back. `sdk/image` gives a new disk as many.
pub const TRIES: u32 = 3;

const PREFIX: &str = "slipway-";
const SUFFIX: &str = ".efi";

/// The boot counter in a name: `+LEFT` or `+LEFT-DONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How often it may still be tried.
    pub left: u32,
    /// How often it has been tried.
    pub done: u32,
}

/// A UKI of ours by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uki {
    /// The version.
    pub version: Version,
    /// Its counter; none once a boot was found good.
    pub tries: Option<Tries>,
}

impl Uki {
    /// A version that was never tried.
    pub fn new(version: Version) -> Self {
        Self { version, tries: Some(Tries { left: TRIES, done: 0 }) }
    }

    /// The same as one that the boot loader takes last only. One that was not found good yet counts one try more, so that its name
    /// is none by which `systemd-bless-boot` would still find it good in this boot.
    #[must_use]
    pub fn without_tries(self) -> Self {
        let done = self.tries.map_or(0, |tries| tries.done.saturating_add(1));
        Self { tries: Some(Tries { left: 0, done }), ..self }
    }

    /// The opposite of [`Self::without_tries`]: one that was found good is good again, another one has one try.
    #[must_use]
    pub fn with_a_try(self) -> Self {
        let done = self.tries.map_or(0, |tries| tries.done);
        Self { tries: (done > 0).then_some(Tries { left: 1, done }), ..self }
    }

    /// Reads a name; none if it is not one of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (version, counter) = match name.split_once('+') {
            Some((version, counter)) => (version, Some(counter)),
            None => (name, None),
        };
        let tries = counter.map(|counter| match counter.split_once('-') {
            Some((left, done)) => Some(Tries { left: digits(left)?, done: digits(done)? }),
            None => Some(Tries { left: digits(counter)?, done: 0 }),
        });
        let tries = match tries {
            Some(None) => return None,
            tries => tries.flatten(),
        };
        Some(Self { version: version.parse().ok()?, tries })
    }

    /// Whether the boot loader takes it only when there is nothing else.
    pub fn is_bad(&self) -> bool {
        self.tries.is_some_and(|tries| tries.left == 0)
    }
}

impl fmt::Display for Uki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.version)?;
        match self.tries {
            Some(Tries { left, done: 0 }) => write!(f, "+{left}")?,
            Some(Tries { left, done }) => write!(f, "+{left}-{done}")?,
            None => {}
        }
        f.write_str(SUFFIX)
    }
}

fn digits(text: &str) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// The UKI that `systemd-boot` takes: those without tries left come last, else the newest version comes first (systemd,
/// `src/boot/boot.c`, `config_entry_compare`). All of ours have the same sort key.
pub fn boot_choice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Uki> {
    let ours = names.into_iter().filter_map(Uki::parse);
    ours.max_by_key(|uki| (!uki.is_bad(), uki.version, uki.tries.map(|tries| tries.left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        for name in [
            "slipway-4.1.0.efi",
            "slipway-4.1.0+3.efi",
            "slipway-4.1.0+2-1.efi",
            "slipway-4.1.0+0-3.efi",
        ] {
            assert_eq!(Uki::parse(name).unwrap().to_string(), name);
        }
        assert_eq!(Uki::new("4.1.0".parse().unwrap()).to_string(), "slipway-4.1.0+3.efi");
        for name in [
            "slipway-4.1.efi",
            "slipway-4.1.0+.efi",
            "slipway-4.1.0+3-.efi",
            "slipway-4.1.0+x.efi",
            "slipway-4.1.0.part",
            "other-4.1.0.efi",
            "slipway-4.1.0++3.efi",
        ] {
            assert_eq!(Uki::parse(name), None, "{name}");
        }
    }

    #[test]
    fn tries_go_and_come() {
        #[track_caller]
        fn check(name: &str, without: &str, again: &str) {
            let left = Uki::parse(name).unwrap().without_tries();
            assert_eq!((left.to_string().as_str(), left.is_bad()), (without, true));
            assert_eq!(left.with_a_try().to_string(), again);
        }
        check("slipway-4.1.0.efi", "slipway-4.1.0+0.efi", "slipway-4.1.0.efi");
        check("slipway-4.1.0+3.efi", "slipway-4.1.0+0-1.efi", "slipway-4.1.0+1-1.efi");
        check("slipway-4.1.0+2-1.efi", "slipway-4.1.0+0-2.efi", "slipway-4.1.0+1-2.efi");
    }

    #[test]
    fn what_boots() {
        #[track_caller]
        fn check(names: &[&str], expected: Option<&str>) {
            let choice = boot_choice(names.iter().copied());
            assert_eq!(choice.map(|uki| uki.to_string()).as_deref(), expected);
        }
        let old = "slipway-4.9.0.efi";
        check(&[], None);
        check(&["memtest.efi", "slipway-4.10.0.part"], None);
        check(&[old, "slipway-4.10.0+3.efi"], Some("slipway-4.10.0+3.efi"));
        check(&["slipway-4.10.0+1-2.efi", old], Some("slipway-4.10.0+1-2.efi"));
        check(&[old, "slipway-4.10.0+0-3.efi"], Some(old));
        check(&["slipway-4.9.0+0-3.efi", "slipway-4.10.0+0-3.efi"], Some("slipway-4.10.0+0-3.efi"));
    }
}
