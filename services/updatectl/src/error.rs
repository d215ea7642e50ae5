//! What can go wrong, and with which code the program then ends.

use std::path::PathBuf;

/// With which code the program ends; the numbers are those of `updateservicectl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was told.
    Fine,
    /// The server, the network or a file did not.
    Api,
    /// The command line makes no sense.
    Usage,
    /// There is no such command.
    NoCommand,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Api => 1,
            Self::Usage => 2,
            Self::NoCommand => 3,
        }
    }
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CtlError {
    /// An address that is none.
    #[error("`{server}` is no server; give an address such as `https://updates.example`")]
    Server {
        /// What was given.
        server: String,
    },
    /// A flag whose value makes no sense, alone or with others.
    #[error("{problem}")]
    Usage {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The server could not be reached, or broke off.
    #[error("cannot reach `{server}`")]
    Unreachable {
        /// Which server.
        server: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("the server refused ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The server said something that is no answer.
    #[error("the answer of the server cannot be read; is `{url}` an update server?")]
    Answer {
        /// What was asked.
        url: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A command that needs a token or a key.
    #[error("this needs a token: give `--token` or set UPDATECTL_TOKEN")]
    Anonymous,
    /// A file.
    #[error("cannot {what}")]
    File {
        /// What was tried.
        what: &'static str,
        /// Why it did not work; it names the file.
        #[source]
        source: std::io::Error,
    },
    /// A file that holds something else.
    #[error("`{}` is not what it should be", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A downloaded file that is not the one that was described.
    #[error("`{}` has the wrong {what}: {found}, and {expected} was expected; it was removed", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Size or digest.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The server did not do what it said, or not all of it.
    #[error("the server did not do it: {message}")]
    NotDone {
        /// What it says.
        message: String,
    },
    /// Some of many.
    #[error("{failed} of {total} failed")]
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
    },
    /// Nothing can be printed any more.
    #[error("cannot print")]
    Print {
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl CtlError {
    /// With which code the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Server { .. } | Self::Usage { .. } | Self::Anonymous => Exit::Usage,
            _ => Exit::Api,
        }
    }

    /// A command line that makes no sense.
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into() }
    }

    /// A file that could not be read or written.
    pub(crate) fn file(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { what, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_ancestor() {
        let codes = [Exit::Fine, Exit::Api, Exit::Usage, Exit::NoCommand].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3]);
        assert_eq!(CtlError::Refused { status: 404, message: String::new() }.exit(), Exit::Api);
        assert_eq!(CtlError::usage("no").exit(), Exit::Usage);
    }
}
