//! A server on a loopback socket with a SQLite file, and a client that signs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::Value;
pub(super) use serde_json::json;
use slipway_coreupdate::find;
use slipway_coreupdate::hawk::{HawkKey, Header, Resource, sign};
use slipway_update_server::app::App;
use slipway_update_server::checks::Engine;
use slipway_update_server::clock::Clock;
use slipway_update_server::config::Config;
use slipway_update_server::http;
use slipway_update_server::store::{By, NewToken, Role, Scope, Store};

/// When all tests are: 2026-11-25T22:00:00Z.
pub(super) const NOW: i64 = 1_795_644_000;

/// The application that most tests work with.
pub(super) const APP: &str = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";

/// A server, and an administrator's key.
pub(super) struct World {
    pub(super) base: String,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) key: String,
    pub(super) folder: tempfile::TempDir,
    http: reqwest::Client,
    nonces: AtomicU64,
}

/// The whole state of a server, with everything it keeps in a folder.
async fn app(folder: &Path, clock: &Clock, authentication: &str) -> App {
    let database = format!("sqlite:{}", folder.join("server.sqlite").display());
    let packages = folder.join("packages");
    fs_err::create_dir(&packages).unwrap();
    let config = Config::new(|setting| match setting.key {
        "database-url" => Some(database.clone()),
        "packages" => packages.to_str().map(str::to_owned),
        "authentication" => Some(authentication.to_owned()),
        _ => None,
    });
    let store = Store::open(&database, 4).await.unwrap();
    let (stops, _) = tokio::sync::mpsc::unbounded_channel();
    let (engine, _) = Engine::start(store.clone(), clock.clone(), stops);
    let (_, ending) = tokio::sync::watch::channel(false);
    App::new(store, engine, config.unwrap(), clock.clone(), ending)
}

