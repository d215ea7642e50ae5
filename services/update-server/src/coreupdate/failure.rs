//! Why a request is not answered.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use slipway_coreupdate::wire::ErrorResponse;

use crate::{ids::IdError, store::StoreError};

/// What a handler gives back.
pub(crate) type Answer<T> = Result<Json<T>, Failure>;

/// A status and a sentence; both are for the caller's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// What went wrong, and the way out.
    pub(crate) message: String,
    /// The value of `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
}

impl Failure {
    /// A failure without a challenge.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), challenge: None }
    }

    /// A request that makes no sense.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Something that is not there.
    pub(crate) fn missing(kind: &str, name: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`"))
    }

    /// A caller who is not known.
    pub(crate) fn stranger(message: impl Into<String>, challenge: impl Into<String>) -> Self {
        Self { challenge: Some(challenge.into()), ..Self::new(StatusCode::UNAUTHORIZED, message) }
    }

    /// The headers that go with it.
    pub(crate) fn with_headers(self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        if let Some(challenge) = self.challenge.and_then(|value| HeaderValue::from_str(&value).ok())
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(ErrorResponse::new(self.status.as_u16(), self.message.clone()));
        self.with_headers(body)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
            StoreError::Exists { .. } | StoreError::Conflict { .. } => StatusCode::CONFLICT,
            StoreError::Invalid { .. } | StoreError::Policy { .. } => StatusCode::BAD_REQUEST,
            error if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(error = %crate::chain(&error), "a request failed");
            let message = match error {
                error if error.is_full() => {
                    "the disk of the database is full; nothing was kept, so make room and try again"
                }
                _ => "the database did not do it; try again later, and see the log of the server",
            };
            return Self::new(status, message);
        }
        // The source of a policy's error says which value it is.
        let source = std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Self::new(status, format!("{error}{source}"))
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::bad(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: StoreError, status: u16, message: &str) {
        let failure = Failure::from(error);
        assert_eq!((failure.status.as_u16(), failure.message.as_str()), (status, message));
    }

    #[test]
    fn each_error_of_the_store_has_a_status() {
        check(
            StoreError::NotFound { kind: "group", name: "g".into() },
            404,
            "there is no group `g`",
        );
        check(
            StoreError::Exists { kind: "group", name: "g".into() },
            409,
            "there is a group `g` already",
        );
        check(
            StoreError::Conflict { kind: "package", name: "1".into(), problem: "is in use" },
            409,
            "package `1` is in use",
        );
        check(StoreError::Invalid { what: "role", value: "x".into() }, 400, "`x` is no role");
        let source = crate::policy::PolicyError::Zero { what: "lease_seconds" };
        check(
            StoreError::Policy { source },
            400,
            "the policy does not hold together: `lease_seconds` is 0; leave it out, or give it a value above",
        );
    }

    #[test]
    fn what_the_database_says_stays_in_the_log() {
        let message = "the database did not do it; try again later, and see the log of the server";
        check(
            StoreError::Database { what: "read a user", source: sqlx::Error::PoolTimedOut },
            503,
            message,
        );
        check(StoreError::Corrupt { column: "policy", source: "broken".into() }, 500, message);
    }

    #[test]
    fn a_challenge_is_a_header() {
        let response = Failure::stranger("who are you?", "Hawk").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Hawk");
    }
}
