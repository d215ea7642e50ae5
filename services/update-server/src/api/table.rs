//! Every method once. The routes and the OpenAPI document are made from this table, so neither can say what the other does not.

use axum::routing::MethodRouter;
use serde_json::{Map, Value, json};

use super::{apps, channels, groups, instances, logs, packages, users};
use crate::{
    app::App,
    http::routing::{delete, get, post, put},
};

/// A method of the API.
#[derive(Debug)]
pub struct Method {
    /// `get`, `post`, `put` or `delete`.
    pub verb: &'static str,
    /// With its names in braces.
    pub path: &'static str,
    /// The role that it needs.
    pub role: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Parameters of the query.
    pub query: &'static [&'static str],
    /// The form of the body, if it takes one.
    pub body: Option<&'static str>,
    /// The form of the answer, if it has one.
    pub answer: Option<&'static str>,
    pub(super) route: fn() -> MethodRouter<App>,
}

const LIST: &[&str] = &["skip", "limit"];
const NONE: &[&str] = &[];

macro_rules! method {
    ($verb:ident $path:literal $role:ident $summary:literal, $query:expr, $body:expr, $answer:expr, $handler:path) => {
        Method {
            verb: stringify!($verb),
            path: $path,
            role: stringify!($role),
            summary: $summary,
            query: $query,
            body: $body,
            answer: $answer,
            route: || $verb($handler),
        }
    };
}

