//! A request whose sender is known, and why one is refused.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    app::App,
    coreupdate::{Failure, Gate, address_of},
    ids::{AppId, IdError},
    store::{Application, By, Channel, Group, Package, Page, Principal, Role, StoreError},
};

/// The longest body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// What a handler gives back.
pub(crate) type Reply<T> = Result<Json<T>, Refusal>;

/// A [`Failure`] in Nebraska's form: `{"error": …, "description": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Failure);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let word = self
            .0
            .status
            .canonical_reason()
            .unwrap_or("error")
            .to_ascii_lowercase()
            .replace(' ', "_");
        let body = Json(json!({ "error": word, "description": self.0.message }));
        self.0.with_headers(body)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        Self(error.into())
    }
}

/// A request, let in.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The server.
    pub(crate) app: App,
    /// Who asks.
    pub(crate) principal: Principal,
    /// The same, for the audit log.
    pub(crate) by: By,
    body: Vec<u8>,
    path: HashMap<String, String>,
    query: HashMap<String, String>,
}

impl FromRequest<App> for Ask {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let too_long = |_| {
            Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body has more than {MAX_BODY} bytes"),
            )
        };
        let body = to_bytes(body, MAX_BODY).await.map_err(too_long)?.to_vec();
        let gate = parts.extensions.get::<Arc<Gate>>().cloned();
        let gate = gate.ok_or_else(|| {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server is put together wrongly")
        })?;
        let principal = gate.sender(app, &parts, &body).await?;
        let by = app.by(&principal, &address_of(app, &parts));
        let values = RawPathParams::from_request_parts(&mut parts, app).await;
        let values = values.map_err(|_| Failure::bad("the path is not UTF-8"))?;
        let path = values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = pairs
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Ok(Self { app: app.clone(), principal, by, body, path, query })
    }
}

impl Ask {
    /// The body.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::bad(format!("the body cannot be read: {error}")).into())
    }

    /// The body, or its default if there is none.
    pub(crate) fn body_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() { Ok(T::default()) } else { self.body() }
    }

    /// A value of the query; empty ones do not count.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A value of the query, as a whole number.
    pub(crate) fn asked_number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let bad = |value: &str| {
            Failure::bad(format!("`{name}` is `{value}`; a whole number is expected"))
        };
        Ok(self.asked(name).map(|value| value.parse().map_err(|_| bad(value))).transpose()?)
    }

    /// The part of a list that is asked for; pages begin with 1, and have ten entries.
    pub(crate) fn page(&self) -> Result<Page, Refusal> {
        let natural = |name, default| -> Result<u64, Refusal> {
            let value = self.asked_number(name)?.unwrap_or(default);
            Ok(u64::try_from(value).map_err(|_| Failure::bad(format!("`{name}` is negative")))?)
        };
        let limit = natural("perpage", 10)?.clamp(1, 1000);
        Ok(Page { skip: natural("page", 1)?.saturating_sub(1).saturating_mul(limit), limit })
    }

    /// A value of the path.
    pub(crate) fn named(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Fails unless the sender has a role.
    pub(crate) fn needs(&self, role: Role, app: Option<&AppId>) -> Result<(), Refusal> {
        if self.principal.may(role, app) {
            return Ok(());
        }
        let place = app.map_or("all applications".to_owned(), |app| format!("`{app}`"));
        let message =
            format!("`{}` needs the role {} in {place}", self.principal.name, role.as_str());
        Err(Failure::new(StatusCode::FORBIDDEN, message).into())
    }

    /// The application of the path, by id or product id.
    pub(crate) async fn application(&self, role: Role) -> Result<Application, Refusal> {
        let name = self.named("app");
        let app = self
            .app
            .store
            .find_app(name)
            .await?
            .ok_or_else(|| Failure::missing("application", name))?;
        self.needs(role, Some(&app.id))?;
        Ok(app)
    }

    /// The group of the path.
    pub(crate) async fn group(&self, role: Role) -> Result<Group, Refusal> {
        let app = self.application(role).await?;
        let missing = || Failure::missing("group", self.named("group"));
        let id = self.named("group").parse().map_err(|_| missing())?;
        Ok(self.app.store.group(&app.id, &id).await?.ok_or_else(missing)?)
    }

    /// The channel of the path; of the path's application, if it names one.
    pub(crate) async fn channel(&self, role: Role) -> Result<Channel, Refusal> {
        let missing = || Failure::missing("channel", self.named("channel"));
        let id = self.named("channel").parse().map_err(|_| missing())?;
        let channel = self.app.store.channel(&id).await?.ok_or_else(missing)?;
        self.needs(role, Some(&channel.app))?;
        if self.path.contains_key("app") && self.application(role).await?.id != channel.app {
            return Err(missing().into());
        }
        Ok(channel)
    }

    /// The package of the path; of the path's application, if it names one.
    pub(crate) async fn package(&self, role: Role) -> Result<Package, Refusal> {
        let missing = || Failure::missing("package", self.named("package"));
        let id = self.named("package").parse().map_err(|_| missing())?;
        let package = self.app.store.package(&id).await?.ok_or_else(missing)?;
        self.needs(role, Some(&package.app))?;
        if self.path.contains_key("app") && self.application(role).await?.id != package.app {
            return Err(missing().into());
        }
        Ok(package)
    }
}
