//! A server with a fleet, and somebody who clicks.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use jiff::Timestamp;
use slipway_update_server::{
    app::App,
    checks::Engine,
    clock::Clock,
    config::{Authentication, Config},
    http,
    ids::{AppId, GroupId},
    policy::{AutoStop, Frame, Rollout},
    store::{
        ActivityClass, Application, Arch, By, Channel, Floor, Group, NewActivity, NewToken,
        Package, Role, Scope, Severity, Store,
    },
};
use tokio::sync::watch;
use tower::ServiceExt as _;

/// The time at which all of it happens.
pub(crate) const NOW: &str = "2026-11-25T12:00:00Z";

/// The application of the fleet.
pub(crate) const APP: &str = "5a1b0b6e-5c1e-4d6f-9d0a-4f2b7d3c8e11";

/// A server, and a browser without a screen.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) ending: watch::Sender<bool>,
    router: Router,
    cookies: BTreeMap<String, String>,
    database: String,
    _folder: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Whether the page says something.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.body.contains(text),
            "no {text:?} in the page ({}):\n{}",
            self.status,
            self.body
        );
        self
    }

    /// Whether the page does not say something.
    #[track_caller]
    pub(crate) fn hides(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is in the page:\n{}", self.body);
        self
    }

    /// Where a redirect leads to.
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "{}:\n{}", self.status, self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }
}

pub(crate) fn by() -> By {
    By::system(NOW.parse().unwrap())
}

impl World {
    /// A server without anything in it.
    pub(crate) async fn empty(authentication: Authentication) -> Self {
        Self::with(|database| config(database, authentication)).await
    }

