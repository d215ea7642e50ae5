//! The state machine: what the agent is doing, and what may follow on what. docs/updates.md has the drawing.
//!
//! When unsure, the agent stays with the version that runs: an update that comes late is repaired by the next check, one that is wrong
//! by nobody.

use serde::{Deserialize, Serialize};

/// What the agent is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Status {
    /// Nothing; the next check comes by itself.
    Idle,
    /// Asks the server and reads signed metadata.
    Checking,
    /// An update may be installed, and was only looked for.
    Available {
        /// Its version.
        version: String,
        /// How many bytes its payload has.
        size: u64,
    },
    /// Fetches the payload into the passive slot.
    Downloading {
        /// The version.
        version: String,
        /// How many bytes the payload has.
        size: u64,
        /// How many of them are there.
        done: u64,
    },
    /// Reads back what was written.
    Verifying {
        /// The version.
        version: String,
    },
    /// Switches to the new version.
    Installing {
        /// The version.
        version: String,
    },
    /// The next boot is into the new version.
    NeedReboot {
        /// The version.
        version: String,
    },
    /// There is an update, and it is not taken.
    Blocked {
        /// Why not.
        reason: String,
    },
    /// The last attempt failed; the running version is untouched.
    Error {
        /// Why.
        reason: String,
        /// The number that the server was told.
        code: u32,
    },
}

/// A [`Status`] without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// [`Status::Idle`].
    Idle,
    /// [`Status::Checking`].
    Checking,
    /// [`Status::Available`].
    Available,
    /// [`Status::Downloading`].
    Downloading,
    /// [`Status::Verifying`].
    Verifying,
    /// [`Status::Installing`].
    Installing,
    /// [`Status::NeedReboot`].
    NeedReboot,
    /// [`Status::Blocked`].
    Blocked,
    /// [`Status::Error`].
    Error,
}

/// A step that the machine does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{to:?} cannot follow {from:?}")]
pub struct IllegalStep {
    /// Where it is.
    pub from: Stage,
    /// Where it should have gone.
    pub to: Stage,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Checking,
        Self::Available,
        Self::Downloading,
        Self::Verifying,
        Self::Installing,
        Self::NeedReboot,
        Self::Blocked,
        Self::Error,
    ];

    /// The stages that may follow.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Idle | Self::Blocked | Self::Error => &[Self::Checking, Self::NeedReboot],
            Self::Checking => &[Self::Idle, Self::Available, Self::Blocked, Self::Error],
            Self::Available => &[Self::Checking, Self::Downloading, Self::Idle, Self::Blocked],
            Self::Downloading => &[Self::Downloading, Self::Verifying, Self::Blocked, Self::Error],
            Self::Verifying => &[Self::Installing, Self::Error],
            Self::Installing => &[Self::NeedReboot, Self::Error],
            // Only a person takes back an update that waits for its reboot.
            Self::NeedReboot => &[Self::Idle],
        }
    }

    /// What D-Bus clients of the ancestors know it as (update_engine, `update_status.h`).
    pub fn dbus_name(self) -> &'static str {
        match self {
            Self::Idle | Self::Blocked => "UPDATE_STATUS_IDLE",
            Self::Checking => "UPDATE_STATUS_CHECKING_FOR_UPDATE",
            Self::Available => "UPDATE_STATUS_UPDATE_AVAILABLE",
            Self::Downloading => "UPDATE_STATUS_DOWNLOADING",
            Self::Verifying => "UPDATE_STATUS_VERIFYING",
            Self::Installing => "UPDATE_STATUS_FINALIZING",
            Self::NeedReboot => "UPDATE_STATUS_UPDATED_NEED_REBOOT",
            Self::Error => "UPDATE_STATUS_REPORTING_ERROR_EVENT",
        }
    }
}

