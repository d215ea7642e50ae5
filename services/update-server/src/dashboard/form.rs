//! What a form sends: read without trusting that any field is there, or that it makes sense.

use std::str::FromStr;

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    page::{PageError, sentence},
    session::{Visitor, is_own_form},
};
use crate::{app::App, store::StoreError};

/// The longest form, in bytes. A rollout of many frames needs the most.
const LONGEST: usize = 256 << 10;

/// The field that proves where a form came from.
pub(super) const FORM_TOKEN: &str = "form_token";

/// The fields of a form, in order, as they were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// Why a field cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The field.
    pub(super) field: &'static str,
    /// A sentence.
    pub(super) message: String,
}

/// Collects what is wrong with a form, so that all of it can be said at once.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Problems(Vec<Problem>);

/// A form from a page of this server, with who sent it.
pub(super) struct Submitted {
    /// Who.
    pub(super) visitor: Visitor,
    /// What.
    pub(super) fields: Fields,
}

impl Fields {
    /// From the body of a form, or from the query of an address.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(bytes);
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// A field without white space around it; a missing one is empty.
    pub(super) fn get(&self, name: &str) -> &str {
        self.raw(name).unwrap_or_default().trim()
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A field as a value, if it is there and not empty, and is one.
    pub(super) fn value<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The values of a form as its page shows them: every name of the form, so that no template meets a hole.
pub(super) fn values(
    names: &[&'static str],
    value: impl Fn(&'static str) -> String,
) -> std::collections::BTreeMap<&'static str, String> {
    names.iter().map(|name| (*name, value(name))).collect()
}

impl Problems {
    /// Notes a problem.
    pub(super) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(Problem { field, message: message.into() });
    }

    /// Notes what the store said about a form, if a person can do something about it there; gives it back otherwise.
    pub(super) fn store(
        &mut self,
        field: &'static str,
        error: StoreError,
    ) -> Result<(), PageError> {
        match error {
            StoreError::Exists { .. }
            | StoreError::Conflict { .. }
            | StoreError::Invalid { .. }
            | StoreError::Policy { .. } => {
                self.add(field, sentence(&error));
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    /// What the status of the answer is: 422 if something has to be mended.
    pub(super) fn status(&self) -> StatusCode {
        if self.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field that has to be there.
    pub(super) fn need<T>(&mut self, fields: &Fields, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: std::error::Error>,
    {
        if fields.get(name).is_empty() {
            self.add(name, "This field is needed.");
            return None;
        }
        self.take(fields, name)
    }

    /// A field that may be empty.
    pub(super) fn take<T>(&mut self, fields: &Fields, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: std::error::Error>,
    {
        let text = fields.get(name);
        if text.is_empty() {
            return None;
        }
        text.parse().map_err(|error: T::Err| self.add(name, sentence(&error))).ok()
    }

    /// A number in a range, in a field that may be empty.
    pub(super) fn number<T>(
        &mut self,
        fields: &Fields,
        name: &'static str,
        least: T,
        most: T,
    ) -> Option<T>
    where
        T: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let text = fields.get(name);
        if text.is_empty() {
            return None;
        }
        match text.parse::<T>() {
            Ok(number) if number >= least && number <= most => Some(number),
            _ => {
                self.add(name, format!("Give a number from {least} to {most}."));
                None
            }
        }
    }

    /// A text of at most so many characters, without control characters.
    pub(super) fn text(&mut self, fields: &Fields, name: &'static str, longest: usize) -> String {
        let text = fields.get(name);
        if text.chars().count() > longest {
            self.add(name, format!("At most {longest} characters."));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(name, "This holds characters that cannot be shown.");
        }
        text.to_owned()
    }

    /// A text that has to be there.
    pub(super) fn need_text(
        &mut self,
        fields: &Fields,
        name: &'static str,
        longest: usize,
    ) -> String {
        if fields.get(name).is_empty() {
            self.add(name, "This field is needed.");
        }
        self.text(fields, name, longest)
    }
}

impl FromRequest<App> for Submitted {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let fields =
            read_form(request, &visitor.form_token).await.map_err(IntoResponse::into_response)?;
        Ok(Self { visitor, fields })
    }
}

/// The fields of a form that carries the right token.
///
/// # Errors
/// [`PageError::Odd`] for what no browser sends, [`PageError::Forged`] for a wrong token.
pub(super) async fn read_form(request: Request, token: &str) -> Result<Fields, PageError> {
    let (parts, body) = request.into_parts();
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(PageError::Odd { what: "is not a form" });
    }
    let bytes = to_bytes(body, LONGEST)
        .await
        .map_err(|_| PageError::Odd { what: "is too long, or ended early" })?;
    let fields = Fields::parse(&bytes);
    if !is_own_form(&parts.headers, token, fields.get(FORM_TOKEN)) {
        return Err(PageError::Forged);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_odd_fields_are_said_all_at_once() {
        let fields =
            Fields::parse(b"name=%00&share=200&count=x&note=fine+words&note=second&%ff=%ff&&=");
        let mut problems = Problems::default();
        problems.need_text(&fields, "label", 10);
        problems.text(&fields, "name", 10);
        assert_eq!(problems.number(&fields, "share", 0.0, 100.0), None);
        assert_eq!(problems.number::<u32>(&fields, "count", 1, 5), None);
        assert_eq!(problems.number::<u32>(&fields, "absent", 1, 5), None);
        assert_eq!(problems.text(&fields, "note", 20), "fine words");
        let said: Vec<_> =
            problems.0.iter().map(|problem| (problem.field, problem.message.as_str())).collect();
        insta::assert_debug_snapshot!(said, @r#"
        [
            (
                "label",
                "This field is needed.",
            ),
            (
                "name",
                "This holds characters that cannot be shown.",
            ),
            (
                "share",
                "Give a number from 0 to 100.",
            ),
            (
                "count",
                "Give a number from 1 to 5.",
            ),
        ]
        "#);
    }

    #[test]
    fn boxes() {
        let fields = Fields::parse(b"a=&b=on");
        assert!(fields.ticked("a") && fields.ticked("b") && !fields.ticked("c"));
    }
}
