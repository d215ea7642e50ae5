//! People log in through an issuer (OpenID Connect Core 1.0: authorization code flow with PKCE, RFC 7636).
//!
//! Concepts:
//! - [`OidcSettings`]: which issuer, and which of its groups may do what here.
//! - [`Provider`]: the issuer, as a client of it. [`Provider::begin`] and [`Provider::finish`] are the two ends of a log-in.
//! - [`Attempt`]: a log-in under way; everything that it needs follows from one secret in a cookie of the browser.
//! - `keys`, `token`: the issuer's public keys, and what an ID token must say. No I/O, no clock.
//! - [`Person`]: who it is and what they may do, as the issuer says at every log-in anew.
//!
//! When unsure, nobody is let in: an issuer that does not answer, a claim that is missing, an algorithm that is not known.

mod attempt;
mod error;
mod fetch;
mod keys;
mod settings;
mod token;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use url::Url;

pub use attempt::Attempt;
pub use error::OidcError;
pub(crate) use fetch::is_private;
pub(crate) use settings::roles as group_roles;
pub use settings::{GroupRole, OidcSettings, Secret};
pub use token::TokenError;

use crate::{
    ids::{AppId, UserName},
    store::Role,
};
use fetch::Metadata;
use token::{Expected, Identity};

/// How long the issuer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long is believed what the issuer says of itself.
const METADATA: SignedDuration = SignedDuration::from_mins(10);

/// Somebody whom the issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who, for ever: the issuer, and its name for them.
    pub subject: String,
    /// What people call them.
    pub name: UserName,
    /// What they may do; `None` stands for all applications. Never empty.
    pub roles: Vec<(Option<AppId>, Role)>,
}

/// What the issuer's answer brought back, as parameters of the callback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callback {
    /// What is exchanged for the ID token.
    pub code: String,
    /// What was sent along.
    pub state: String,
    /// Who answers (RFC 9207); not every issuer says so.
    pub issuer: String,
    /// Why the issuer refuses, if it does.
    pub error: String,
    /// The same in words.
    pub description: String,
}

