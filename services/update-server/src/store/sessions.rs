//! People whom the issuer vouches for (OpenID Connect), and their sessions: tokens that end by themselves, and at log-out.

use jiff::Timestamp;
use serde_json::json;

use super::{
    By, Role, Scope, Store, StoreError, Token, Tx,
    activity::audit,
    commit,
    sql::{maybe, millis, run, sql},
    users::{digest, place, role_of, secret_text, write_token},
};
use crate::{
    ids::{AppId, TokenId, UserName},
    oidc::Person,
};

/// What a session is called among the tokens.
const LABEL: &str = "log-in through the issuer";

impl Store {
    /// Lets somebody in until a time; gives the secret of the session. Whoever is new becomes a user. The roles are what the
    /// issuer says now, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name belongs to a user of this server, or to somebody else at the issuer: a name alone
    /// gives nobody another's rights.
    pub async fn sign_in(
        &self,
        by: &By,
        person: &Person,
        until: Timestamp,
    ) -> Result<String, StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!("SELECT name FROM users WHERE subject = $1", person.subject.as_str());
        let name = match maybe(query, &mut *tx, "read a user").await? {
            Some(row) => UserName::stored(row.text("name")?),
            None => add(&mut tx, by, person).await?,
        };
        set_roles(&mut tx, by, &name, &person.roles).await?;
        let query = sql!(
            "DELETE FROM tokens WHERE user_name = $1 AND session = 1 AND expires_at <= $2",
            name.as_str(),
            millis(by.at)
        );
        run(query, &mut *tx, "forget sessions that are over").await?;
        let secret = secret_text("slipway_");
        let token = Token {
            id: TokenId::stored(crate::ids::new_uuid()),
            user: name,
            label: LABEL.to_owned(),
            scopes: vec![Scope::Read, Scope::Write, Scope::Admin],
            created_at: by.at,
            expires_at: Some(until),
            last_used: None,
            session: true,
        };
        write_token(&mut tx, &token, &secret).await?;
        let detail = json!({ "user": token.user, "until": until });
        audit(&mut tx, by, "session.begin", None, token.id.as_str(), &detail).await?;
        commit(tx).await?;
        Ok(secret)
    }

    /// Ends the session of a secret, and says whether there was one. A token that is no session stays: programs may have it, too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_session(
        &self,
        secret: &str,
        address: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!(
            "SELECT id, user_name FROM tokens WHERE secret_sha256 = $1 AND session = 1",
            digest(secret)
        );
        let Some(row) = maybe(query, &mut *tx, "read a token").await? else {
            return Ok(false);
        };
        let id = row.text("id")?;
        run(sql!("DELETE FROM tokens WHERE id = $1", id.as_str()), &mut *tx, "end a session")
            .await?;
        let by = By { who: row.text("user_name")?, address: address.to_owned(), at };
        audit(&mut tx, &by, "session.end", None, &id, &json!({})).await?;
        commit(tx).await?;
        Ok(true)
    }
}

async fn add(tx: &mut Tx, by: &By, person: &Person) -> Result<UserName, StoreError> {
    let name = &person.name;
    let query = sql!("SELECT name FROM users WHERE name = $1", name.as_str());
    if maybe(query, &mut **tx, "read a user").await?.is_some() {
        let problem = "is a user of this server, or somebody else at the issuer; an administrator can remove that user, or \
                       name people by another claim";
        return Err(StoreError::Conflict { kind: "user", name: name.to_string(), problem });
    }
    // Every user has a key for Hawk; nobody is told this one.
    sql!(
        "INSERT INTO users (name, hawk_key, created_at, subject) VALUES ($1, $2, $3, $4)",
        name.as_str(),
        secret_text(""),
        millis(by.at),
        person.subject.as_str()
    )
    .execute(&mut **tx)
    .await
    .map_err(StoreError::on_insert("add a user", "user", name.as_str()))?;
    audit(tx, by, "user.create", None, name.as_str(), &json!({ "subject": person.subject }))
        .await?;
    Ok(name.clone())
}

async fn set_roles(
    tx: &mut Tx,
    by: &By,
    name: &UserName,
    roles: &[(Option<AppId>, Role)],
) -> Result<(), StoreError> {
    let query = sql!("SELECT app_id, role FROM user_roles WHERE user_name = $1", name.as_str());
    let rows = super::sql::all(query, &mut **tx, "read a user's roles").await?;
    let mut held: Vec<_> = rows.iter().map(role_of).collect::<Result<_, _>>()?;
    let mut wanted = roles.to_vec();
    held.sort();
    wanted.sort();
    if held == wanted {
        return Ok(());
    }
    let query = sql!("DELETE FROM user_roles WHERE user_name = $1", name.as_str());
    run(query, &mut **tx, "change roles").await?;
    for (app, role) in &wanted {
        let query = sql!(
            "INSERT INTO user_roles (user_name, app_id, role) VALUES ($1, $2, $3)",
            name.as_str(),
            place(app.as_ref()),
            role.as_str()
        );
        run(query, &mut **tx, "change roles").await?;
    }
    audit(tx, by, "user.roles", None, name.as_str(), &json!({ "roles": wanted })).await
}