/// All methods.
pub const METHODS: &[Method] = &[
    method!(get "/api/v2/apps" viewer "List the applications", NONE, None, Some("Applications"), apps::list),
    method!(post "/api/v2/apps" admin "Add an application", NONE, Some("Application"), Some("Application"), apps::create),
    method!(get "/api/v2/apps/{app}" viewer "Show an application", NONE, None, Some("Application"), apps::show),
    method!(put "/api/v2/apps/{app}" operator "Change an application", NONE, Some("Application"), Some("Application"), apps::update),
    method!(delete "/api/v2/apps/{app}" admin "Remove an application and all that it holds", NONE, None, None, apps::remove),
    method!(get "/api/v2/apps/{app}/groups" viewer "List the groups", NONE, None, Some("Groups"), groups::list),
    method!(post "/api/v2/apps/{app}/groups" operator "Add a group", NONE, Some("NewGroup"), Some("Group"), groups::create),
    method!(get "/api/v2/apps/{app}/groups/{group}" viewer "Show a group", NONE, None, Some("Group"), groups::show),
    method!(put "/api/v2/apps/{app}/groups/{group}" operator "Change a group and its policy; with `If-Match`, only if it is what its `ETag` said", NONE, Some("NewGroup"), Some("Group"), groups::update),
    method!(delete "/api/v2/apps/{app}/groups/{group}" operator "Remove a group", NONE, None, None, groups::remove),
    method!(post "/api/v2/apps/{app}/groups/{group}/pause" operator "Give no updates", NONE, None, Some("Group"), groups::pause),
    method!(post "/api/v2/apps/{app}/groups/{group}/resume" operator "Give updates again", NONE, None, Some("Group"), groups::resume),
    method!(get "/api/v2/apps/{app}/groups/{group}/counts" viewer "Count machines by version and status, and errors", NONE, None, Some("Counts"), groups::counts),
    method!(get "/api/v2/apps/{app}/groups/{group}/explain" viewer "Say why a machine gets what it gets, and when its turn comes", &["machine"], None, Some("Explanation"), instances::explain),
    method!(get "/api/v2/apps/{app}/channels" viewer "List the channels", NONE, None, Some("Channels"), channels::list),
    method!(post "/api/v2/apps/{app}/channels" operator "Add a channel", NONE, Some("NewChannel"), Some("Channel"), channels::create),
    method!(get "/api/v2/apps/{app}/channels/{channel}" viewer "Show a channel with floors and blacklist", NONE, None, Some("Channel"), channels::show),
    method!(put "/api/v2/apps/{app}/channels/{channel}" operator "Change a channel, or what it points to", NONE, Some("NewChannel"), Some("Channel"), channels::update),
    method!(delete "/api/v2/apps/{app}/channels/{channel}" operator "Remove a channel", NONE, None, None, channels::remove),
    method!(put "/api/v2/apps/{app}/channels/{channel}/floors/{package}" operator "Make a package a floor", NONE, Some("FloorReason"), None, channels::set_floor),
    method!(delete "/api/v2/apps/{app}/channels/{channel}/floors/{package}" operator "Take a floor away", NONE, None, None, channels::remove_floor),
    method!(put "/api/v2/apps/{app}/channels/{channel}/blacklist/{package}" operator "Forbid a package", NONE, None, None, channels::forbid),
    method!(delete "/api/v2/apps/{app}/channels/{channel}/blacklist/{package}" operator "Allow a package again", NONE, None, None, channels::allow),
    method!(get "/api/v2/apps/{app}/packages" viewer "List the packages, the newest first", &["skip", "limit", "version"], None, Some("Packages"), packages::list),
    method!(post "/api/v2/apps/{app}/packages" operator "Add a package", NONE, Some("NewPackage"), Some("Package"), packages::create),
    method!(get "/api/v2/apps/{app}/packages/{package}" viewer "Show a package", NONE, None, Some("Package"), packages::show),
    method!(put "/api/v2/apps/{app}/packages/{package}" operator "Change a package", NONE, Some("NewPackage"), Some("Package"), packages::update),
    method!(delete "/api/v2/apps/{app}/packages/{package}" operator "Remove a package", NONE, None, None, packages::remove),
    method!(get "/api/v2/apps/{app}/instances" viewer "List machines", &["skip", "limit", "group", "status", "version", "oem", "search", "sort", "order"], None, Some("Instances"), instances::list),
    method!(get "/api/v2/apps/{app}/instances/{machine}" viewer "Show a machine", NONE, None, Some("Instance"), instances::show),
    method!(get "/api/v2/apps/{app}/instances/{machine}/history" viewer "Show what happened to a machine, the newest first", LIST, None, Some("Events"), instances::history),
    method!(put "/api/v2/apps/{app}/instances/{machine}/alias" operator "Give a machine an alias", NONE, Some("Alias"), None, instances::alias),
    method!(put "/api/v2/apps/{app}/instances/{machine}/pin" operator "Pin a machine to a version, or let it go", NONE, Some("Pin"), None, instances::pin),
    method!(get "/api/v2/activity" viewer "List what happened, the newest first", &["skip", "limit", "app", "group"], None, Some("Activities"), logs::activity),
    method!(get "/api/v2/audit" admin "List who changed what, the newest first", &["skip", "limit", "app"], None, Some("AuditEntries"), logs::audit),
    method!(get "/api/v2/users" admin "List the users", NONE, None, Some("Users"), users::list),
    method!(post "/api/v2/users" admin "Add a user", NONE, Some("NewUser"), Some("User"), users::create),
    method!(delete "/api/v2/users/{user}" admin "Remove a user with all tokens", NONE, None, None, users::remove),
    method!(put "/api/v2/users/{user}/roles" admin "Set a user's role, in an application or everywhere", NONE, Some("NewRole"), Some("User"), users::set_role),
    method!(get "/api/v2/users/{user}/tokens" admin "List a user's tokens", NONE, None, Some("Tokens"), users::tokens),
    method!(post "/api/v2/users/{user}/tokens" admin "Make a token; its secret is shown once", NONE, Some("NewToken"), Some("Secret"), users::create_token),
    method!(delete "/api/v2/users/{user}/tokens/{token}" admin "End a token", NONE, None, None, users::remove_token),
    method!(get "/api/v2/me" viewer "Show who the server takes the caller for", NONE, None, Some("Me"), users::me),
];

/// The OpenAPI document (version 3.1).
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for method in METHODS {
        let entry = paths.entry(method.path.to_owned()).or_insert_with(|| json!({}));
        entry[method.verb] = operation(method);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Slipway update server", "version": "2" },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": super::forms::forms(),
        },
        "security": [{ "token": [] }],
    })
}

fn operation(method: &Method) -> Value {
    let in_path =
        method.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = method
        .query
        .iter()
        .map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } }));
    let form = |name: &str| json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
    let done = match method.answer {
        Some(name) => json!({ "200": { "description": "Done", "content": form(name) } }),
        None => json!({ "204": { "description": "Done" } }),
    };
    let mut operation = json!({
        "summary": method.summary,
        "operationId": format!("{}{}", method.verb, method.path.trim_start_matches("/api/v2").replace(['/', '{', '}'], "_")),
        "x-role": method.role,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": done,
    });
    operation["responses"]["default"] =
        json!({ "description": "An error", "content": form("Error") });
    if let Some(name) = method.body {
        operation["requestBody"] = json!({ "required": true, "content": form(name) });
    }
    operation
}
