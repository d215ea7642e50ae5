//! What the last reboot came to, what the next one will, and going back.

use slipway_payload::Version;

use crate::{
    disk::Esp,
    host::Host,
    memory::{Memory, Pending},
    uki::{Uki, boot_choice},
};

/// Why the boot loader's choice cannot be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The ESP.
    #[error("the ESP cannot be read or written")]
    Esp(#[source] std::io::Error),
    /// No other version.
    #[error("there is no other version on this machine to go back to")]
    NoOther,
    /// A version that was never found good.
    #[error("the other version, {0}, was never found good here")]
    NotGood(Version),
}

/// What the last reboot came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No update was waiting for it.
    Nothing,
    /// It has not come yet.
    Waiting(Version),
    /// The new version runs, and may still turn out not to be good.
    Trial,
    /// The new version runs, and was found good.
    Updated {
        /// The version before.
        from: String,
    },
    /// The new version did not come up often enough; the old one runs.
    RolledBack(Version),
    /// The installation was cut before its last step; the old version runs.
    Cut(Version),
}

/// All UKIs of ours.
///
/// # Errors
/// When the ESP cannot be read.
pub fn ukis(esp: &mut dyn Esp) -> Result<Vec<Uki>, BootError> {
    let files = esp.list().map_err(BootError::Esp)?;
    Ok(files.iter().filter_map(|(name, _)| Uki::parse(name)).collect())
}

/// Decides what the last reboot came to. `ukis` are those of the ESP.
pub fn outcome(host: &Host, pending: Option<&Pending>, ukis: &[Uki]) -> Outcome {
    let Some(pending) = pending else { return Outcome::Nothing };
    let Ok(version) = pending.version.parse::<Version>() else { return Outcome::Nothing };
    let uki = ukis.iter().find(|uki| uki.version == version);
    if version == host.running.version {
        return match uki.is_some_and(|uki| uki.tries.is_some()) {
            true => Outcome::Trial,
            false => Outcome::Updated { from: pending.from.clone() },
        };
    }
    match uki {
        None => Outcome::Cut(version),
        Some(uki) if uki.is_bad() => Outcome::RolledBack(version),
        Some(_) => Outcome::Waiting(version),
    }
}

/// Takes note of what the last reboot came to.
pub(crate) fn remember(memory: &mut Memory, outcome: &Outcome) {
    match outcome {
        Outcome::Nothing | Outcome::Waiting(_) | Outcome::Trial => return,
        Outcome::Updated { from } => memory.report_previous = Some(from.clone()),
        Outcome::RolledBack(version) => {
            memory.failed.insert(version.to_string(), "it did not come up".to_owned());
            memory.report_rollback = true;
            memory.counters.rollbacks += 1;
        }
        Outcome::Cut(_) => {}
    }
    memory.pending = None;
}

/// Makes the other version the boot loader's choice, by taking the present one's tries away. Gives that other version.
///
/// # Errors
/// When there is none that was found good.
pub fn roll_back(esp: &mut dyn Esp, running: Version) -> Result<Version, BootError> {
    let all = ukis(esp)?;
    let choice = boot_choice(
        all.iter().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str),
    );
    let (from, to) = match choice {
        // An update waits for its reboot: take it back.
        Some(choice) if choice.version != running => {
            (choice, all.iter().find(|uki| uki.version == running))
        }
        Some(choice) => (choice, all.iter().find(|uki| uki.version != running)),
        None => return Err(BootError::NoOther),
    };
    let to = to.ok_or(BootError::NoOther)?;
    if to.tries.is_some() {
        return Err(BootError::NotGood(to.version));
    }
    esp.rename(&from.to_string(), &from.without_tries().to_string()).map_err(BootError::Esp)?;
    esp.sync_names().map_err(BootError::Esp)?;
    Ok(to.version)
}

/// Takes back what waits for a reboot: a new version loses its UKI, a version that was left becomes the choice again. One that was
/// left before it was found good gets one more try.
///
/// # Errors
/// When the ESP cannot be written.
pub fn take_back(esp: &mut dyn Esp, running: Version) -> Result<(), BootError> {
    for uki in ukis(esp)? {
        if uki.version == running && uki.is_bad() {
            let again = uki.with_a_try().to_string();
            esp.rename(&uki.to_string(), &again).map_err(BootError::Esp)?;
        } else if uki.version != running && uki.tries.is_some() {
            esp.remove(&uki.to_string()).map_err(BootError::Esp)?;
        }
    }
    esp.sync_names().map_err(BootError::Esp)
}

/// Whether this boot is one of a version that was not found good yet: then the boot loader counts, and a reboot comes back to a
/// version that was.
pub fn is_on_trial(running: Version, ukis: &[Uki]) -> bool {
    let this = ukis.iter().find(|uki| uki.version == running);
    let other = ukis.iter().any(|uki| uki.version != running && uki.tries.is_none());
    other && this.is_some_and(|uki| uki.tries.is_some())
}

#[cfg(test)]
mod tests {
    use slipway_payload::Digest;

    use super::*;
    use crate::{disk::DirEsp, slots::Running};

    fn host(version: &str) -> Host {
        Host {
            running: Running {
                version: version.parse().unwrap(),
                usr_root_hash: Digest::of_bytes(b"usr"),
            },
            arch: String::new(),
            machine_id: String::new(),
            boot_id: String::new(),
            oem: String::new(),
            oem_version: String::new(),
        }
    }

    fn parse(names: &[&str]) -> Vec<Uki> {
        names.iter().filter_map(|name| Uki::parse(name)).collect()
    }