    /// The same with a configuration for a database.
    pub(crate) async fn with(config: impl FnOnce(&str) -> Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}/server.db", folder.path().display());
        let store = Store::open(&database, 4).await.unwrap();
        let (ending, receiver) = watch::channel(false);
        let clock = Clock::still(NOW.parse().unwrap());
        let (stops, _) = tokio::sync::mpsc::unbounded_channel();
        let (engine, _) = Engine::start(store.clone(), clock.clone(), stops);
        let app = App::new(store, engine, config(&database), clock, receiver);
        let router = http::router(app.clone());
        Self { app, ending, router, cookies: BTreeMap::new(), database, _folder: folder }
    }

    /// A server with a fleet, open to everybody.
    pub(crate) async fn fleet() -> Self {
        let world = Self::empty(Authentication::Off).await;
        world.fill().await;
        world
    }

    /// The same pages for another visitor, who has no cookies yet.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Asks for a page.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, self.cookie_header());
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form as the browser would that has loaded a page: with the token of that page.
    pub(crate) async fn submit(
        &mut self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let token = self.token(page).await;
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("form_token", &token);
        fields.iter().for_each(|(name, value)| {
            body.append_pair(name, value);
        });
        self.post(action, body.finish()).await
    }

    /// Sends a body as a form, whatever it is.
    pub(crate) async fn post(&mut self, action: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(action)
            .header(header::COOKIE, self.cookie_header())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The token that the forms of a page hold.
    pub(crate) async fn token(&mut self, page: &str) -> String {
        let answer = self.get(page).await;
        let (_, rest) =
            answer.body.split_once("name=\"form_token\" value=\"").expect("the page has a form");
        rest[..64].to_owned()
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let bytes = to_bytes(body, 8 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The cookies of the browser.
    pub(crate) fn cookie_header(&self) -> String {
        self.cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Makes a user with a token.
    pub(crate) async fn token_of(&self, name: &str, role: Role, scopes: &[Scope]) -> String {
        let name = name.parse().unwrap();
        self.app.store.create_user(&by(), &name, role).await.unwrap();
        let new = NewToken {
            user: name,
            label: "test".into(),
            scopes: scopes.to_vec(),
            expires_at: None,
        };
        self.app.store.create_token(&by(), &new).await.unwrap().1
    }

    /// An application with channels, floors, groups in all states, machines and their history.
    pub(crate) async fn fill(&self) {
        let store = &self.app.store;
        let id: AppId = APP.parse().unwrap();
        let new = Application {
            id: id.clone(),
            product_id: Some("io.slipway.host".into()),
            label: "Slipway Linux".into(),
            description: "Hosts of the container platform".into(),
            created_at: at(0),
        };
        store.create_app(&by(), &new).await.unwrap();
        for version in ["3.9.0", "4.0.0", "4.1.0", "4.2.0"] {
            let package = Package {
                url: format!("https://updates.example/amd64/{version}/"),
                file: "update.gz".into(),
                size: 382_137_917,
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
                ..Package::new(
                    format!("package-{version}").parse().unwrap(),
                    id.clone(),
                    version,
                    Arch::Amd64,
                )
            };
            store.create_package(&by(), &package).await.unwrap();
        }
        self.channel("stable", "4.1.0").await;
        self.channel("beta", "4.2.0").await;
        let floor = Floor {
            channel: "channel-stable".parse().unwrap(),
            package: "package-4.0.0".parse().unwrap(),
            reason: "the new partition layout".into(),
        };
        store.set_floor(&by(), &floor).await.unwrap();
        self.groups(&id).await;
        self.machines().await;
    }

    async fn channel(&self, label: &str, version: &str) {
        let channel = Channel {
            id: format!("channel-{label}").parse().unwrap(),
            app: APP.parse().unwrap(),
            label: label.into(),
            arch: Arch::Amd64,
            color: "#1a6b8f".into(),
            package: Some(format!("package-{version}").parse().unwrap()),
            publish: false,
            upstream: String::new(),
            created_at: at(0),
            changed_at: at(0),
        };
        self.app.store.create_channel(&By::system(at(-86_400)), &channel).await.unwrap();
    }

    async fn groups(&self, id: &AppId) {
        let store = &self.app.store;
        let group = |name: &str, label: &str, channel: &str| Group {
            channel: Some(format!("channel-{channel}").parse().unwrap()),
            ..Group::new(id.clone(), name.parse().unwrap(), label)
        };
        let mut stable = group("stable", "Stable", "stable");
        stable.policy.rollout = Rollout {
            frames: vec![
                Frame { seconds: 3600, percent: 1.0 },
                Frame { seconds: 14_400, percent: 10.0 },
                Frame { seconds: 86_400, percent: 50.0 },
                Frame { seconds: 86_400, percent: 100.0 },
            ],
            since: Some(at(-6 * 3600)),
        };
        stable.policy.auto_stop =
            Some(AutoStop { error_percent: Some(5.0), missing_percent: None, minimum: 20 });
        stable.policy.windows = vec!["Mon-Fri 09:00 +8h Europe/Berlin".parse().unwrap()];
        store.create_group(&by(), &stable).await.unwrap();
        let mut paused = group("beta", "Beta", "beta");
        paused.policy.updates_enabled = false;
        store.create_group(&by(), &paused).await.unwrap();
        store.create_group(&by(), &group("lab", "Lab & <test>", "beta")).await.unwrap();
        for (class, severity, message) in [
            (ActivityClass::RolloutStarted, Severity::Info, "4.1.0 is rolled out to Stable"),
            (
                ActivityClass::UpdateFailed,
                Severity::Error,
                "an update to 4.1.0 failed: the payload's signature is wrong",
            ),
        ] {
            let what = NewActivity {
                app: id.clone(),
                group: Some("stable".parse().unwrap()),
                channel: None,
                machine: None,
                class,
                severity,
                version: "4.1.0".into(),
                message: message.into(),
            };
            store.add_activity(at(-600), &what).await.unwrap();
        }
    }

    /// Machines as the Omaha endpoint would have left them: a fixture, because days of reports take days.
    async fn machines(&self) {
        let versions = ["4.1.0", "4.1.0", "4.0.0", "3.9.0"];
        let mut statements = vec!["BEGIN".to_owned()];
        for number in 0i64..120 {
            let status = [4, 4, 1, 7, 4, 8, 3, 5][usize::try_from(number % 8).unwrap()];
            let version = versions[usize::try_from(number % 4).unwrap()];
            statements.extend(machine_rows(number, status, version));
        }
        for hour in 1i64..48 {
            for (version, count) in [("3.9.0", 60 - hour), ("4.0.0", 40), ("4.1.0", 20 + 2 * hour)]
            {
                statements.push(format!(
                    "INSERT INTO checks (app_id, group_id, resolution, at, version, count) VALUES ('{APP}', 'stable', 3600, {}, '{version}', {count})",
                    at((hour - 48) * 3600).as_millisecond()
                ));
            }
        }
        statements.push("COMMIT".to_owned());
        self.sql(&statements.join("; ")).await;
    }

    /// A statement of a fixture.
    pub(crate) async fn sql(&self, statement: &str) {
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&self.database).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    pub(crate) fn group_id(name: &str) -> GroupId {
        name.parse().unwrap()
    }
}

/// The machine of a number, as [`World::fill`] makes them.
pub(crate) fn machine(number: i64) -> String {
    format!("{:032x}", 0x0f3a_5c0e_1b7d_4e55_i64.wrapping_mul(number + 1))
}

/// The columns of a machine, for fixtures.
pub(crate) const COLUMNS: &str = "app_id, machine_id, group_id, track, version, arch, oem, oem_version, aleph_version, alias, given_alias, ip, \
    boot_id, install_source, status, status_since, update_version, granted_at, error_code, event_type, event_result, pin, first_seen, last_seen";

fn machine_rows(number: i64, status: i64, version: &str) -> Vec<String> {
    let error = if status == 3 { "18" } else { "NULL" };
    let id = machine(number);
    let alias =
        if number % 3 == 0 { format!("rack{}-{number:02}", number / 30) } else { String::new() };
    let seen = at(-number * 60).as_millisecond();
    let mut rows = vec![format!(
        "INSERT INTO instances ({COLUMNS}) VALUES ('{APP}', '{id}', 'stable', 'stable', '{version}', 1, 'qemu', '0.1', '3.9.0', '{alias}', '', \
         '10.0.0.{number}', '', 'scheduler', {status}, {seen}, '4.1.0', {seen}, {error}, 3, 2, NULL, {seen}, {seen})"
    )];
    for (ago, kind, event, result) in
        [(3, "granted", "NULL", "NULL"), (2, "event", "13", "1"), (1, "event", "3", "0")]
    {
        let error = if event == "3" { error } else { "NULL" };
        rows.push(format!(
            "INSERT INTO events (app_id, group_id, machine_id, at, kind, event_type, event_result, error_code, status, version, update_version, \
             oem, install_source) VALUES ('{APP}', 'stable', '{id}', {}, '{kind}', {event}, {result}, {error}, {status}, '{version}', '4.1.0', \
             'qemu', 'scheduler')",
            seen - ago * 60_000
        ));
    }
    rows
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    let now: Timestamp = NOW.parse().unwrap();
    Timestamp::from_second(now.as_second() + seconds).unwrap()
}

fn config(database: &str, authentication: Authentication) -> Config {
    let config = Config::new(|setting| match setting.key {
        "database-url" => Some(database.to_owned()),
        _ => None,
    });
    Config { authentication, ..config.unwrap() }
}
