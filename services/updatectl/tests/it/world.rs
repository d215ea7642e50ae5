//! A server on a loopback socket, and the program with its user's name and key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use slipway_update_server::app::App;
use slipway_update_server::checks::Engine;
use slipway_update_server::clock::Clock;
use slipway_update_server::config::Config;
use slipway_update_server::http;
use slipway_update_server::store::{By, NewToken, Role, Scope, Store};

/// The application that most tests work with.
pub(super) const APP: &str = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";

/// A server and a user.
pub(super) struct World {
    pub(super) base: String,
    pub(super) store: Store,
    key: String,
    folder: tempfile::TempDir,
    stops: tokio::sync::mpsc::UnboundedReceiver<slipway_update_server::checks::StopNotice>,
}

/// What the program did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("server.sqlite").display());
        let packages = folder.path().join("packages");
        fs_err::create_dir(&packages).unwrap();
        let config = Config::new(|setting| match setting.key {
            "database-url" => Some(database.clone()),
            "packages" => packages.to_str().map(str::to_owned),
            "authentication" => Some("required".to_owned()),
            _ => None,
        });
        let store = Store::open(&database, 4).await.unwrap();
        let clock = Clock::new(Timestamp::now);
        let by = By::system(clock.now());
        let key = store.create_user(&by, &"root".parse().unwrap(), Role::Admin).await.unwrap();
        let (sender, stops) = tokio::sync::mpsc::unbounded_channel();
        let (engine, _) = Engine::start(store.clone(), clock.clone(), sender);
        let (_, ending) = tokio::sync::watch::channel(false);
        let app = App::new(store.clone(), engine, config.unwrap(), clock, ending);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = http::router(app).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { base, store, key, folder, stops }
    }

    /// A server with an application, two packages, a published channel and a group.
    pub(super) async fn furnished() -> Self {
        let world = Self::new().await;
        let file = package_file(world.path());
        world.good(&format!("app create --app-id {APP} --label Hosts --description All")).await;
        for version in ["1.0.0", "1.1.0"] {
            let url = format!("{}/packages/update.gz", world.base);
            world
                .good(&format!(
                    "package create --app-id {APP} --version {version} --url {url} --file {}",
                    file.display()
                ))
                .await;
        }
        world
            .good(&format!(
                "channel create --app-id {APP} --channel stable --version 1.0.0 --publish"
            ))
            .await;
        world
            .good(&format!(
                "group create --app-id {APP} --group-id berlin --label Berlin --channel stable"
            ))
            .await;
        world
    }

    /// A folder for whatever a test needs.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a line with only these variables; what has spaces cannot be in a line.
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is what is tested, and its environment is given"
    )]
    pub(super) async fn run_with(&self, variables: &[(&str, &str)], line: &str) -> Done {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_updatectl"));
        let done = command
            .args(line.split_whitespace())
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(self.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// Runs a line as the user.
    pub(super) async fn run(&self, line: &str) -> Done {
        let variables = [
            ("UPDATECTL_SERVER", self.base.as_str()),
            ("UPDATECTL_USER", "root"),
            ("UPDATECTL_KEY", self.key.as_str()),
        ];
        self.run_with(&variables, line).await
    }

    /// Runs a line and expects success; gives what it printed.
    pub(super) async fn good(&self, line: &str) -> String {
        let done = self.run(line).await;
        assert_eq!(done.code, 0, "{line}: {done:?}");
        done.out
    }

    /// Runs a line with `--json`, and expects success.
    pub(super) async fn json(&self, line: &str) -> Value {
        let out = self.good(&format!("--json {line}")).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }

    /// Runs a line and expects a code, and a text on the error stream.
    pub(super) async fn bad(&self, line: &str, code: i32, text: &str) {
        let done = self.run(line).await;
        assert_eq!(done.code, code, "{line}: {done:?}");
        assert!(done.err.contains(text), "{line}: {done:?}");
    }

    /// A token of the user for everything.
    pub(super) async fn token(&self) -> String {
        let user = "root".parse().unwrap();
        let new =
            NewToken { user, label: "test".into(), scopes: vec![Scope::Admin], expires_at: None };
        self.store.create_token(&By::system(Timestamp::now()), &new).await.unwrap().1
    }

    /// Whether a group stopped by itself.
    pub(super) fn stopped(&mut self) -> bool {
        self.stops.try_recv().is_ok()
    }
}

/// A payload of twelve bytes.
pub(super) fn package_file(folder: &Path) -> PathBuf {
    let path = folder.join("update.gz");
    fs_err::write(&path, "twelve bytes").unwrap();
    path
}
