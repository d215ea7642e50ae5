//! Why a track is not followed.

use slipway_omaha::OmahaError;

use super::{KeyError, SignatureError};
use crate::store::StoreError;

/// Why a track is not followed; its channel stays where it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The application is not here.
    #[error("there is no application `{app}`; add it first")]
    App {
        /// Which.
        app: String,
    },
    /// Somebody made the channel here.
    #[error(
        "the channel `{channel}` was not made for this upstream; rename it, or make it follow by its `upstream`"
    )]
    Foreign {
        /// Which.
        channel: String,
    },
    /// The upstream cannot be reached.
    #[error("the upstream does not answer")]
    Unreachable {
        /// Why not.
        source: reqwest::Error,
    },
    /// The upstream answers with an error.
    #[error("the upstream answers {status}")]
    Status {
        /// What it says.
        status: reqwest::StatusCode,
    },
    /// The answer has no end.
    #[error("the answer of the upstream is too long")]
    TooLong,
    /// The answer is no Omaha.
    #[error("the answer of the upstream cannot be read")]
    Answer {
        /// Why not.
        source: OmahaError,
    },
    /// The answer has no part for what was asked.
    #[error("the upstream does not know the application or the track ({status})")]
    Unknown {
        /// What it says.
        status: String,
    },
    /// A version that cannot be taken over.
    #[error("the upstream offers `{version}`, {problem}")]
    Offer {
        /// Which.
        version: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A version that is here already, as another one.
    #[error(
        "version `{version}` is here already with another digest or length; one of the two is wrong"
    )]
    Other {
        /// Which.
        version: String,
    },
    /// A file is not what it should be.
    #[error("`{file}` is not what the upstream says: {problem}")]
    Payload {
        /// Which.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The key that files must be signed by cannot be used.
    #[error("`sync-key` cannot be used")]
    Key {
        /// Why not; it names the file.
        #[from]
        source: KeyError,
    },
    /// A file is not signed as it should be.
    #[error("`{file}` is not signed")]
    Signature {
        /// Which.
        file: String,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// A file cannot be kept.
    #[error("cannot keep a payload")]
    Keep {
        /// Why not; it names the file.
        source: std::io::Error,
    },
    /// The store refused.
    #[error("the store refuses")]
    Store {
        /// Why.
        source: StoreError,
    },
}

impl From<StoreError> for SyncError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}
