//! Errors of the API, as JSON.

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{ids::IdError, store::StoreError};

/// Why a method did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    pub(super) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is no such method; see /api/v2/openapi.json",
        )
    }

    pub(super) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what} `{name}`"))
    }

    pub(super) fn changed(what: &str, name: impl std::fmt::Display) -> Self {
        let message = format!(
            "the {what} `{name}` is another now than `If-Match` says; read it again, and change that"
        );
        Self::new(StatusCode::PRECONDITION_FAILED, "changed", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    pub(super) fn unauthenticated() -> Self {
        let message = "send `Authorization: Bearer TOKEN` with a token that is valid";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    pub(super) fn not_local() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", crate::http::NOT_LOCAL)
    }

    pub(super) fn forbidden(role: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this needs the role {role} here, and a token of that scope"),
        )
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = crate::chain(&error);
        match error {
            StoreError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", message),
            StoreError::Exists { .. } => Self::new(StatusCode::CONFLICT, "exists", message),
            StoreError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", message),
            StoreError::Invalid { .. } | StoreError::Policy { .. } => Self::invalid(message),
            error if error.is_temporary() => {
                tracing::error!(error = message, "the database failed");
                let message = match error {
                    error if error.is_full() => {
                        "the disk of the database is full; nothing was kept, so make room and try again"
                    }
                    _ => "the database does not answer; try again",
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            _ => {
                tracing::error!(error = message, "an internal error");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "an internal error; the log of the server says more",
                )
            }
        }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::invalid(error.to_string())
    }
}

macro_rules! rejection {
    ($($kind:ty),+) => {
        $(impl From<$kind> for Failure {
            fn from(rejection: $kind) -> Self {
                Self::new(rejection.status(), "invalid", rejection.body_text())
            }
        })+
    };
}

rejection!(JsonRejection, PathRejection, QueryRejection);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "kind": self.kind, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
