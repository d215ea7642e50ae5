//! The errors of this crate.

use std::io;

use camino::Utf8PathBuf;

/// What went wrong with a machine.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The command cannot be started or waited for.
    #[error("the machine cannot be started")]
    Start {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The console's log cannot be written; the cause names it.
    #[error("the log of the console cannot be written")]
    Log {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The console does not show what was expected.
    #[error("{problem}; the console, all of it in {log}, ends\n{tail}")]
    Console {
        /// What was expected.
        problem: String,
        /// The file with all that the console showed.
        log: Utf8PathBuf,
        /// Its last lines.
        tail: String,
    },
}
