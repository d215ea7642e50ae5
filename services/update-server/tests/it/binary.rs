//! The program itself: it starts, answers, ends in good order, and loses nothing when it is killed.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use slipway_omaha::Response;
use slipway_update_server::{
    ids::new_uuid,
    policy::Policy,
    store::{Application, Arch, By, Channel, Group, Store},
};

use crate::world::{Host, NEW, app, channel, group, package, start_of_time};

/// The program, while it serves.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) base: String,
}

#[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway-update-server"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Server {
    fn start(folder: &Path) -> Self {
        // A variable wins over the file.
        Self::with(folder, &[])
    }

    /// Starts it with these variables besides the file.
    pub(crate) fn with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = program(folder, &["serve", "--config", "server.toml"]);
        command.env("SLIPWAY_UPDATE_SERVER_LISTEN", "127.0.0.1:0");
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, base }
    }

    #[expect(clippy::disallowed_methods, reason = "signals are sent by the system's own program")]
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    pub(crate) async fn ask(&self, client: &reqwest::Client, host: &Host) -> Option<String> {
        let url = format!("{}/v1/update/", self.base);
        let request =
            client.post(url).header("content-type", "text/xml").body(host.check().to_xml());
        let body = request.send().await.ok()?.bytes().await.ok()?;
        let check = Response::parse(&body).ok()?.apps[0].update_check.clone()?;
        Some(check.manifests.first()?.version.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

pub(crate) async fn filled(folder: &Path, policy: Policy) -> String {
    let url = format!("sqlite:{}", folder.join("slipway-update-server.sqlite").display());
    fill(folder, &url, policy).await;
    url
}

/// Writes a configuration file into a folder, and a fleet into a database.
pub(crate) async fn fill(folder: &Path, url: &str, policy: Policy) {
    fs_err::write(folder.join("server.toml"), "listen = \"127.0.0.1:1\"\nlog-level = \"warn\"\n")
        .unwrap();
    let store = Store::open(url, 2).await.unwrap();
    let by = By::system(start_of_time());
    let application = Application {
        id: app(),
        product_id: None,
        label: "x".to_owned(),
        description: String::new(),
        created_at: by.at,
    };
    store.create_app(&by, &application).await.unwrap();
    store.create_package(&by, &package(NEW)).await.unwrap();
    let row = Channel {
        id: channel(),
        app: app(),
        label: "stable".to_owned(),
        arch: Arch::Amd64,
        color: String::new(),
        package: Some(package(NEW).id),
        publish: false,
        upstream: String::new(),
        created_at: by.at,
        changed_at: by.at,
    };
    store.create_channel(&by, &row).await.unwrap();
    let row = Group { channel: Some(channel()), policy, ..Group::new(app(), group(), "stable") };
    store.create_group(&by, &row).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_answers_and_ends_when_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), Policy::default()).await;
    let mut server = Server::start(folder.path());
    let client = reqwest::Client::new();
    assert_eq!(server.ask(&client, &Host::new("binary")).await.as_deref(), Some(NEW));
    let page = client.get(format!("{}/", server.base)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    server.signal("TERM");
    assert!(server.child.wait().unwrap().success());
}

/// Killed under load, again and again: every grant that a machine was told of is in the database, and no limit is passed.
#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_loses_no_grant() {
    const LIMIT: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let url = filled(folder.path(), Policy { at_once: Some(LIMIT), ..Policy::default() }).await;
    let mut told = Vec::new();
    for round in 0..3 {
        let server = Server::start(folder.path());
        let client = reqwest::Client::new();
        let asks = (0..30).map(|number| {
            let host = Host::new(format!("{round}-{number}-{}", new_uuid()));
            let (client, server) = (&client, &server);
            async move { server.ask(client, &host).await.map(|_| host.id) }
        });
        let kill = async {
            // After a few answers, in the middle of the others.
            let _first = server.ask(&client, &Host::new(format!("first-{round}"))).await;
            server.signal("KILL");
        };
        let (granted, ()) = futures::join!(futures::future::join_all(asks), kill);
        told.extend(granted.into_iter().flatten());
    }
    let store = Store::open(&url, 2).await.unwrap();
    let leases = store.open_leases(&app(), &group(), 1000).await.unwrap();
    assert!(leases.len() <= LIMIT as usize, "{}", leases.len());
    for machine in told {
        assert!(leases.iter().any(|lease| lease.machine.as_str() == machine), "{machine}");
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let output = program(folder.path(), arguments).stderr(Stdio::piped()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{text}");
    };
    check(&["serve", "--listen", "nowhere"], "`listen` is `nowhere`");
    check(&["serve", "--authentication", "off", "--listen", "0.0.0.0:0"], "no loopback address");
    let sync = "serve --sync-url http://up.example/ --sync-feeds stable/amd64 --sync-payloads host --packages p --sync-key lost.pem";
    let sync: Vec<&str> = sync.split(' ').collect();
    check(&sync, "`sync-key` cannot be used: `lost.pem` is no RSA key");
    check(&["serve", "--database-url", "mysql://x"], "neither `sqlite:` nor `postgres:`");
}

#[test]
fn an_administrator_is_made_with_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path(), &["create-admin", "root"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("token slipway_"), "{text}");
    let again = program(folder.path(), &["create-admin", "root"]).output().unwrap();
    assert!(!again.status.success());
    let backup = program(folder.path(), &["backup", "copy.sqlite"]).output().unwrap();
    assert!(backup.status.success());
    assert!(folder.path().join("copy.sqlite").exists());
}
