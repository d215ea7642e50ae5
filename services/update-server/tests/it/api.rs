//! Our own API, through HTTP.

use serde_json::{Value, json};
use slipway_update_server::{
    api::{METHODS, document},
    policy::Policy,
    store::{NewToken, Role, Scope},
};

use crate::world::{APP, Host, NEW, World, app, on_both};

async fn call(world: &World, verb: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call_as(world, verb, path, body, None).await
}

async fn call_as(
    world: &World,
    verb: &str,
    path: &str,
    body: Option<Value>,
    token: Option<&str>,
) -> (u16, Value) {
    let verb = reqwest::Method::from_bytes(verb.to_ascii_uppercase().as_bytes()).unwrap();
    let mut request = world.client.request(verb, format!("{}{path}", world.base));
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

on_both! {
    /// Who writes back a whole policy that was read before learns that somebody was faster.
    async fn a_group_is_changed_only_as_it_was_read(world) {
        world.fleet(Policy::default()).await;
        let url = format!("{}/api/v2/apps/{APP}/groups/stable", world.base);
        let tag = async || {
            let answer = world.client.get(&url).send().await.unwrap();
            answer.headers()["etag"].to_str().unwrap().to_owned()
        };
        let put = async |known: &str, percent: f64| {
            let body = json!({ "policy": { "percent": percent } }).to_string();
            let request = world.client.put(&url).header("content-type", "application/json").header("if-match", known);
            let answer = request.body(body).send().await.unwrap();
            let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            (answer.status().as_u16(), tag, answer.text().await.unwrap())
        };
        let first = tag().await;
        let (status, second, text) = put(&first, 10.0).await;
        assert_eq!((status, second.as_ref()), (200, Some(&tag().await)), "{text}");
        let (status, none, text) = put(&first, 20.0).await;
        assert_eq!((status, none), (412, None));
        assert!(text.contains("`stable` is another now") && text.contains("\"changed\""), "{text}");
        assert_eq!(put(&format!("\"x\", {}", second.unwrap()), 30.0).await.0, 200);
        assert_eq!(put("*", 40.0).await.0, 200);
        // What machines do is no change by anybody.
        let before = tag().await;
        let mut host = Host::new("tag");
        host.ask(&world).await;
        host.install(&world, NEW).await;
        assert_eq!(tag().await, before);
        let asks = futures::future::join_all((0..8).map(|number| put(&before, f64::from(number)))).await;
        assert_eq!(asks.iter().filter(|answer| answer.0 == 200).count(), 1, "one of those who read the same");
    }

    /// An application from nothing to a machine that gets its update, by the API alone.
    async fn everything_can_be_set_up(world) {
        let (status, made) = call(&world, "post", "/api/v2/apps", Some(json!({ "id": APP, "label": "Container Linux" }))).await;
        assert_eq!((status, &made["id"]), (200, &json!(APP)));
        let base = format!("/api/v2/apps/{APP}");
        let new = json!({ "version": NEW, "arch": "amd64", "url": "https://x.example/", "file": "update.gz", "size": 7, "sha256": "0".repeat(64) });
        let (status, package) = call(&world, "post", &format!("{base}/packages"), Some(new.clone())).await;
        assert_eq!(status, 200, "{package}");
        let (status, error) = call(&world, "post", &format!("{base}/packages"), Some(new)).await;
        assert_eq!((status, &error["error"]["kind"]), (409, &json!("exists")));
        let new = json!({ "label": "stable", "arch": "amd64", "package": package["id"] });
        let (status, channel) = call(&world, "post", &format!("{base}/channels"), Some(new)).await;
        assert_eq!(status, 200, "{channel}");
        let new = json!({ "id": "stable", "channel": channel["id"], "policy": { "percent": 100.0 } });
        let (status, group) = call(&world, "post", &format!("{base}/groups"), Some(new)).await;
        assert_eq!(status, 200, "{group}");
        assert_eq!(Host::new("api").ask(&world).await.as_deref(), Some(NEW));

        let (_, paused) = call(&world, "post", &format!("{base}/groups/stable/pause"), None).await;
        assert_eq!(paused["policy"]["updates_enabled"], false);
        assert_eq!(Host::new("other").ask(&world).await, None);
        call(&world, "post", &format!("{base}/groups/stable/resume"), None).await;
        let (_, instances) = call(&world, "get", &format!("{base}/instances?search=api"), None).await;
        assert_eq!((&instances["total"], &instances["items"][0]["status"]), (&json!(1), &json!("granted")));
        let (_, history) = call(&world, "get", &format!("{base}/instances/api/history"), None).await;
        assert_eq!(history[0]["kind"], "granted");
        assert_eq!(call(&world, "put", &format!("{base}/instances/api/alias"), Some(json!({ "alias": "door" }))).await.0, 204);
        assert_eq!(call(&world, "put", &format!("{base}/instances/api/pin"), Some(json!({ "version": "x" }))).await.0, 422);
        let (_, counts) = call(&world, "get", &format!("{base}/groups/stable/counts"), None).await;
        assert_eq!(counts["versions"][0]["count"], 2);
        let (_, activity) = call(&world, "get", "/api/v2/activity", None).await;
        assert_eq!(activity["items"][0]["class"], "rollout-started");
        let (_, audit) = call(&world, "get", "/api/v2/audit?limit=2", None).await;
        assert_eq!((audit["items"].as_array().unwrap().len(), &audit["items"][0]["who"]), (2, &json!("anybody")));
        let package = package["id"].as_str().unwrap().to_owned();
        assert_eq!(call(&world, "delete", &format!("{base}/packages/{package}"), None).await.0, 409);
        assert_eq!(call(&world, "delete", &base, None).await.0, 204);
        assert_eq!(call(&world, "get", &base, None).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense_are_refused_with_the_reason() {
    let world = World::with(&[]).await;
    world.fleet(Policy::default()).await;
    let path = format!("/api/v2/apps/{APP}/groups/stable");
    for (body, status, expected) in [
        (json!({ "polcy": {} }), 422, "polcy"),
        (json!({ "policy": { "percent": 300.0 } }), 422, "percent"),
        (json!({ "policy": { "windows": ["never"] } }), 422, "no window"),
        (json!({ "channel": "none" }), 404, "there is no channel `none`"),
        (json!({ "id": "other" }), 422, "does not change"),
    ] {
        let (got, answer) = call(&world, "put", &path, Some(body.clone())).await;
        assert_eq!(got, status, "{body}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
    let (status, _) = world.post("/api/v2/apps", "text/plain", "{}").await;
    assert_eq!(status, 415);
    assert_eq!(call(&world, "get", "/api/v2/nothing", None).await.1["error"]["kind"], "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_what_their_scope_and_role_allow() {
    let world = World::with(&[("authentication", "required".to_owned())]).await;
    world.fleet(Policy::default()).await;
    let (store, by) = (world.store(), world.by());
    let mut tokens = Vec::new();
    for (name, role, scope) in [
        ("viewer", Role::Viewer, Scope::Admin),
        ("operator", Role::Operator, Scope::Admin),
        ("limited", Role::Admin, Scope::Read),
        ("admin", Role::Admin, Scope::Admin),
    ] {
        let user = name.parse().unwrap();
        store.create_user(&by, &user, role).await.unwrap();
        let new = NewToken { user, label: String::new(), scopes: vec![scope], expires_at: None };
        tokens.push((name, store.create_token(&by, &new).await.unwrap().1));
    }
    let group = format!("/api/v2/apps/{APP}/groups/stable");
    let pause = format!("{group}/pause");
    for (verb, path, allowed) in [
        ("get", group.as_str(), &["viewer", "operator", "limited", "admin"][..]),
        ("post", pause.as_str(), &["operator", "admin"]),
        ("get", "/api/v2/users", &["admin"]),
    ] {
        assert_eq!(call(&world, verb, path, None).await.0, 401);
        assert_eq!(call_as(&world, verb, path, None, Some("slipway_wrong")).await.0, 401);
        for (name, token) in &tokens {
            let status = call_as(&world, verb, path, None, Some(token)).await.0;
            assert_eq!(
                status,
                if allowed.contains(name) { 200 } else { 403 },
                "{name} {verb} {path}"
            );
        }
    }
    // Machines need no account.
    assert!(Host::new("machine").ask(&world).await.is_none());
    assert_eq!(world.instance("machine").await.app, app());
    let (_, audit) = call_as(&world, "get", "/api/v2/audit", None, Some(&tokens[3].1)).await;
    assert_eq!(audit["items"][0]["who"], "admin");
}

/// A page of another site cannot use a browser beside the server as its hand, nor can anybody a proxy in front of it.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_other_sites_are_refused_where_nobody_logs_in() {
    let world = World::with(&[]).await;
    let send = async |verb: &str, path: &str, header: (&str, &str)| {
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).unwrap();
        let request = world.client.request(verb, format!("{}{path}", world.base));
        let request = request.header(header.0, header.1).header("content-type", "application/json");
        let answer = request.body(r#"{"label": "x"}"#).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (verb, path) in [
        ("POST", "/api/v2/apps"),
        ("POST", "/_ah/api/update/v1/apps"),
        ("POST", "/api/apps"),
        ("GET", "/_ah/api/update/v1/admin/user"),
        ("GET", "/api/apps"),
        ("GET", "/db/backup"),
        ("POST", "/package-upload"),
    ] {
        for header in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("host", "rebound.example"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "updates.example"),
            ("forwarded", "for=192.0.2.1"),
            ("via", "1.1 proxy"),
        ] {
            let (status, text) = send(verb, path, header).await;
            assert_eq!(status, 403, "{verb} {path} {header:?}: {text}");
            assert!(text.contains("--authentication required"), "{text}");
        }
        let (_, text) = send(verb, path, ("origin", &world.base)).await;
        assert!(!text.contains("--authentication"), "{verb} {path}: {text}");
    }
}

#[tokio::test]
async fn the_document_describes_every_method() {
    let world = World::with(&[]).await;
    let (status, text) = world.get("/api/v2/openapi.json").await;
    assert_eq!(status, 200);
    let served: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(served, document());
    for method in METHODS {
        let described = &served["paths"][method.path][method.verb];
        assert!(described["summary"].is_string(), "{} {}", method.verb, method.path);
        // Every form that is named is there.
        for reference in described.to_string().split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(served["components"]["schemas"][name].is_object(), "{name}");
        }
        // Every method answers: with something else than "no such method".
        let path = method.path.replace(['{', '}'], "");
        let verb =
            reqwest::Method::from_bytes(method.verb.to_ascii_uppercase().as_bytes()).unwrap();
        let answer =
            world.client.request(verb, format!("{}{path}", world.base)).send().await.unwrap();
        assert_ne!(answer.status(), 405, "{path}");
        assert!(!answer.text().await.unwrap().contains("no such method"), "{path}");
    }
}
