//! Methods about users and their tokens.

use axum::{Json, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    call::{Body, Caller, Names},
    failure::Failure,
};
use crate::{
    ids::{AppId, TokenId, UserName},
    store::{self, Role, Scope, Token, User},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: UserName,
    role: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    app: Option<AppId>,
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    label: String,
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
}

/// A token with its secret, which is never shown again.
#[derive(Debug, Serialize)]
pub(super) struct Secret {
    token: Token,
    secret: String,
}

/// Whom the server takes the caller for.
#[derive(Debug, Serialize)]
pub(super) struct Me {
    name: String,
}

pub(super) async fn me(caller: Caller) -> Json<Me> {
    Json(Me { name: caller.name().to_owned() })
}

pub(super) async fn list(caller: Caller) -> Result<Json<Vec<User>>, Failure> {
    caller.needs(Role::Admin, None)?;
    Ok(Json(caller.app.store.users().await?))
}

pub(super) async fn create(
    caller: Caller,
    Body(new): Body<NewUser>,
) -> Result<Json<User>, Failure> {
    caller.needs(Role::Admin, None)?;
    // The key for Hawk is not shown: whoever needs it renews it.
    drop(caller.app.store.create_user(&caller.by(), &new.name, new.role.parse()?).await?);
    read(&caller, &new.name).await
}

pub(super) async fn remove(
    caller: Caller,
    Names(user): Names<UserName>,
) -> Result<StatusCode, Failure> {
    caller.needs(Role::Admin, None)?;
    caller.app.store.delete_user(&caller.by(), &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_role(
    caller: Caller,
    Names(user): Names<UserName>,
    Body(new): Body<NewRole>,
) -> Result<Json<User>, Failure> {
    caller.needs(Role::Admin, None)?;
    let role = new.role.map(|role| role.parse()).transpose()?;
    caller.app.store.set_role(&caller.by(), &user, new.app.as_ref(), role).await?;
    read(&caller, &user).await
}

pub(super) async fn tokens(
    caller: Caller,
    Names(user): Names<UserName>,
) -> Result<Json<Vec<Token>>, Failure> {
    caller.needs(Role::Admin, None)?;
    Ok(Json(caller.app.store.tokens(Some(&user)).await?))
}

pub(super) async fn create_token(
    caller: Caller,
    Names(user): Names<UserName>,
    Body(new): Body<NewToken>,
) -> Result<Json<Secret>, Failure> {
    caller.needs(Role::Admin, None)?;
    let scopes: Vec<Scope> =
        new.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?;
    if scopes.is_empty() {
        return Err(Failure::invalid("a token needs a scope: read, write or admin"));
    }
    let new = store::NewToken { user, label: new.label, scopes, expires_at: new.expires_at };
    let (token, secret) = caller.app.store.create_token(&caller.by(), &new).await?;
    Ok(Json(Secret { token, secret }))
}

pub(super) async fn remove_token(
    caller: Caller,
    Names((user, token)): Names<(UserName, TokenId)>,
) -> Result<StatusCode, Failure> {
    caller.needs(Role::Admin, None)?;
    let known = caller.app.store.tokens(Some(&user)).await?;
    if !known.iter().any(|known| known.id == token) {
        return Err(Failure::not_found("token", &token));
    }
    caller.app.store.delete_token(&caller.by(), &token).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(caller: &Caller, user: &UserName) -> Result<Json<User>, Failure> {
    let found = caller.app.store.user(user).await?;
    found.map(Json).ok_or_else(|| Failure::not_found("user", user))
}
