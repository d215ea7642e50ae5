//! Users, roles and tokens.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    activity::Choice,
    form::{Fields, Problems, Submitted, values},
    page::{PageError, Shell, render, render_with},
    session::Visitor,
    time::When,
};
use crate::{
    app::App,
    ids::{AppId, TokenId, UserName},
    store::{NewToken, Role, Scope, Token},
};

const NAMES: [&str; 6] = ["name", "role", "user", "label", "scope", "days"];

const SCOPES: [(&str, &str, &[Scope]); 3] = [
    ("read", "read only", &[Scope::Read]),
    ("write", "read and operate", &[Scope::Read, Scope::Write]),
    ("admin", "everything", &[Scope::Read, Scope::Write, Scope::Admin]),
];

const ROLES: [(&str, &str); 3] = [
    ("viewer", "viewer: sees everything"),
    ("operator", "operator: changes groups and channels"),
    ("admin", "admin: everything"),
];

#[derive(Serialize)]
struct View {
    shell: Shell,
    users: Vec<UserRow>,
    tokens: Vec<TokenRow>,
    roles: Vec<Choice>,
    scopes: Vec<Choice>,
    names: Vec<Choice>,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    off: bool,
}

#[derive(Serialize)]
struct UserRow {
    name: String,
    created: When,
    roles: Vec<String>,
    choices: Vec<Choice>,
    tokens: usize,
}

#[derive(Serialize)]
struct TokenRow {
    id: String,
    short: String,
    user: String,
    label: String,
    scopes: String,
    created: When,
    used: Option<When>,
    ends: Option<When>,
    over: bool,
}

/// A secret that is shown once.
#[derive(Serialize)]
struct SecretView {
    shell: Shell,
    heading: &'static str,
    what: String,
    secret: String,
}

async fn show(
    app: &App,
    visitor: &Visitor,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
) -> Result<Response, PageError> {
    let now = app.clock.now();
    let tokens = app.store.tokens(None).await?;
    let users = app.store.users().await?;
    let catalog = app.store.catalog().await?;
    let label = |id: &AppId| {
        catalog.apps.get(id).map_or_else(|| id.to_string(), |app| app.app.label.clone())
    };
    let chosen = |name: &str| values.get(name).cloned().unwrap_or_default();
    let rows = users.iter().map(|user| {
        let everywhere =
            user.roles.iter().find(|(of, _)| of.is_none()).map_or("", |(_, role)| role.as_str());
        UserRow {
            name: user.name.to_string(),
            created: When::new(user.created_at, now),
            roles: user
                .roles
                .iter()
                .map(|(of, role)| match of {
                    None => format!("{} everywhere", role.as_str()),
                    Some(id) => format!("{} of {}", role.as_str(), label(id)),
                })
                .collect(),
            choices: ROLES
                .iter()
                .map(|(value, _)| Choice::new(value, *value, everywhere))
                .collect(),
            tokens: tokens.iter().filter(|token| token.user == user.name).count(),
        }
    });
    let view = View {
        shell: Shell::new(visitor, "settings", "Settings"),
        users: rows.collect(),
        tokens: tokens.iter().map(|token| token_row(token, now)).collect(),
        roles: ROLES
            .iter()
            .map(|(value, label)| Choice::new(value, *label, &chosen("role")))
            .collect(),
        scopes: SCOPES
            .iter()
            .map(|(value, label, _)| Choice::new(value, *label, &chosen("scope")))
            .collect(),
        names: users
            .iter()
            .map(|user| Choice::new(&user.name, user.name.as_str(), &chosen("user")))
            .collect(),
        values,
        problems: problems.clone(),
        off: app.config.authentication == crate::config::Authentication::Off,
    };
    render_with(problems.status(), "settings.html", &view)
}

