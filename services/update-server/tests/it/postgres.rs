//! A PostgreSQL server for the tests of this process. It ends when the process does, however that ends.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::MetadataExt as _,
    process::{Child, ChildStdout, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{Connection as _, Executor as _};

/// Makes a cluster, says where it is, and waits until nobody holds its standard input any more. It kills and starts the server
/// when it is told.
const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d)
bin=$1
port=${2:-5432}
begin() {
    "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses="${2:+127.0.0.1}" -p "$port" -c fsync=off -c max_connections=300 </dev/null >>"$folder/log" 2>&1 &
    server=$!
    until "$bin/pg_isready" -q -h "$folder" -p "$port"; do kill -0 $server; sleep 0.1; done
    echo "$folder"
}
"$bin/initdb" -D "$folder/data" -A trust -U postgres --no-sync -E UTF8 --no-locale </dev/null >"$folder/log" 2>&1
begin "$@"
while read -r word; do
    case $word in
        # As a crash: no client is told, nothing is tidied up.
        kill) kill -QUIT $server; wait $server || true; echo killed ;;
        start) begin "$@" ;;
    esac
done
kill -INT $server || true
wait $server || true
rm -rf "$folder"
"#;

struct Cluster {
    url: String,
    script: Option<Script>,
}

/// A cluster of one test, which may go away and come back.
pub(crate) struct Own(Cluster);

/// How a cluster is reached.
#[derive(Clone, Copy)]
pub(crate) enum Through {
    /// A socket in the file system; it is gone while the cluster is.
    Socket,
    /// A port; nobody answers there while the cluster is away.
    Port,
}

struct Script {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Script {
    /// Tells it a word, or nothing, and waits for its answer.
    fn answer(&mut self, word: &str) -> String {
        self.child.stdin.as_mut().unwrap().write_all(word.as_bytes()).unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert!(!line.trim().is_empty(), "PostgreSQL did not do it");
        line.trim().to_owned()
    }
}

impl Own {
    /// A new cluster. `None` if there is no PostgreSQL here, and none is required.
    pub(crate) fn new(through: Through) -> Option<Self> {
        programs_or_none().map(|bin| Self(start(&bin, through)))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url.replacen("/NAME", "/postgres", 1)
    }

    /// Ends the server at once, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        assert_eq!(self.0.script.as_mut().unwrap().answer("kill\n"), "killed");
    }

    pub(crate) fn start(&mut self) {
        self.0.script.as_mut().unwrap().answer("start\n");
    }
}

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database. `None` if there is no PostgreSQL here, and none is required.
pub(crate) async fn database() -> Option<String> {
    let cluster = CLUSTER.get_or_init(cluster).as_ref()?;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("slipway_{}_{number}", std::process::id());
    let admin = cluster.url.replacen("/NAME", "/postgres", 1);
    let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    connection.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    Some(cluster.url.replacen("/NAME", &format!("/{name}"), 1))
}

#[expect(clippy::disallowed_methods, reason = "the test says in its environment what it may use")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn cluster() -> Option<Cluster> {
    if let Some(url) = variable("SLIPWAY_TEST_POSTGRES") {
        // The URL names a database; ours take its place.
        let (server, _) = url.rsplit_once('/').unwrap();
        return Some(Cluster { url: format!("{server}/NAME"), script: None });
    }
    programs_or_none().map(|bin| start(&bin, Through::Socket))
}

fn programs_or_none() -> Option<String> {
    let required = variable("SLIPWAY_REQUIRE_POSTGRES").is_some();
    let found = programs();
    let problem = "PostgreSQL is required, and its programs are not in /usr/lib/postgresql";
    assert!(found.is_some() || !required, "{problem}");
    found
}

fn programs() -> Option<String> {
    let versions = fs_err::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|bin| bin.join("initdb").exists()).max()?.to_str().map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "PostgreSQL's programs are what is tested against")]
fn start(bin: &str, through: Through) -> Cluster {
    let port = match through {
        Through::Socket => None,
        Through::Port => {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            Some(free.local_addr().unwrap().port().to_string())
        }
    };
    let root = fs_err::metadata("/proc/self").unwrap().uid() == 0;
    // PostgreSQL does not run as root.
    let mut command = std::process::Command::new(if root { "runuser" } else { "sh" });
    if root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let mut child = command
        .args(["-c", SCRIPT, "postgres", bin])
        .args(&port)
        .current_dir("/tmp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let mut script = Script { child, said };
    let folder = script.answer("");
    let url = match port {
        None => format!("postgres://postgres@localhost/NAME?host={folder}"),
        Some(port) => format!("postgres://postgres@127.0.0.1:{port}/NAME"),
    };
    Cluster { url, script: Some(script) }
}
