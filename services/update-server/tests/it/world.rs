//! A server with everything it needs, and machines that talk to it.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use slipway_omaha::{
    App as OmahaApp, COREOS_APP_ID, Event, EventResult, EventType, InstallSource, Ping, Request,
    Response, UpdateCheck,
};
use slipway_update_server::{
    app::App,
    checks::{Engine, StopNotice},
    clock::Clock,
    config::Config,
    http,
    ids::{AppId, ChannelId, GroupId, MachineId, PackageId},
    policy::Policy,
    store::{Application, Arch, By, Channel, Group, Instance, Package, Store},
};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::postgres;

pub(crate) const APP: &str = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";
pub(crate) const OLD: &str = "4000.1.0";
pub(crate) const NEW: &str = "4001.2.0";
pub(crate) const SHA1: &str = "qvTGHdzF6KLavt4PO0gs2a6pQ00=";
pub(crate) const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A server.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) database: String,
    pub(crate) stops: mpsc::UnboundedReceiver<StopNotice>,
    end: watch::Sender<bool>,
    folder: Arc<TempDir>,
}

/// Runs a body on SQLite, and on PostgreSQL where there is one.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($($world:ident)+) $body:block)+) => {
        $(
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                for $($world)+ in $crate::world::World::all().await $body
            }
        )+
    };
}
pub(crate) use on_both;

pub(crate) fn start_of_time() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

impl World {
    /// An empty server per kind of database.
    pub(crate) async fn all() -> Vec<Self> {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let sqlite = format!("sqlite:{}", folder.path().join("server.sqlite").display());
        let clock = || Clock::still(start_of_time());
        let mut worlds = vec![Self::start(sqlite, Arc::clone(&folder), &[], clock()).await];
        if let Some(url) = postgres::database().await {
            worlds.push(Self::start(url, folder, &[], clock()).await);
        }
        worlds
    }

