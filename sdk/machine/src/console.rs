//! What a console has shown, and how far it was read.

use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::MachineError;

/// How many lines an error shows.
const TAIL: usize = 40;

pub(crate) struct Console {
    text: String,
    seen: usize,
    log: fs_err::File,
    path: Utf8PathBuf,
}

impl Console {
    pub(crate) fn new(log: &Utf8Path) -> Result<Self, MachineError> {
        let file = fs_err::File::create(log).map_err(|source| MachineError::Log { source })?;
        Ok(Self { text: String::new(), seen: 0, log: file, path: log.to_owned() })
    }

    /// Takes what was shown. A damaged character is not worth an end: the console is for people.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), MachineError> {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        self.log.write_all(bytes).map_err(|source| MachineError::Log { source })
    }

    /// Moves behind the next `text`, if it is there.
    pub(crate) fn find(&mut self, text: &str) -> bool {
        let at = self.text[self.seen..].find(text);
        self.seen += at.map_or(0, |at| at + text.len());
        at.is_some()
    }

    pub(crate) fn position(&self) -> usize {
        self.seen
    }

    /// What was shown between two positions, without the space around it and the terminal's line ends.
    pub(crate) fn text(&self, from: usize, to: usize) -> String {
        self.text[from..to].replace('\r', "").trim().to_owned()
    }

    pub(crate) fn error(&self, problem: String) -> MachineError {
        let lines: Vec<&str> = self.text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        MachineError::Console { problem, log: self.path.clone(), tail }
    }
}
