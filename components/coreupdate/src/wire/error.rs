//! Errors, in the form of Google's APIs.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorResponse {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// The HTTP status again.
    pub code: u16,
    /// In words.
    pub message: String,
    /// The same, for programs.
    pub errors: Vec<ErrorItem>,
}

/// One reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorItem {
    /// Always `global`.
    pub domain: String,
    /// A word in camel case, such as `notFound`.
    pub reason: String,
    /// In words.
    pub message: String,
}

impl ErrorResponse {
    /// An error with a single reason. The word follows from the status.
    pub fn new(code: u16, message: String) -> Self {
        let item = ErrorItem {
            domain: "global".to_owned(),
            reason: reason(code).to_owned(),
            message: message.clone(),
        };
        Self { error: ErrorBody { code, message, errors: vec![item] } }
    }
}

/// The words that Google's APIs have for statuses.
fn reason(code: u16) -> &'static str {
    match code {
        400 => "badRequest",
        401 => "authError",
        403 => "forbidden",
        404 => "notFound",
        405 => "httpMethodNotAllowed",
        409 => "conflict",
        413 => "uploadTooLarge",
        429 => "rateLimitExceeded",
        501 => "notImplemented",
        503 => "backendNotConnected",
        _ => "backendError",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_read};
    use super::*;

    #[test]
    fn an_error_says_its_code_twice_and_its_reason() {
        check(
            r#"{"error":{"code":404,"message":"no app `x`","errors":[{"domain":"global","reason":"notFound","message":"no app `x`"}]}}"#,
            &ErrorResponse::new(404, "no app `x`".into()),
        );
        check_read("{}", &ErrorResponse::default());
        for (code, word) in
            [(400, "badRequest"), (401, "authError"), (409, "conflict"), (500, "backendError")]
        {
            assert_eq!(ErrorResponse::new(code, String::new()).error.errors[0].reason, word);
        }
    }
}
