//! What hosts tell the task that counts.

use std::time::Duration;

/// Something that a host did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It asked for an update, and had an answer after so long.
    Checked {
        /// How long it took.
        took: Duration,
        /// How long it had waited for a request to end, so that it could be sent.
        late: Duration,
        /// The answer.
        outcome: Outcome,
    },
    /// It reported something, and had an answer.
    Reported,
    /// It runs another version now.
    Updated {
        /// Which host.
        machine: String,
        /// The version before.
        from: String,
        /// The version now.
        to: String,
    },
    /// Its update failed, as its dice wanted.
    Failed,
    /// It is gone for good, as its dice wanted.
    Vanished,
    /// The server could not be reached, or did not answer in Omaha.
    Lost {
        /// Why.
        why: String,
    },
    /// A document that was sent or received, if that is to be told.
    Said(String),
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An update.
    Granted {
        /// Its version.
        version: String,
    },
    /// No update.
    Nothing,
    /// Something else, by the server's word.
    Other(String),
}