fn token_row(token: &Token, now: Timestamp) -> TokenRow {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    TokenRow {
        id: token.id.to_string(),
        short: token.id.as_str().chars().take(8).collect(),
        user: token.user.to_string(),
        label: token.label.clone(),
        scopes: scopes.join(", "),
        created: When::new(token.created_at, now),
        used: token.last_used.map(|at| When::new(at, now)),
        ends: token.expires_at.map(|at| When::new(at, now)),
        over: token.expires_at.is_some_and(|end| end <= now),
    }
}

/// The page.
pub(super) async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, PageError> {
    visitor.must(Role::Admin, None)?;
    let start = values(&NAMES, |name| match name {
        "role" => "viewer".to_owned(),
        "scope" => "read".to_owned(),
        "days" => "90".to_owned(),
        _ => String::new(),
    });
    show(&app, &visitor, start, Problems::default()).await
}

async fn again(
    app: &App,
    visitor: &Visitor,
    fields: &Fields,
    problems: Problems,
) -> Result<Response, PageError> {
    let sent = values(&NAMES, |name| fields.get(name).to_owned());
    show(app, visitor, sent, problems).await
}

/// Adds a user; the key for `updateservicectl` is shown once.
pub(super) async fn add_user(
    State(app): State<App>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    visitor.must(Role::Admin, None)?;
    let mut problems = Problems::default();
    let name = problems.need::<UserName>(&fields, "name");
    let role = problems.need::<Role>(&fields, "role");
    let (Some(name), Some(role)) = (name, role) else {
        return again(&app, &visitor, &fields, problems).await;
    };
    match app.store.create_user(&visitor.by(&app), &name, role).await {
        Ok(secret) => {
            let view = SecretView {
                shell: Shell::new(&visitor, "settings", "New user"),
                heading: "User added",
                what: format!(
                    "This is the key of {name} for updateservicectl (--key). Programs and the dashboard take tokens instead; make one on the settings page."
                ),
                secret,
            };
            render("token.html", &view)
        }
        Err(error) => {
            problems.store("name", error)?;
            again(&app, &visitor, &fields, problems).await
        }
    }
}

/// Sets what a user may do in all applications.
pub(super) async fn set_role(
    State(app): State<App>,
    Path(name): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    visitor.must(Role::Admin, None)?;
    let name: UserName =
        name.parse().map_err(|_| PageError::NotFound { what: "such user".to_owned() })?;
    let role = match fields.get("role") {
        "" => None,
        text => Some(text.parse::<Role>()?),
    };
    app.store.set_role(&visitor.by(&app), &name, None, role).await?;
    Ok(Redirect::to("/settings").into_response())
}

/// Makes a token; its secret is shown once.
pub(super) async fn add_token(
    State(app): State<App>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    visitor.must(Role::Admin, None)?;
    let mut problems = Problems::default();
    let user = problems.need::<UserName>(&fields, "user");
    let label = problems.need_text(&fields, "label", 100);
    let days = problems.number::<i64>(&fields, "days", 1, 3650);
    let scopes = SCOPES.iter().find(|(name, ..)| *name == fields.get("scope"));
    if scopes.is_none() {
        problems.add("scope", "Choose one of the list.");
    }
    let (Some(user), Some((.., scopes)), true) = (user, scopes, problems.is_empty()) else {
        return again(&app, &visitor, &fields, problems).await;
    };
    let now = app.clock.now();
    let expires_at =
        days.and_then(|days| now.checked_add(SignedDuration::from_hours(24 * days)).ok());
    let new = NewToken { user, label, scopes: scopes.to_vec(), expires_at };
    let (token, secret) = app.store.create_token(&visitor.by(&app), &new).await?;
    let view = SecretView {
        shell: Shell::new(&visitor, "settings", "New token"),
        heading: "Token made",
        what: format!("This is the token “{}” of {}.", token.label, token.user),
        secret,
    };
    render("token.html", &view)
}

/// Ends a token.
pub(super) async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    submitted.visitor.must(Role::Admin, None)?;
    let id: TokenId =
        id.parse().map_err(|_| PageError::NotFound { what: "such token".to_owned() })?;
    app.store.delete_token(&submitted.visitor.by(&app), &id).await?;
    Ok(Redirect::to("/settings").into_response())
}
