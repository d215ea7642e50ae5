//! From values to pages: the templates, the frame around every page, and pages that say what went wrong.

use std::sync::LazyLock;

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera};

use super::{address, assets, segment, session::Visitor, words};
use crate::{
    ids::AppId,
    store::{Role, StoreError},
};

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

/// Every template, compiled once. They are part of the program, so a wrong one is a defect that a test finds.
static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.register_filter("segment", |text: &str, _: Kwargs, _: &State| segment(text));
    tera.add_raw_templates(templates![
        "components.html",
        "base.html",
        "app.html",
        "error.html",
        "login.html",
        "continue.html",
        "apps.html",
        "app_form.html",
        "groups.html",
        "group.html",
        "group_form.html",
        "policy.html",
        "rollout.html",
        "confirm.html",
        "instances.html",
        "instance.html",
        "channels.html",
        "channel_form.html",
        "packages.html",
        "package_form.html",
        "activity.html",
        "audit.html",
        "settings.html",
        "token.html",
    ])
    .expect("the templates of this program are well-formed");
    tera
});

/// A page that cannot be shown, and what is shown in its place.
#[derive(Debug)]
pub(super) enum PageError {
    /// Nothing is here.
    NotFound {
        /// What was looked for, in words.
        what: String,
    },
    /// The visitor may not do that.
    Forbidden {
        /// The role that is needed.
        role: &'static str,
    },
    /// A form that did not come from a page of this server, or from one that is too old.
    Forged,
    /// A request that no page of this server makes.
    Odd {
        /// What is odd about it.
        what: &'static str,
    },
    /// The store refused.
    Store(StoreError),
    /// A template is wrong.
    Template(tera::Error),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { kind, name } => {
                Self::NotFound { what: format!("{kind} “{name}”") }
            }
            other => Self::Store(other),
        }
    }
}

/// What an error page says.
#[derive(Serialize)]
struct ErrorView {
    shell: Shell,
    heading: &'static str,
    message: String,
    advice: &'static str,
}

impl PageError {
    fn view(&self) -> (StatusCode, &'static str, String, &'static str) {
        match self {
            Self::NotFound { what } => (
                StatusCode::NOT_FOUND,
                "Not found",
                format!("There is no {what} here."),
                "It may have been removed or renamed. Begin again at the list of applications.",
            ),
            Self::Forbidden { role } => (
                StatusCode::FORBIDDEN,
                "Not allowed",
                format!("This needs the role “{role}”."),
                "Ask an administrator of this server for the role, or log in with another token.",
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "Form refused",
                "The form did not come from a page of this session.".to_owned(),
                "Nothing was changed. Go back, load the page anew, and send the form again.",
            ),
            Self::Odd { what } => (
                StatusCode::BAD_REQUEST,
                "Request not understood",
                format!("The request {what}."),
                "Nothing was changed. Go back and use the form of the page.",
            ),
            Self::Store(error) if error.is_full() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The disk is full",
                sentence(error),
                "Nothing was changed. Make room on the disk of the database, and send it again.",
            ),
            Self::Store(error) if error.is_temporary() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database does not answer",
                sentence(error),
                "Load this page again in a moment. Clients try again by themselves.",
            ),
            Self::Store(error @ (StoreError::Invalid { .. } | StoreError::Policy { .. })) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "That does not make sense",
                sentence(error),
                "Nothing was changed. Go back and correct it.",
            ),
            Self::Store(error) => (
                StatusCode::CONFLICT,
                "That did not work",
                sentence(error),
                "Nothing was changed. Go back and try it another way.",
            ),
            Self::Template(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page is broken",
                "The server could not make this page.".to_owned(),
                "This is a defect of the server; its log says more. Please report it.",
            ),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::Template(error) = &self {
            tracing::error!(%error, "a page could not be made");
        }
        let (status, heading, message, advice) = self.view();
        let view =
            ErrorView { shell: Shell::outside(heading), heading, message: message.clone(), advice };
        match Context::from_serialize(&view)
            .and_then(|context| TEMPLATES.render("error.html", &context))
        {
            Ok(page) => (status, Html(page)).into_response(),
            Err(error) => {
                tracing::error!(%error, "the error page could not be made");
                (status, message).into_response()
            }
        }
    }
}

/// An error with its sources, as a sentence.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    format!("{}.", words::capital(text.trim_end_matches('.')))
}

/// What every page shows around its own content.
#[derive(Serialize)]
pub(super) struct Shell {
    title: String,
    section: &'static str,
    user: String,
    session: bool,
    anybody: bool,
    admin: bool,
    form_token: String,
    style: &'static str,
    script: &'static str,
}

impl Shell {
    /// For a visitor who is known; `section` is the entry of the main menu.
    pub(super) fn new(visitor: &Visitor, section: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            user: visitor.principal.name.clone(),
            session: visitor.session,
            anybody: !visitor.session,
            admin: visitor.may(Role::Admin, None),
            form_token: visitor.form_token.clone(),
            style: assets::style_path(),
            script: assets::script_path(),
        }
    }

    /// For somebody who is not known.
    pub(super) fn outside(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            user: String::new(),
            session: false,
            anybody: false,
            admin: false,
            form_token: String::new(),
            style: assets::style_path(),
            script: assets::script_path(),
        }
    }

    /// With the token that a form of the page sends back, for a page without a visitor.
    pub(super) fn with_form_token(self, form_token: String) -> Self {
        Self { form_token, ..self }
    }
}

/// An application's place in the frame: its name and tabs.
#[derive(Serialize)]
pub(super) struct AppFrame {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) label: String,
    pub(super) tab: &'static str,
    pub(super) operator: bool,
    pub(super) administrator: bool,
}

impl AppFrame {
    pub(super) fn new(visitor: &Visitor, id: &AppId, label: &str, tab: &'static str) -> Self {
        Self {
            id: id.to_string(),
            href: address(id, &[]),
            label: label.to_owned(),
            tab,
            operator: visitor.may(Role::Operator, Some(id)),
            administrator: visitor.may(Role::Admin, Some(id)),
        }
    }
}

/// A page.
///
/// # Errors
/// [`PageError::Template`], which is a defect.
pub(super) fn render(template: &str, view: &impl Serialize) -> Result<Response, PageError> {
    render_with(StatusCode::OK, template, view)
}

/// A page with a status of its own, such as 422 for a form that has to be sent again.
///
/// # Errors
/// [`PageError::Template`], which is a defect.
pub(super) fn render_with(
    status: StatusCode,
    template: &str,
    view: &impl Serialize,
) -> Result<Response, PageError> {
    let context = Context::from_serialize(view).map_err(PageError::Template)?;
    let page = TEMPLATES.render(template, &context).map_err(PageError::Template)?;
    Ok((status, Html(page)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_well_formed() {
        assert!(TEMPLATES.contains_template("base.html"));
    }

    #[test]
    fn errors_are_sentences() {
        let error = StoreError::Exists { kind: "group", name: "beta".to_owned() };
        assert_eq!(sentence(&error), "There is a group `beta` already.");
        let error =
            StoreError::Policy { source: crate::policy::PolicyError::Zero { what: "percent" } };
        assert_eq!(
            sentence(&error),
            "The policy does not hold together: `percent` is 0; leave it out, or give it a value above."
        );
    }
}