    /// A server on SQLite with settings.
    pub(crate) async fn with(settings: &[(&'static str, String)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let sqlite = format!("sqlite:{}", folder.path().join("server.sqlite").display());
        Self::start(sqlite, folder, settings, Clock::still(start_of_time())).await
    }

    /// One more server on the same database, with the same clock.
    pub(crate) async fn another(&self) -> Self {
        Self::start(self.database.clone(), Arc::clone(&self.folder), &[], self.clock.clone()).await
    }

    async fn start(
        database: String,
        folder: Arc<TempDir>,
        settings: &[(&'static str, String)],
        clock: Clock,
    ) -> Self {
        let config = Config::new(|setting| {
            let said = settings
                .iter()
                .find(|(key, _)| *key == setting.key)
                .map(|(_, value)| value.clone());
            match setting.key {
                "database-url" => Some(database.clone()),
                "authentication" => said.or_else(|| Some("off".to_owned())),
                _ => said,
            }
        })
        .unwrap();
        let store = Store::open(&database, 8).await.unwrap();
        let (sender, stops) = mpsc::unbounded_channel();
        let (engine, _) = Engine::start(store.clone(), clock.clone(), sender);
        let (end, ending) = watch::channel(false);
        let app = App::new(store, engine, config, clock.clone(), ending);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let mut ended = end.subscribe();
        tokio::spawn(
            axum::serve(listener, service)
                .with_graceful_shutdown(async move { drop(ended.wait_for(|ending| *ending).await) })
                .into_future(),
        );
        Self { app, clock, base, client: reqwest::Client::new(), database, stops, end, folder }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.app.store
    }

    pub(crate) fn by(&self) -> By {
        By::system(self.clock.now())
    }

    /// An application with a channel that points to [`NEW`], and a group of a policy.
    pub(crate) async fn fleet(&self, policy: Policy) {
        let by = self.by();
        let app = Application {
            id: app(),
            product_id: None,
            label: "Container Linux".to_owned(),
            description: String::new(),
            created_at: by.at,
        };
        self.store().create_app(&by, &app).await.unwrap();
        self.store().create_package(&by, &package(NEW)).await.unwrap();
        let channel = Channel {
            id: channel(),
            app: app.id.clone(),
            label: "stable".to_owned(),
            arch: Arch::Amd64,
            color: "#000000".to_owned(),
            package: Some(package(NEW).id),
            publish: false,
            upstream: String::new(),
            created_at: by.at,
            changed_at: by.at,
        };
        self.store().create_channel(&by, &channel).await.unwrap();
        let group =
            Group { channel: Some(channel.id), policy, ..Group::new(app.id, group(), "stable") };
        self.store().create_group(&by, &group).await.unwrap();
    }

    pub(crate) async fn group(&self) -> Group {
        self.store().group(&app(), &group()).await.unwrap().unwrap()
    }

    pub(crate) async fn change(&self, change: impl FnOnce(&mut Policy) + Send) {
        self.store().change_policy(&self.by(), &app(), &group(), change).await.unwrap();
    }

    pub(crate) async fn instance(&self, machine: &str) -> Instance {
        self.store().instance(&app(), &machine.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Posts a document, gives status and body.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String) {
        let url = format!("{}{path}", self.base);
        let answer = self
            .client
            .post(url)
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Posts XML to the Omaha endpoint; it must be answered.
    pub(crate) async fn omaha(&self, document: &str) -> String {
        let (status, body) = self.post("/v1/update/", "text/xml", document.to_owned()).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(crate) async fn say(&self, request: &Request) -> Response {
        Response::parse(self.omaha(&request.to_xml()).await.as_bytes()).unwrap()
    }

    /// Gets a path as text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end.send_replace(true);
    }
}

pub(crate) fn app() -> AppId {
    APP.parse().unwrap()
}

pub(crate) fn group() -> GroupId {
    "stable".parse().unwrap()
}

pub(crate) fn channel() -> ChannelId {
    "channel-stable".parse().unwrap()
}

/// The package of a version, with two files.
pub(crate) fn package(version: &str) -> Package {
    let id: PackageId = format!("package-{version}").parse().unwrap();
    Package {
        url: format!("https://updates.example/amd64-usr/{version}/"),
        file: "update.gz".to_owned(),
        size: 382_137_917,
        sha1: SHA1.to_owned(),
        sha256: SHA256.to_owned(),
        ..Package::new(id, app(), version, Arch::Amd64)
    }
}

/// A machine, as the update engine speaks for it.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) oem: String,
    pub(crate) source: InstallSource,
}

impl Host {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            version: OLD.to_owned(),
            oem: "qemu".to_owned(),
            source: InstallSource::Scheduler,
        }
    }

    pub(crate) fn machine(&self) -> MachineId {
        self.id.parse().unwrap()
    }

    fn request(&self, fill: impl FnOnce(&mut OmahaApp)) -> Request {
        let mut app = OmahaApp::new(COREOS_APP_ID.parse().unwrap(), self.version.clone());
        app.track = "stable".to_owned();
        app.machine_id.clone_from(&self.id);
        app.oem.clone_from(&self.oem);
        app.board = "amd64-usr".to_owned();
        fill(&mut app);
        Request { install_source: self.source.clone(), apps: vec![app], ..Request::default() }
    }

    pub(crate) fn check(&self) -> Request {
        self.request(|app| {
            app.ping =
                Some(Ping { active: true, days_since_active: None, days_since_roll_call: None });
            app.update_check = Some(UpdateCheck::default());
            let mut event = Event::new(EventType::UpdateComplete, EventResult::SuccessReboot);
            event.previous_version = Some(String::new());
            app.events = vec![event];
        })
    }

    pub(crate) fn ping(&self) -> Request {
        let ping = Ping { active: true, days_since_active: None, days_since_roll_call: None };
        self.request(|app| app.ping = Some(ping))
    }

    pub(crate) fn event(&self, kind: u32, result: u32, code: Option<u32>) -> Request {
        self.request(|app| {
            let mut event =
                Event::new(EventType::from_number(kind), EventResult::from_number(result));
            event.error_code = code.map(slipway_omaha::ErrorCode::new);
            app.events = vec![event];
        })
    }

    /// The version that it is granted.
    pub(crate) async fn ask(&self, world: &World) -> Option<String> {
        let answer = world.say(&self.check()).await;
        let check = answer.apps[0].update_check.clone().unwrap();
        check.manifests.first().map(|manifest| manifest.version.clone())
    }

    /// Downloads, installs, reboots, and says so at its next check.
    pub(crate) async fn install(&mut self, world: &World, version: &str) {
        for (kind, result) in [(13, 1), (14, 1), (3, 1)] {
            world.say(&self.event(kind, result, None)).await;
        }
        self.version = version.to_owned();
        self.ask(world).await;
    }

    pub(crate) async fn fail(&self, world: &World, code: u32) {
        world.say(&self.event(3, 0, Some(code))).await;
    }
}