    #[test]
    fn what_a_reboot_comes_to() {
        let pending = Pending {
            version: "4.1.0".to_owned(),
            from: "4.0.0".to_owned(),
            boot_id: String::new(),
        };
        let check = |running: &str, names: &[&str], expected: Outcome| {
            assert_eq!(outcome(&host(running), Some(&pending), &parse(names)), expected);
        };
        let new: Version = "4.1.0".parse().unwrap();
        let updated = Outcome::Updated { from: "4.0.0".to_owned() };
        check("4.1.0", &["slipway-4.1.0.efi", "slipway-4.0.0.efi"], updated);
        check("4.1.0", &["slipway-4.1.0+2-1.efi", "slipway-4.0.0.efi"], Outcome::Trial);
        check("4.1.0", &["slipway-4.1.0+0-3.efi", "slipway-4.0.0.efi"], Outcome::Trial);
        check("4.0.0", &["slipway-4.1.0+3.efi", "slipway-4.0.0.efi"], Outcome::Waiting(new));
        check("4.0.0", &["slipway-4.1.0+0-3.efi", "slipway-4.0.0.efi"], Outcome::RolledBack(new));
        check("4.0.0", &["slipway-4.0.0.efi"], Outcome::Cut(new));
        assert_eq!(outcome(&host("4.0.0"), None, &[]), Outcome::Nothing);
    }

    #[test]
    fn a_version_that_was_left_is_remembered() {
        let pending = Pending {
            version: "4.1.0".to_owned(),
            from: "4.0.0".to_owned(),
            boot_id: String::new(),
        };
        let mut memory = Memory { pending: Some(pending), ..Memory::default() };
        for later in [Outcome::Waiting("4.1.0".parse().unwrap()), Outcome::Trial] {
            let before = memory.clone();
            remember(&mut memory, &later);
            assert_eq!(memory, before);
        }
        remember(&mut memory, &Outcome::RolledBack("4.1.0".parse().unwrap()));
        assert!(memory.pending.is_none() && memory.report_rollback);
        assert!(memory.failed.contains_key("4.1.0"));
    }

    fn esp(names: &[&str]) -> (tempfile::TempDir, DirEsp) {
        let folder = tempfile::tempdir().unwrap();
        let mut esp = DirEsp::open(folder.path()).unwrap();
        for name in names {
            esp.create(name).unwrap();
        }
        (folder, esp)
    }

    #[test]
    fn going_back() {
        #[track_caller]
        fn check(running: &str, names: &[&str], expected: Result<&str, &str>) {
            let (_folder, mut esp) = esp(names);
            let result = roll_back(&mut esp, running.parse().unwrap());
            let said = result.map(|version| version.to_string()).map_err(|error| error.to_string());
            assert_eq!(said, expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned));
            if let Ok(version) = said {
                let files = esp.list().unwrap();
                let choice = boot_choice(files.iter().map(|(name, _)| name.as_str())).unwrap();
                assert_eq!(choice.version.to_string(), version);
            }
        }
        check("4.1.0", &["slipway-4.1.0.efi", "slipway-4.0.0.efi"], Ok("4.0.0"));
        check("4.1.0", &["slipway-4.1.0+2-1.efi", "slipway-4.0.0.efi"], Ok("4.0.0"));
        check("4.0.0", &["slipway-4.1.0+3.efi", "slipway-4.0.0.efi"], Ok("4.0.0"));
        let none = Err("there is no other version on this machine to go back to");
        check("4.1.0", &["slipway-4.1.0.efi"], none);
        check(
            "4.0.0",
            &["slipway-4.1.0+0-3.efi", "slipway-4.0.0.efi"],
            Err("the other version, 4.1.0, was never found good here"),
        );
    }

    #[test]
    fn what_waits_is_taken_back() {
        #[track_caller]
        fn check(running: &str, names: &[&str], expected: &str) {
            let (_folder, mut esp) = esp(names);
            take_back(&mut esp, running.parse().unwrap()).unwrap();
            let files = esp.list().unwrap();
            let choice = boot_choice(files.iter().map(|(name, _)| name.as_str())).unwrap();
            assert_eq!(choice.to_string(), expected);
        }
        let old = "slipway-4.0.0.efi";
        check("4.0.0", &["slipway-4.1.0+3.efi", old], old);
        check("4.1.0", &["slipway-4.1.0+0.efi", old], "slipway-4.1.0.efi");
        check("4.1.0", &["slipway-4.1.0+0-2.efi", old], "slipway-4.1.0+1-2.efi");
    }

    #[test]
    fn a_trial_that_was_left_and_taken_back_is_still_one() {
        let (_folder, mut esp) = esp(&["slipway-4.1.0+2-1.efi", "slipway-4.0.0.efi"]);
        let running = "4.1.0".parse().unwrap();
        roll_back(&mut esp, running).unwrap();
        take_back(&mut esp, running).unwrap();
        assert!(is_on_trial(running, &ukis(&mut esp).unwrap()));
    }

    #[test]
    fn a_trial_has_somewhere_to_go_back_to() {
        #[track_caller]
        fn check(names: &[&str], expected: bool) {
            assert_eq!(is_on_trial("4.1.0".parse().unwrap(), &parse(names)), expected);
        }
        check(&["slipway-4.1.0+2-1.efi", "slipway-4.0.0.efi"], true);
        check(&["slipway-4.1.0+2-1.efi"], false);
        check(&["slipway-4.1.0.efi", "slipway-4.0.0.efi"], false);
    }
}
