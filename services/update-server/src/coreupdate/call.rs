//! A request whose sender is known and may do what it asks.

use std::{collections::HashMap, net::SocketAddr, str::FromStr, sync::Arc};

use axum::{
    body::{Bytes, to_bytes},
    extract::{ConnectInfo, FromRequest, FromRequestParts, RawPathParams, Request},
    http::{Extensions, StatusCode, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use slipway_coreupdate::{Access, Method};

use super::{Failure, Gate};
use crate::{
    app::App,
    http::client_address,
    ids::AppId,
    store::{Application, By, Page, Principal, Role},
};

/// The longest body of a call, in bytes. A rollout of a week in steps of a minute has less than half of it.
const MAX_BODY: usize = 1 << 20;

/// The most entries that a list gives at once.
const MAX_PAGE: u64 = 10_000;

/// Lists that show each caller only what is theirs, so that no role for everything is needed.
const FILTERED: [&str; 3] = ["update.app.list", "update.client.history", "update.util.uuid"];

/// A call, let in.
#[derive(Debug)]
pub(crate) struct Call<B> {
    /// The server.
    pub(crate) app: App,
    /// Who calls.
    pub(crate) principal: Principal,
    /// The same, for the audit log.
    pub(crate) by: By,
    /// The body.
    pub(crate) body: B,
    application: Option<Application>,
    path: HashMap<String, String>,
    query: HashMap<String, String>,
}

/// The body of a call that has none.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NoBody {}

impl<B: DeserializeOwned + Default + Send> FromRequest<App> for Call<B> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let too_long = |_| {
            Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body has more than {MAX_BODY} bytes"),
            )
        };
        let bytes = to_bytes(body, MAX_BODY).await.map_err(too_long)?;
        let method = extension::<&'static Method>(&parts.extensions)?;
        let gate = extension::<Arc<Gate>>(&parts.extensions)?;
        let principal = match method.access {
            Access::Public => {
                Principal { name: String::new(), roles: Vec::new(), scopes: Vec::new() }
            }
            _ => gate.sender(app, &parts, &bytes).await?,
        };
        let path = path_values(&mut parts, app).await?;
        let query = query_values(parts.uri.query().unwrap_or_default());
        let application = application(app, method, &path, &query).await?;
        check_role(method, &principal, application.as_ref())?;
        let body = if method.request.is_some() { read_body(&parts, &bytes)? } else { B::default() };
        let by = app.by(&principal, &address_of(app, &parts));
        Ok(Self { app: app.clone(), principal, by, body, application, path, query })
    }
}

/// What a layer of the router has put there.
fn extension<T: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Result<T, Failure> {
    let found = extensions.get::<T>().cloned();
    found.ok_or_else(|| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server is put together wrongly")
    })
}

/// The address that a request came from; empty if it came through no socket.
pub(crate) fn address_of(app: &App, parts: &Parts) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address =
        |peer: &ConnectInfo<SocketAddr>| client_address(app, peer.0, &parts.headers).to_string();
    peer.map(address).unwrap_or_default()
}

async fn path_values(parts: &mut Parts, app: &App) -> Result<HashMap<String, String>, Failure> {
    let values = RawPathParams::from_request_parts(parts, app).await;
    let values = values.map_err(|_| Failure::bad("the path is not UTF-8"))?;
    Ok(values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn query_values(query: &str) -> HashMap<String, String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The application that a call speaks of, in its path, or in its query where that is a parameter of the method: in any other
/// query it would narrow the role that is needed, and not what is done.
async fn application(
    app: &App,
    method: &Method,
    path: &HashMap<String, String>,
    query: &HashMap<String, String>,
) -> Result<Option<Application>, Failure> {
    let declared = method.query.iter().any(|parameter| parameter.name == "appId");
    let asked = query.get("appId").filter(|_| declared);
    let name = match path.get("appId").or(asked) {
        Some(name) => name.as_str(),
        None if method.path == "apps/{id}" => path.get("id").map_or("", String::as_str),
        None => return Ok(None),
    };
    let found = app.store.find_app(name).await?;
    found.map(Some).ok_or_else(|| Failure::missing("application", name))
}

fn check_role(
    method: &Method,
    principal: &Principal,
    application: Option<&Application>,
) -> Result<(), Failure> {
    let role = match method.access {
        Access::Public => return Ok(()),
        _ if FILTERED.contains(&method.id) => return Ok(()),
        Access::Read => Role::Viewer,
        Access::Write => Role::Operator,
        Access::Admin => Role::Admin,
    };
    if principal.may(role, application.map(|application| &application.id)) {
        return Ok(());
    }
    let place = application
        .map_or("all applications".to_owned(), |application| format!("`{}`", application.id));
    Err(Failure::new(
        StatusCode::FORBIDDEN,
        format!("`{}` needs the role {} in {place}", principal.name, role.as_str()),
    ))
}

fn read_body<B: DeserializeOwned + Default>(parts: &Parts, bytes: &Bytes) -> Result<B, Failure> {
    if bytes.is_empty() {
        return Ok(B::default());
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_none_or(|kind| kind.starts_with("application/json")) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be `application/json`",
        ));
    }
    // A list would be read as the fields in order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::bad("the body must be a JSON object"));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::bad(format!("the body cannot be read: {error}")))
}

impl<B> Call<B> {
    /// The application that the call speaks of.
    pub(crate) fn application(&self) -> Result<&Application, Failure> {
        self.application.as_ref().ok_or_else(|| Failure::bad("the query lacks `appId`"))
    }

    /// The application, if the call speaks of one.
    pub(crate) fn application_or_none(&self) -> Option<&Application> {
        self.application.as_ref()
    }

    /// A value of the path, as text.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A value of the path, parsed.
    pub(crate) fn parsed<T: FromStr<Err: Into<Failure>>>(&self, name: &str) -> Result<T, Failure> {
        self.value(name).parse().map_err(Into::into)
    }

    /// A value of the query; empty ones do not count.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A value of the query, as a whole number.
    pub(crate) fn asked_number(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.asked(name).map(|value| number(name, value)).transpose()
    }

    /// A value of the path, as a whole number.
    pub(crate) fn number(&self, name: &str) -> Result<i64, Failure> {
        number(name, self.value(name))
    }

    /// The part of a list that is asked for; all of it, within reason, if none is.
    pub(crate) fn page(&self) -> Result<Page, Failure> {
        let natural = |name: &str, default: u64| match self.asked_number(name)? {
            None => Ok(default),
            Some(value) => {
                u64::try_from(value).map_err(|_| Failure::bad(format!("`{name}` is negative")))
            }
        };
        let limit = natural("limit", MAX_PAGE)?;
        // The stock client sends 0 for what was not said.
        Ok(Page {
            skip: natural("skip", 0)?,
            limit: if limit == 0 { MAX_PAGE } else { limit.min(MAX_PAGE) },
        })
    }

    /// Whether the caller may look into an application.
    pub(crate) fn may_see(&self, app: &AppId) -> bool {
        self.principal.may(Role::Viewer, Some(app))
    }
}

fn number(name: &str, value: &str) -> Result<i64, Failure> {
    value
        .parse()
        .map_err(|_| Failure::bad(format!("`{name}` is `{value}`; a whole number is expected")))
}
