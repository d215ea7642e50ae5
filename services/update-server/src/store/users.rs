//! People and programs that use the API: their roles, tokens and keys.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    By, Row, Store, StoreError, Tx,
    activity::audit,
    apps::found,
    commit, flag,
    sql::{all, maybe, millis, run, single, sql},
};
use crate::ids::{AppId, TokenId, UserName, hex};

/// What somebody may do in an application. Each includes those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See.
    Viewer,
    /// Pause, resume, change policies, move channels, add packages.
    Operator,
    /// Everything, users included.
    Admin,
}

/// What a token may be used for. It never allows more than its user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read.
    Read,
    /// Change what operators change.
    Write,
    /// Change everything.
    Admin,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Roles per application; `None` stands for all of them.
    pub roles: Vec<(Option<AppId>, Role)>,
}

/// A token, without its secret, which nobody keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its public half.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserName,
    /// What for.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was used last; noted once an hour.
    pub last_used: Option<Timestamp>,
    /// Whether it is the session of a browser, and ends when that logs out.
    pub session: bool,
}

/// A token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Whose it is.
    pub user: UserName,
    /// What for.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Somebody whom the server knows, for the length of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name.
    pub name: String,
    /// Roles per application; `None` stands for all of them.
    pub roles: Vec<(Option<AppId>, Role)>,
    /// What the token allows; all scopes for a person or a Hawk key.
    pub scopes: Vec<Scope>,
}

impl Principal {
    /// Whoever asks a server that has authentication switched off.
    pub fn anybody() -> Self {
        Self {
            name: "anybody".to_owned(),
            roles: vec![(None, Role::Admin)],
            scopes: vec![Scope::Read, Scope::Write, Scope::Admin],
        }
    }

    /// Whether a role is held, in an application or, for `None`, in all of them, and the token allows it.
    pub fn may(&self, role: Role, app: Option<&AppId>) -> bool {
        let scope = match role {
            Role::Viewer => Scope::Read,
            Role::Operator => Scope::Write,
            Role::Admin => Scope::Admin,
        };
        let allowed = self.scopes.iter().any(|held| *held >= scope);
        let suits = |of: &Option<AppId>| of.is_none() || (app.is_some() && of.as_ref() == app);
        allowed && self.roles.iter().any(|(of, held)| suits(of) && *held >= role)
    }
}

macro_rules! named {
    ($name:ident, $what:literal, $($variant:ident = $text:literal),+) => {
        impl $name {
            /// As text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, StoreError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(StoreError::Invalid { what: $what, value: text.chars().take(64).collect() }),
                }
            }
        }
    };
}

named!(
    Role,
    "role (viewer, operator, admin)",
    Viewer = "viewer",
    Operator = "operator",
    Admin = "admin"
);
named!(Scope, "scope (read, write, admin)", Read = "read", Write = "write", Admin = "admin");

/// For all applications, in the table of roles.
const EVERYWHERE: &str = "*";

/// A place in the table of roles.
pub(super) fn place(app: Option<&AppId>) -> &str {
    app.map_or(EVERYWHERE, AppId::as_str)
}

/// A role, and where it is held.
pub(super) fn role_of(row: &Row) -> Result<(Option<AppId>, Role), StoreError> {
    let app = row.text("app_id")?;
    Ok(((app != EVERYWHERE).then(|| AppId::stored(app)), row.text("role")?.parse()?))
}

/// Adds a token, of whose secret only the digest is kept.
pub(super) async fn write_token(
    tx: &mut Tx,
    token: &Token,
    secret: &str,
) -> Result<(), StoreError> {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    let query = sql!(
        "INSERT INTO tokens (id, user_name, label, secret_sha256, scopes, created_at, expires_at, session) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        token.id.as_str(),
        token.user.as_str(),
        token.label.as_str(),
        digest(secret),
        scopes.join(" "),
        millis(token.created_at),
        token.expires_at.map(millis),
        flag(token.session)
    );
    run(query, &mut **tx, "add a token").await.map(drop)
}

pub(super) fn secret_text(prefix: &str) -> String {
    let mut bytes = [0u8; 24];
    // Without randomness of the system nothing of this server can be trusted.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    format!("{prefix}{}", hex(&bytes))
}

