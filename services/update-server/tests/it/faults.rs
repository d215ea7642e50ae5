//! Faults below the server: its database goes away and comes back, its disk is full and has room again. The same process goes
//! on, and what it had answered is there.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::header;
use slipway_omaha::Response;
use slipway_update_server::{
    policy::Policy,
    store::{Group, Store},
};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::{
    binary::{Server, fill},
    postgres::{self, Own, Through},
    world::{APP, Host, NEW, app, group},
};

/// What a server said to somebody who asks all the time.
#[derive(Default)]
struct Heard {
    /// Machines that were told of an update.
    granted: Mutex<BTreeSet<String>>,
    /// The last description that the server said it kept.
    kept: AtomicUsize,
    /// Statuses of all answers.
    statuses: Mutex<BTreeSet<u16>>,
    /// How many changes were kept in all.
    count: AtomicUsize,
    enough: AtomicBool,
}

/// Somebody who asks a server.
struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn new(server: &Server) -> Self {
        Self { http: reqwest::Client::new(), base: server.base.clone() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sets the description of the group to a number.
    async fn describe(&self, number: usize) -> (u16, String) {
        let url = format!("{}/api/v2/apps/{APP}/groups/stable", self.base);
        let request = self.http.put(url).header(header::CONTENT_TYPE, "application/json");
        let body = format!("{{\"description\": \"{number}\"}}");
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Asks for an update; status, `Retry-After`, and whether it was granted.
    async fn check(&self, machine: &str) -> (u16, bool, bool) {
        let url = format!("{}/v1/update/", self.base);
        let request = self.http.post(url).header(header::CONTENT_TYPE, "text/xml");
        let answer = request.body(Host::new(machine).check().to_xml()).send().await.unwrap();
        let (status, wait) =
            (answer.status().as_u16(), answer.headers().contains_key(header::RETRY_AFTER));
        let body = answer.bytes().await.unwrap();
        let check =
            Response::parse(&body).ok().and_then(|answer| answer.apps[0].update_check.clone());
        let granted = check.is_some_and(|check| check.manifests[0].version == NEW);
        (status, wait, granted)
    }

    /// Asks until a path is answered by a status.
    async fn wait(&self, path: &str, status: u16) -> String {
        for _ in 0..1200 {
            let (found, text) = self.get(path).await;
            if found == status {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is never answered by {status}");
    }

    /// Changes the group again and again, until it is enough.
    async fn describe_often(&self, heard: &Heard) {
        for number in 1.. {
            if heard.enough.load(Ordering::Relaxed) {
                return;
            }
            let (status, _) = self.describe(number).await;
            heard.statuses.lock().unwrap().insert(status);
            if status == 200 {
                heard.kept.store(number, Ordering::Relaxed);
                heard.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends one machine after the other to ask, until it is enough.
    async fn check_often(&self, heard: &Heard, name: &str) {
        for number in 1.. {
            if heard.enough.load(Ordering::Relaxed) {
                return;
            }
            let machine = format!("{name}-{number}");
            let (status, wait, granted) = self.check(&machine).await;
            heard.statuses.lock().unwrap().insert(status);
            assert_eq!(status == 503, wait, "who is refused is told when to come again");
            if granted {
                heard.granted.lock().unwrap().insert(machine);
                heard.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Heard {
    /// Waits until so many more changes were kept.
    async fn more(&self, changes: usize) {
        let goal = self.count.load(Ordering::Relaxed) + changes;
        while self.count.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the database holds everything that was answered.
    async fn is_in(&self, url: &str) {
        let store = Store::open(url, 2).await.unwrap();
        let described: Group = store.group(&app(), &group()).await.unwrap().unwrap();
        let kept = self.kept.load(Ordering::Relaxed);
        // A change that was kept and whose answer was lost may be there, too.
        assert!(described.description.parse::<usize>().unwrap() >= kept, "{described:?} {kept}");
        let leases = store.open_leases(&app(), &group(), 100_000).await.unwrap();
        let leased: BTreeSet<String> =
            leases.iter().map(|lease| lease.machine.to_string()).collect();
        let granted = self.granted.lock().unwrap().clone();
        let lost: Vec<_> = granted.difference(&leased).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_eq!(leases.len(), leased.len(), "no machine has two");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_goes_away_in_mid_request_and_comes_back() {
    let Some(database) = Own::new(Through::Socket) else { return };
    it_goes_away_and_comes_back(database).await;
}

/// Where nobody answers, each request waits for its time; none waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_behind_a_port_goes_away_and_comes_back() {
    let Some(database) = Own::new(Through::Port) else { return };
    it_goes_away_and_comes_back(database).await;
}

async fn it_goes_away_and_comes_back(mut database: Own) {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy { at_once: Some(1_000_000), ..Policy::default() };
    fill(folder.path(), &database.url(), policy).await;
    let url = database.url();
    let mut server =
        Server::with(folder.path(), &[("SLIPWAY_UPDATE_SERVER_DATABASE_URL", url.as_str())]);
    let (client, heard) = (Client::new(&server), Heard::default());
    let fault = async {
        heard.more(30).await;
        // Requests of four clients are under way at every moment.
        database.kill();
        assert_eq!(client.wait("/ready", 503).await, "the database does not answer\n");
        assert_eq!(client.get("/health").await.0, 200);
        let (status, text) = client.describe(0).await;
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("the database does not answer; try again"), "{text}");
        let (status, page) = client.get("/").await;
        assert!(status == 503 && page.contains("The database does not answer"), "{page}");
        let coreupdate = format!("/_ah/api/update/v1/apps/{APP}/groups?alt=json");
        assert_eq!(client.get(&coreupdate).await.0, 503);
        assert_eq!(client.get(&format!("/api/apps/{APP}/groups")).await.0, 503);
        assert_eq!(client.check("nobody").await, (503, true, false));
        database.start();
        client.wait("/ready", 200).await;
        heard.more(30).await;
        heard.enough.store(true, Ordering::Relaxed);
    };
    futures::join!(
        fault,
        client.describe_often(&heard),
        client.check_often(&heard, "a"),
        client.check_often(&heard, "b"),
        client.check_often(&heard, "c"),
    );
    assert_eq!(*heard.statuses.lock().unwrap(), BTreeSet::from([200, 503]));
    heard.is_in(&url).await;
    assert!(server.child.try_wait().unwrap().is_none(), "it is the same process");
    server.signal("TERM");
    assert!(server.child.wait().unwrap().success());
}

/// A file system of a few MiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where none can be mounted, unless that is required.
    fn new() -> Option<Self> {
        let root = fs_err::metadata("/proc/self").unwrap().uid() == 0;
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            root && mount(&["mount", "-t", "tmpfs", "-o", "size=6m", "small"], folder.path());
        let required = postgres::variable("SLIPWAY_REQUIRE_ROOT").is_some();
        assert!(mounted || !required, "SLIPWAY_REQUIRE_ROOT is set, but nothing can be mounted");
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut bytes = 4 << 20;
        let mut written = Vec::new();
        while bytes >= 512 {
            written.resize(written.len() + bytes, 7);
            if fs_err::write(&path, &written).is_err() {
                written.truncate(written.len() - bytes);
                bytes /= 2;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = mount(&["umount", "--lazy"], self.path());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "file systems are mounted by the system's own program"
)]
fn mount(command: &[&str], path: &Path) -> bool {
    let status = Command::new(command[0]).args(&command[1..]).arg(path).status();
    status.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_and_has_room_again() {
    let Some(disk) = SmallDisk::new() else { return };
    let url = format!("sqlite:{}", disk.path().join("server.sqlite").display());
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy { at_once: Some(1_000_000), ..Policy::default() };
    fill(folder.path(), &url, policy).await;
    let mut server =
        Server::with(folder.path(), &[("SLIPWAY_UPDATE_SERVER_DATABASE_URL", url.as_str())]);
    let (client, heard) = (Client::new(&server), Heard::default());
    let fault = async {
        heard.more(10).await;
        let filler = disk.fill();
        // What room the log has left is used up first.
        while !heard.statuses.lock().unwrap().contains(&503) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = client.get(&format!("/api/v2/apps/{APP}/groups/stable")).await;
        assert_eq!(before.0, 200, "what is there can be read: {before:?}");
        // More at once than there are connections: none of them may be of no use later. Little ones may find a little room.
        for (status, text) in many(&client).await {
            assert!([200, 503].contains(&status), "{status} {text}");
        }
        refusal(&client).await;
        fs_err::remove_file(filler).unwrap();
        for (status, text) in many(&client).await {
            assert_eq!(status, 200, "there is room again: {text}");
        }
        heard.more(10).await;
        heard.enough.store(true, Ordering::Relaxed);
    };
    futures::join!(fault, client.describe_often(&heard), client.check_often(&heard, "a"));
    assert_eq!(*heard.statuses.lock().unwrap(), BTreeSet::from([200, 503]));
    assert!(server.child.try_wait().unwrap().is_none(), "it is the same process");
    server.signal("TERM");
    assert!(server.child.wait().unwrap().success());
    heard.is_in(&url).await;
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let whole: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(whole, "ok", "nothing is half-written");
    connection.close().await.unwrap();
}

/// What many are told who change something at once.
async fn many(client: &Client) -> Vec<(u16, String)> {
    futures::future::join_all((0..48).map(|_| client.describe(usize::MAX))).await
}

/// Waits until a change is refused for want of room. A small one may find some.
async fn refusal(client: &Client) {
    let mut last = String::new();
    for _ in 0..1000 {
        let (status, text) = client.describe(usize::MAX).await;
        if status == 503 && text.contains("the disk of the database is full; nothing was kept") {
            return;
        }
        last = text;
    }
    panic!("nobody says that there is no room: {last}");
}
