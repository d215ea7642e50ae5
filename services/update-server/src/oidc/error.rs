//! Why somebody is not let in through the issuer.

use axum::http::StatusCode;

use super::TokenError;

/// Why a log-in through the issuer came to nothing. The texts are for the person who tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// The issuer cannot be reached.
    #[error("the issuer does not answer when it is asked for {what}")]
    Unreachable {
        /// What it was asked for.
        what: &'static str,
        /// Why not.
        source: reqwest::Error,
    },
    /// The issuer answers with an error.
    #[error("the issuer answers {status} when it is asked for {what}")]
    Status {
        /// What it was asked for.
        what: &'static str,
        /// What it says.
        status: reqwest::StatusCode,
    },
    /// The issuer's answer is too long.
    #[error("the issuer's answer is too long when it is asked for {what}")]
    TooLong {
        /// What it was asked for.
        what: &'static str,
    },
    /// The issuer's answer is no JSON of the right form.
    #[error("the issuer's answer cannot be read when it is asked for {what}")]
    Form {
        /// What it was asked for.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// The issuer calls itself something else than is configured.
    #[error(
        "the issuer calls itself `{found}`, and is configured as `{expected}`; both must be the same to the letter"
    )]
    Issuer {
        /// What it says.
        found: String,
        /// What is configured.
        expected: String,
    },
    /// The issuer names an address that others could read along.
    #[error("the issuer's `{what}` is neither https nor on this machine")]
    Insecure {
        /// Which address.
        what: &'static str,
    },
    /// The answer is not one to what this browser asked.
    #[error(
        "this log-in was begun in another browser, or too long ago (`state` does not fit); begin it again"
    )]
    State,
    /// Another issuer answers.
    #[error("another issuer answers (`iss` is `{found}`); begin the log-in again")]
    Answerer {
        /// Which.
        found: String,
    },
    /// The issuer did not log the person in.
    #[error("the issuer refuses: {reason}")]
    Refused {
        /// What it says.
        reason: String,
    },
    /// The issuer did not take the code.
    #[error("the issuer does not take the code of this log-in: {reason}")]
    Code {
        /// What it says.
        reason: String,
    },
    /// The ID token does not hold.
    #[error("the issuer's ID token is refused")]
    Token {
        /// Why.
        source: TokenError,
    },
    /// The person has no name that could be one here.
    #[error(
        "the ID token has no `{claim}` that could be the name of a user; `oidc-name-claim` says which claim is one"
    )]
    Name {
        /// Where it would be.
        claim: String,
    },
    /// The person may do nothing here.
    #[error("`{name}` is in no group that may do anything on this server; ask its administrator")]
    NoRole {
        /// Who.
        name: String,
    },
}

impl From<TokenError> for OidcError {
    fn from(source: TokenError) -> Self {
        Self::Token { source }
    }
}

impl OidcError {
    pub(super) fn refused(error: &str, description: &str) -> Self {
        Self::Refused { reason: reason(error, description) }
    }

    /// The status of the page that says it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable { .. }
            | Self::Status { .. }
            | Self::TooLong { .. }
            | Self::Form { .. }
            | Self::Issuer { .. }
            | Self::Insecure { .. } => StatusCode::BAD_GATEWAY,
            Self::NoRole { .. } | Self::Name { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

/// What an error of OAuth says, in one line.
pub(super) fn reason(error: &str, description: &str) -> String {
    match description {
        "" => shortened(error),
        _ => format!("{} ({})", shortened(error), shortened(description)),
    }
}

/// A text of somebody else, short enough for a page or a log.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(200).collect()
}