/// A secret of 192 random bits needs no slow hash: nobody can try them all.
pub(super) fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

impl Store {
    /// All users, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = all(
            sql!("SELECT name, created_at FROM users ORDER BY name"),
            &self.pool,
            "list the users",
        )
        .await?;
        let mut users = Vec::with_capacity(rows.len());
        for row in &rows {
            let name = UserName::stored(row.text("name")?);
            let roles = self.roles(&name).await?;
            users.push(User { name, created_at: row.time("created_at")?, roles });
        }
        Ok(users)
    }

    /// A user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let query = sql!("SELECT name, created_at FROM users WHERE name = $1", name.as_str());
        let Some(row) = maybe(query, &self.pool, "read a user").await? else { return Ok(None) };
        let roles = self.roles(name).await?;
        Ok(Some(User { name: name.clone(), created_at: row.time("created_at")?, roles }))
    }

    async fn roles(&self, name: &UserName) -> Result<Vec<(Option<AppId>, Role)>, StoreError> {
        let query = sql!(
            "SELECT app_id, role FROM user_roles WHERE user_name = $1 ORDER BY app_id",
            name.as_str()
        );
        all(query, &self.pool, "read a user's roles").await?.iter().map(role_of).collect()
    }

    /// Adds a user with a role everywhere; gives the key for Hawk, which `updateservicectl` calls token.
    ///
    /// # Errors
    /// [`StoreError::Exists`].
    pub async fn create_user(
        &self,
        by: &By,
        name: &UserName,
        role: Role,
    ) -> Result<String, StoreError> {
        let key = secret_text("");
        let mut tx = self.begin().await?;
        sql!(
            "INSERT INTO users (name, hawk_key, created_at) VALUES ($1, $2, $3)",
            name.as_str(),
            key.as_str(),
            millis(by.at)
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert("add a user", "user", name.as_str()))?;
        let query = sql!(
            "INSERT INTO user_roles (user_name, app_id, role) VALUES ($1, $2, $3)",
            name.as_str(),
            EVERYWHERE,
            role.as_str()
        );
        run(query, &mut *tx, "add a user").await?;
        audit(&mut tx, by, "user.create", None, name.as_str(), &json!({ "role": role })).await?;
        commit(tx).await?;
        Ok(key)
    }

    /// Sets a user's role in an application, or everywhere; `None` takes it away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_role(
        &self,
        by: &By,
        name: &UserName,
        app: Option<&AppId>,
        role: Option<Role>,
    ) -> Result<(), StoreError> {
        if self.user(name).await?.is_none() {
            return Err(StoreError::not_found("user", name));
        }
        let place = place(app);
        let mut tx = self.begin().await?;
        let query = sql!(
            "DELETE FROM user_roles WHERE user_name = $1 AND app_id = $2",
            name.as_str(),
            place
        );
        run(query, &mut *tx, "change a role").await?;
        if let Some(role) = role {
            let query = sql!(
                "INSERT INTO user_roles (user_name, app_id, role) VALUES ($1, $2, $3)",
                name.as_str(),
                place,
                role.as_str()
            );
            run(query, &mut *tx, "change a role").await?;
        }
        audit(&mut tx, by, "user.role", app, name.as_str(), &json!({ "role": role })).await?;
        commit(tx).await
    }

    /// Removes a user with all tokens.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_user(&self, by: &By, name: &UserName) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            "DELETE FROM tokens WHERE user_name = $1",
            "DELETE FROM user_roles WHERE user_name = $1",
        ] {
            run(sql!(statement, name.as_str()), &mut *tx, "remove a user").await?;
        }
        let query = sql!("DELETE FROM users WHERE name = $1", name.as_str());
        found(run(query, &mut *tx, "remove a user").await?, "user", name)?;
        audit(&mut tx, by, "user.delete", None, name.as_str(), &json!({})).await?;
        commit(tx).await
    }

    /// The key with which a user signs requests (Hawk). Hawk needs the key itself, so it cannot be kept as a digest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hawk_key(&self, name: &UserName) -> Result<Option<String>, StoreError> {
        let query = sql!("SELECT hawk_key FROM users WHERE name = $1", name.as_str());
        maybe(query, &self.pool, "read a user").await?.map(|row| row.text("hawk_key")).transpose()
    }

    /// Gives a user a new key for Hawk; the old one ends at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn renew_hawk_key(&self, by: &By, name: &UserName) -> Result<String, StoreError> {
        let key = secret_text("");
        let mut tx = self.begin().await?;
        let query =
            sql!("UPDATE users SET hawk_key = $2 WHERE name = $1", name.as_str(), key.as_str());
        found(run(query, &mut *tx, "change a user").await?, "user", name)?;
        audit(&mut tx, by, "user.key", None, name.as_str(), &json!({})).await?;
        commit(tx).await?;
        Ok(key)
    }

    /// A user as somebody who may do what their roles say, for a request that proved the Hawk key or a session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn principal(&self, name: &UserName) -> Result<Option<Principal>, StoreError> {
        let scopes = vec![Scope::Read, Scope::Write, Scope::Admin];
        let user = self.user(name).await?;
        Ok(user.map(|user| Principal { name: user.name.to_string(), roles: user.roles, scopes }))
    }

    /// Makes a token; gives its secret, which is shown once and kept as a digest only.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a user that is not there.
    pub async fn create_token(
        &self,
        by: &By,
        new: &NewToken,
    ) -> Result<(Token, String), StoreError> {
        if self.user(&new.user).await?.is_none() {
            return Err(StoreError::not_found("user", &new.user));
        }
        let secret = secret_text("slipway_");
        let token = Token {
            id: TokenId::stored(crate::ids::new_uuid()),
            user: new.user.clone(),
            label: new.label.clone(),
            scopes: new.scopes.clone(),
            created_at: by.at,
            expires_at: new.expires_at,
            last_used: None,
            session: false,
        };
        let mut tx = self.begin().await?;
        write_token(&mut tx, &token, &secret).await?;
        let detail = json!({ "user": new.user, "label": new.label, "scopes": new.scopes });
        audit(&mut tx, by, "token.create", None, token.id.as_str(), &detail).await?;
        commit(tx).await?;
        Ok((token, secret))
    }

    /// All tokens, of one user if one is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tokens(&self, user: Option<&UserName>) -> Result<Vec<Token>, StoreError> {
        let user = user.map(UserName::as_str).unwrap_or_default();
        let query = sql!(
            "SELECT * FROM tokens WHERE ($1 = '' OR user_name = $1) ORDER BY created_at, id",
            user
        );
        all(query, &self.pool, "list the tokens").await?.iter().map(Token::from_row).collect()
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_token(&self, by: &By, id: &TokenId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!("DELETE FROM tokens WHERE id = $1", id.as_str());
        found(run(query, &mut *tx, "remove a token").await?, "token", id)?;
        audit(&mut tx, by, "token.delete", None, id.as_str(), &json!({})).await?;
        commit(tx).await
    }

    /// Who holds a secret. Nobody if there is no such token, or it has ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn authenticate(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Principal>, StoreError> {
        // The digest is what is looked up, so the time that this takes says nothing about any secret.
        let query = sql!("SELECT * FROM tokens WHERE secret_sha256 = $1", digest(secret));
        let Some(row) = maybe(query, &self.pool, "read a token").await? else { return Ok(None) };
        let token = Token::from_row(&row)?;
        if token.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        if token.last_used.is_none_or(|last| millis(now) - millis(last) > 3_600_000) {
            let query = sql!(
                "UPDATE tokens SET last_used = $2 WHERE id = $1",
                token.id.as_str(),
                millis(now)
            );
            run(query, &self.pool, "note the use of a token").await?;
        }
        let roles = self.roles(&token.user).await?;
        Ok(Some(Principal { name: token.user.to_string(), roles, scopes: token.scopes }))
    }

    /// Whether there is any user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row =
            single(sql!("SELECT COUNT(*) AS total FROM users"), &self.pool, "count the users")
                .await?;
        Ok(row.number("total")? > 0)
    }
}

impl Token {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: TokenId::stored(row.text("id")?),
            user: UserName::stored(row.text("user_name")?),
            label: row.text("label")?,
            scopes: row
                .text("scopes")?
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            created_at: row.time("created_at")?,
            expires_at: row.time_or_none("expires_at")?,
            last_used: row.time_or_none("last_used")?,
            session: row.flag("session")?,
        })
    }
}
