//! What is printed and where: data to one stream, everything else to the other.

use std::error::Error;
use std::io::Write;

use serde::Serialize;

use crate::{CtlError, Settings, Table};

/// Where to print.
pub struct Streams<'a> {
    out: &'a mut (dyn Write + Send),
    err: &'a mut (dyn Write + Send),
}

impl<'a> Streams<'a> {
    /// Data goes to the first, everything else to the second.
    pub fn new(out: &'a mut (dyn Write + Send), err: &'a mut (dyn Write + Send)) -> Self {
        Self { out, err }
    }

    /// A value, as JSON or as a table.
    pub(crate) fn show<T: Serialize>(
        &mut self,
        settings: &Settings,
        value: &T,
        table: Table,
    ) -> Result<(), CtlError> {
        if settings.json { self.json(value) } else { self.text(&table.to_string()) }
    }

    /// A value, as JSON or as a sentence.
    pub(crate) fn say<T: Serialize>(
        &mut self,
        settings: &Settings,
        value: &T,
        sentence: &str,
    ) -> Result<(), CtlError> {
        if settings.json { self.json(value) } else { self.text(&format!("{sentence}\n")) }
    }

    /// A value as JSON.
    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), CtlError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CtlError::Print { source: error.into() })?;
        self.text(&format!("{text}\n"))
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CtlError> {
        let printed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        printed.map_err(|source| CtlError::Print { source })
    }

    /// A line that is no data.
    pub(crate) fn note(&mut self, line: &str) {
        // Where even this cannot be printed, there is nobody to tell.
        let _unprinted = writeln!(self.err, "{line}");
    }

    /// An error with its causes.
    pub(crate) fn complain(&mut self, error: &CtlError) {
        let mut line = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        self.note(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let source = std::io::Error::other("disk full");
        Streams::new(&mut out, &mut err)
            .complain(&CtlError::File { what: "write the backup", source });
        assert_eq!(String::from_utf8(err).unwrap(), "error: cannot write the backup: disk full\n");
        assert!(out.is_empty());
    }
}