/// The issuer, as a client of it.
pub struct Provider {
    settings: OidcSettings,
    redirect: String,
    client: reqwest::Client,
    metadata: Mutex<Option<(Timestamp, Arc<Metadata>)>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Provider {
    /// A client of the issuer, for a server that is known by an address.
    pub fn new(settings: OidcSettings, base_url: &str) -> Self {
        // Redirects of an issuer would lead this server wherever it likes.
        let client = reqwest::Client::builder()
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_default();
        let redirect = format!("{base_url}/login/oidc/callback");
        Self { settings, redirect, client, metadata: Mutex::new(None) }
    }

    /// How long a session lasts.
    pub fn session(&self) -> SignedDuration {
        SignedDuration::from_hours(self.settings.session_hours.into())
    }

    /// The issuer's host, for people.
    pub fn host(&self) -> String {
        let url = Url::parse(&self.settings.issuer).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Where the browser goes to log in.
    ///
    /// # Errors
    /// When the issuer does not say where that is.
    pub async fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<Url, OidcError> {
        let metadata = self.metadata(now).await?;
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Where the browser goes to log out of the issuer too (OpenID Connect RP-Initiated Logout 1.0), if there is such a place.
    /// The issuer asks the person, and keeps them: an address of this server to come back to would have to be known there.
    ///
    /// # Errors
    /// When the issuer does not say what it is.
    pub async fn leave(&self, now: Timestamp) -> Result<Option<Url>, OidcError> {
        let mut url = self.metadata(now).await?.end_session_endpoint.clone();
        if let Some(url) = &mut url {
            url.query_pairs_mut().append_pair("client_id", &self.settings.client_id);
        }
        Ok(url)
    }

    /// Who came back.
    ///
    /// # Errors
    /// When the answer is not one to this attempt, the issuer refuses, its ID token does not hold, or whoever it is may do
    /// nothing here.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        answer: &Callback,
        now: Timestamp,
    ) -> Result<Person, OidcError> {
        if !attempt.is_answered_by(&answer.state) {
            return Err(OidcError::State);
        }
        if !answer.issuer.is_empty() && answer.issuer != self.settings.issuer {
            return Err(OidcError::Answerer { found: error::shortened(&answer.issuer) });
        }
        if !answer.error.is_empty() {
            return Err(OidcError::refused(&answer.error, &answer.description));
        }
        let metadata = self.metadata(now).await?;
        let exchange = fetch::Exchange {
            code: &answer.code,
            verifier: &attempt.verifier(),
            redirect: &self.redirect,
        };
        let text = fetch::id_token(&self.client, &metadata, &self.settings, &exchange).await?;
        // Keys are few and log-ins rare: fetched anew, they are never too old.
        let keys = fetch::keys(&self.client, &metadata).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce(),
            now,
        };
        let identity = token::verify(&text, &keys, &expected)?;
        self.person(&identity)
    }

    fn person(&self, identity: &Identity) -> Result<Person, OidcError> {
        let claim = &self.settings.name_claim;
        let name = identity.text(claim).ok_or_else(|| OidcError::Name { claim: claim.clone() })?;
        let name: UserName = name.parse().map_err(|_| OidcError::Name { claim: claim.clone() })?;
        let groups = identity.texts(&self.settings.groups_claim);
        let mut roles: BTreeMap<Option<AppId>, Role> = BTreeMap::new();
        for of in self.settings.roles.iter().filter(|of| of.suits(&groups)) {
            let held = roles.entry(of.app.clone()).or_insert(of.role);
            *held = (*held).max(of.role);
        }
        if roles.is_empty() {
            return Err(OidcError::NoRole { name: name.to_string() });
        }
        // A subject is a name of its issuer only.
        let subject = format!("{} {}", self.settings.issuer, identity.subject());
        Ok(Person { subject, name, roles: roles.into_iter().collect() })
    }

    async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, OidcError> {
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, metadata)) = known
            && now.duration_since(at).abs() < METADATA
        {
            return Ok(metadata);
        }
        let metadata = Arc::new(fetch::metadata(&self.client, &self.settings.issuer).await?);
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn provider(roles: &str) -> Provider {
        let settings = OidcSettings {
            issuer: "https://issuer.example".to_owned(),
            client_id: "slipway".to_owned(),
            client_secret: None,
            scopes: "openid".to_owned(),
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: settings::roles(roles).unwrap(),
            session_hours: 12,
        };
        Provider::new(settings, "https://updates.example")
    }

    fn check(roles: &str, claims: Value, expected: Result<&[(Option<&str>, Role)], &str>) {
        let done = provider(roles).person(&Identity::of(claims));
        let done = done.map(|person| person.roles).map_err(|error| error.to_string());
        let expected = expected.map(|roles| {
            let role =
                |(app, role): &(Option<&str>, Role)| (app.map(|app| app.parse().unwrap()), *role);
            roles.iter().map(role).collect::<Vec<_>>()
        });
        match (done, expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (done, expected) => assert_eq!(done, expected.map_err(str::to_owned)),
        }
    }

    #[test]
    fn groups_become_the_greatest_of_their_roles() {
        let ann =
            |groups: &[&str]| json!({ "sub": "1", "email": "ann@x.example", "groups": groups });
        let roles = "ops=operator, staff=viewer, lab=admin@e9";
        check(roles, ann(&["staff", "ops"]), Ok(&[(None, Role::Operator)]));
        check(roles, ann(&["ops", "staff"]), Ok(&[(None, Role::Operator)]));
        check(
            roles,
            ann(&["lab", "staff"]),
            Ok(&[(None, Role::Viewer), (Some("e9"), Role::Admin)]),
        );
        check(roles, ann(&["others"]), Err("`ann@x.example` is in no group that may do anything"));
        check(roles, json!({ "sub": "1", "email": "ann@x.example" }), Err("in no group"));
        check("*=viewer", json!({ "sub": "1", "email": "ann" }), Ok(&[(None, Role::Viewer)]));
        check("*=viewer", json!({ "sub": "1" }), Err("`email`"));
        check("*=viewer", json!({ "sub": "1", "email": "a b" }), Err("`email`"));
        check("*=viewer", json!({ "sub": "1", "email": 7 }), Err("`email`"));
    }

    #[test]
    fn nothing_shows_the_secret() {
        let mut provider = provider("*=viewer");
        provider.settings.client_secret = Some(Secret::new("hush"));
        assert!(!format!("{provider:?}").contains("hush"));
    }
}
