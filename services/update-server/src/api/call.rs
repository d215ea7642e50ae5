//! Who calls a method, and the values that it takes.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request},
    http::{header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::failure::Failure;
use crate::{
    app::App,
    config::Authentication,
    ids::AppId,
    store::{Application, By, Page, Principal, Role},
};

/// Whoever calls a method.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) app: App,
    principal: Principal,
    address: String,
}

/// A body of JSON; errors have the form of this API.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

/// Names in the path.
#[derive(Debug)]
pub(super) struct Names<T>(pub(super) T);

/// Which part of a list, as `?skip=…&limit=…`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    skip: u64,
    #[serde(default = "some")]
    limit: u64,
}

fn some() -> u64 {
    100
}

impl From<Part> for Page {
    fn from(part: Part) -> Self {
        Self { skip: part.skip.min(1 << 40), limit: part.limit.clamp(1, 1000) }
    }
}

/// Values of the query.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let Json(value) = Json::from_request(request, app).await?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Names<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Path(value) = Path::from_request_parts(parts, app).await?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Query(value) = Query::from_request_parts(parts, app).await?;
        Ok(Self(value))
    }
}

/// Puts a value that was sent in the place of another; what was left out stays.
pub(super) fn put<T>(place: &mut T, sent: Option<T>) {
    if let Some(sent) = sent {
        *place = sent;
    }
}

impl Caller {
    /// Fails unless the caller has a role, in an application or everywhere.
    pub(super) fn needs(&self, role: Role, app: Option<&AppId>) -> Result<(), Failure> {
        if self.principal.may(role, app) { Ok(()) } else { Err(Failure::forbidden(role.as_str())) }
    }

    /// For the audit log.
    pub(super) fn by(&self) -> By {
        self.app.by(&self.principal, &self.address)
    }

    /// The name that the server knows the caller by.
    pub(super) fn name(&self) -> &str {
        &self.principal.name
    }

    /// The application of a path, by id or product id, if the caller has a role there. Whoever may not see it is not told
    /// whether it exists.
    pub(super) async fn application(&self, name: &str, role: Role) -> Result<Application, Failure> {
        let found = self.app.store.find_app(name).await?;
        let id = found.as_ref().map(|app| app.id.clone());
        self.needs(role, id.as_ref())?;
        found.ok_or_else(|| Failure::not_found("application", name))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let address =
            peer.map(|peer| crate::http::client_address(app, peer, &parts.headers).to_string());
        let principal = match app.config.authentication {
            Authentication::Off => {
                if !crate::http::is_local(&parts.headers, app.config.base_url.as_deref()) {
                    return Err(Failure::not_local());
                }
                Principal::anybody()
            }
            Authentication::Required | Authentication::Auto => {
                let value =
                    parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let token = value.and_then(|value| value.split_once(' '));
                let token = token
                    .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
                    .map(|(_, token)| token.trim());
                let token = token.ok_or_else(Failure::unauthenticated)?;
                let known = app.store.authenticate(token, app.clock.now()).await?;
                known.ok_or_else(Failure::unauthenticated)?
            }
        };
        Ok(Self { app: app.clone(), principal, address: address.unwrap_or_default() })
    }
}