/// How a request says who sends it.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    Signer(&'a str, &'a str),
    Holder(&'a str),
    Header(&'a str),
}

impl World {
    /// An empty server that wants to know who asks.
    pub(super) async fn new() -> Self {
        Self::with("required").await
    }

    /// An empty server with this setting for `authentication`.
    pub(super) async fn with(authentication: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::still(Timestamp::from_second(NOW).unwrap());
        let app = app(folder.path(), &clock, authentication).await;
        let store = app.store.clone();
        let key = store
            .create_user(&By::system(clock.now()), &"root".parse().unwrap(), Role::Admin)
            .await
            .unwrap();
        let routes = http::router(app);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let http = reqwest::Client::new();
        Self { base, store, clock, key, folder, http, nonces: AtomicU64::new(1) }
    }

    /// A server with an application, two packages, a channel and a group.
    pub(super) async fn furnished() -> Self {
        let world = Self::new().await;
        world
            .good(
                "update.app.insert",
                &[],
                json!({ "id": APP, "label": "Hosts", "description": "All" }),
            )
            .await;
        for version in ["1.0.0", "1.1.0"] {
            world.good("update.app.package.insert", &[APP, version], package(version)).await;
        }
        let channel = json!({ "label": "stable", "version": "1.0.0", "publish": true });
        world.good("update.channel.insert", &[APP], channel).await;
        let group = json!({ "id": "berlin", "label": "Berlin", "channelId": "stable" });
        world.good("update.group.insert", &[APP], group).await;
        world
    }

    /// The value of an `Authorization` header.
    pub(super) fn authorization(&self, sender: As<'_>, verb: &str, target: &str) -> Option<String> {
        match sender {
            As::Nobody => None,
            As::Holder(token) => Some(format!("Bearer {token}")),
            As::Header(value) => Some(value.to_owned()),
            As::Signer(user, key) => {
                let nonce = self.nonces.fetch_add(1, Ordering::Relaxed).to_string();
                let ts = self.clock.now().as_second().unsigned_abs();
                Some(signature(user, key, verb, target, &self.base, ts, &nonce))
            }
        }
    }

    /// Sends a request; gives status and body.
    pub(super) async fn send(
        &self,
        sender: As<'_>,
        verb: &str,
        target: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}{target}", self.base);
        let mut request = self.http.request(verb.parse().unwrap(), url);
        if let Some(value) = self.authorization(sender, verb, target) {
            request = request.header("authorization", value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Calls a method of CoreUpdate as the administrator.
    pub(super) async fn call(
        &self,
        id: &str,
        values: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        self.call_as(As::Signer("root", &self.key), id, values, query, body).await
    }

    pub(super) async fn call_as(
        &self,
        sender: As<'_>,
        id: &str,
        values: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let method = find(id).unwrap();
        let target = format!("{}?alt=json{query}", method.expand(values));
        self.send(sender, method.verb.as_str(), &target, body).await
    }

    /// Calls a method with a body, and expects success.
    pub(super) async fn good(&self, id: &str, values: &[&str], body: Value) -> Value {
        let (status, answer) = self.call(id, values, "", Some(body)).await;
        assert_eq!(status, 200, "{id} {values:?}: {answer}");
        answer
    }

    /// Calls a method without a body, and expects success.
    pub(super) async fn get(&self, id: &str, values: &[&str], query: &str) -> Value {
        let (status, answer) = self.call(id, values, query, None).await;
        assert_eq!(status, 200, "{id} {values:?} {query}: {answer}");
        answer
    }

    /// Calls a method, and expects an error of this status whose message has this text.
    pub(super) async fn bad(
        &self,
        id: &str,
        values: &[&str],
        query: &str,
        body: Option<Value>,
        expected: (u16, &str),
    ) {
        let (status, answer) = self.call(id, values, query, body).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (status, &answer["error"]["code"]),
            (expected.0, &json!(expected.0)),
            "{id} {values:?} {query}: {answer}"
        );
        assert!(message.contains(expected.1), "{id} {values:?} {query}: {message}");
        assert_eq!(answer["error"]["errors"][0]["message"], json!(message));
    }

    /// Sends a request to Nebraska's API as the administrator, and expects a status.
    pub(super) async fn nebraska(
        &self,
        verb: &str,
        target: &str,
        body: Option<Value>,
        expected: u16,
    ) -> Value {
        let (status, answer) = self.send(As::Signer("root", &self.key), verb, target, body).await;
        assert_eq!(status, expected, "{verb} {target}: {answer}");
        if expected >= 400 {
            assert!(
                answer["description"].is_string() && answer["error"].is_string(),
                "{verb} {target}: {answer}"
            );
        }
        answer
    }

    /// Sends what a machine in Berlin says.
    pub(super) async fn omaha(&self, machine: &str, version: &str, oem: &str, inside: &str) {
        let body = format!(
            r#"<request protocol="3.0" installsource="scheduler"><os platform="CoreOS"/><app appid="{APP}" version="{version}" track="berlin" oem="{oem}" machineid="{machine}" board="amd64-usr">{inside}</app></request>"#
        );
        let request = self
            .http
            .post(format!("{}/v1/update/", self.base))
            .header("content-type", "text/xml")
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(status, 200, "{}", response.text().await.unwrap());
    }

    /// A token of the administrator.
    pub(super) async fn token(&self, scope: Scope) -> String {
        let new = NewToken {
            user: "root".parse().unwrap(),
            label: "test".into(),
            scopes: vec![scope],
            expires_at: None,
        };
        self.store.create_token(&self.by(), &new).await.unwrap().1
    }

    pub(super) fn by(&self) -> By {
        By::system(self.clock.now())
    }

    /// What the audit log says, the newest first.
    pub(super) async fn audited(&self) -> Vec<(String, String)> {
        let page = slipway_update_server::store::Page::first(100);
        let entries = self.store.audit_log(None, page).await.unwrap().items;
        entries.into_iter().map(|entry| (entry.who, entry.action)).collect()
    }
}

/// A signed header.
pub(super) fn signature(
    user: &str,
    key: &str,
    verb: &str,
    target: &str,
    base: &str,
    ts: u64,
    nonce: &str,
) -> String {
    let (host, port) = base.trim_start_matches("http://").rsplit_once(':').unwrap();
    let resource = Resource { method: verb, target, host, port: port.parse().unwrap() };
    let header = Header {
        id: user.into(),
        ts,
        nonce: nonce.into(),
        mac: Vec::new(),
        hash: None,
        ext: None,
        app: None,
        dlg: None,
    };
    sign(&HawkKey::of_token(key), header, resource).to_string()
}

/// The body that describes a package.
pub(super) fn package(version: &str) -> Value {
    json!({
        "url": format!("https://h.example/{version}/update.gz"), "size": "12", "sha1Sum": "AQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "sha256Sum": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", "releaseNotes": "new",
    })
}