impl Status {
    /// Without details.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Idle => Stage::Idle,
            Self::Checking => Stage::Checking,
            Self::Available { .. } => Stage::Available,
            Self::Downloading { .. } => Stage::Downloading,
            Self::Verifying { .. } => Stage::Verifying,
            Self::Installing { .. } => Stage::Installing,
            Self::NeedReboot { .. } => Stage::NeedReboot,
            Self::Blocked { .. } => Stage::Blocked,
            Self::Error { .. } => Stage::Error,
        }
    }

    /// Goes on.
    ///
    /// # Errors
    /// When the machine has no such step.
    pub fn step(&mut self, to: Self) -> Result<(), IllegalStep> {
        let (from, stage) = (self.stage(), to.stage());
        if !from.next().contains(&stage) {
            return Err(IllegalStep { from, to: stage });
        }
        *self = to;
        Ok(())
    }

    /// The version that it is about.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Available { version, .. }
            | Self::Downloading { version, .. }
            | Self::Verifying { version }
            | Self::Installing { version }
            | Self::NeedReboot { version } => Some(version),
            Self::Idle | Self::Checking | Self::Blocked { .. } | Self::Error { .. } => None,
        }
    }

    /// How much of the payload is there, from 0 to 1, and how many bytes it has.
    pub fn progress(&self) -> (f64, u64) {
        match self {
            Self::Downloading { size, done, .. } if *size > 0 => {
                (*done as f64 / *size as f64, *size)
            }
            Self::Available { size, .. } | Self::Downloading { size, .. } => (0.0, *size),
            Self::Verifying { .. } | Self::Installing { .. } => (1.0, 0),
            _ => (0.0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn status(stage: Stage) -> Status {
        let version = || "4.1.0".to_owned();
        match stage {
            Stage::Idle => Status::Idle,
            Stage::Checking => Status::Checking,
            Stage::Available => Status::Available { version: version(), size: 2 },
            Stage::Downloading => Status::Downloading { version: version(), size: 2, done: 1 },
            Stage::Verifying => Status::Verifying { version: version() },
            Stage::Installing => Status::Installing { version: version() },
            Stage::NeedReboot => Status::NeedReboot { version: version() },
            Stage::Blocked => Status::Blocked { reason: "r".to_owned() },
            Stage::Error => Status::Error { reason: "r".to_owned(), code: 9 },
        }
    }

    /// Every pair of stages is tried; exactly those that the table has are taken.
    #[test]
    fn a_walk_over_all_steps() {
        let mut taken = 0;
        for from in Stage::ALL {
            for to in Stage::ALL {
                let mut machine = status(from);
                let result = machine.step(status(to));
                match from.next().contains(&to) {
                    true => {
                        assert_eq!((result, machine.stage()), (Ok(()), to));
                        taken += 1;
                    }
                    false => {
                        assert_eq!(result, Err(IllegalStep { from, to }));
                        assert_eq!(machine, status(from));
                    }
                }
            }
        }
        assert_eq!(taken, 23);
    }

    /// Nothing but a verified installation comes to a reboot, and every stage is reached from the first one.
    #[test]
    fn what_leads_where() {
        let mut reached = HashSet::from([Stage::Idle]);
        while let Some(next) =
            reached.iter().flat_map(|stage| stage.next()).find(|next| !reached.contains(next))
        {
            reached.insert(*next);
        }
        assert_eq!(reached.len(), Stage::ALL.len());
        let before: Vec<Stage> = Stage::ALL
            .into_iter()
            .filter(|stage| stage.next().contains(&Stage::Installing))
            .collect();
        assert_eq!(before, [Stage::Verifying]);
    }

    /// The drawing in the documentation has exactly the steps of the machine.
    #[test]
    fn the_drawing_is_true() {
        let text = include_str!("../../../docs/updates.md");
        let drawn: HashSet<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.contains(" --> ") && !line.starts_with("[*]"))
            .collect();
        let steps: Vec<String> = Stage::ALL
            .iter()
            .flat_map(|from| from.next().iter().map(move |to| format!("{from:?} --> {to:?}")))
            .collect();
        assert_eq!(drawn, steps.iter().map(String::as_str).collect());
    }

    #[test]
    fn as_json() {
        let json = serde_json::to_string(&status(Stage::Downloading)).unwrap();
        assert_eq!(json, r#"{"state":"downloading","version":"4.1.0","size":2,"done":1}"#);
        for stage in Stage::ALL {
            let json = serde_json::to_string(&status(stage)).unwrap();
            assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status(stage));
        }
    }
}
