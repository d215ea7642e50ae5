//! A PostgreSQL server for the tests of this process. It ends when the process does, however that ends.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::MetadataExt as _,
    process::{Child, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{Connection as _, Executor as _};

/// Makes a cluster, says where it is, and waits until nobody holds its standard input any more.
const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d)
bin=$1
"$bin/initdb" -D "$folder/data" -A trust -U postgres --no-sync -E UTF8 --no-locale </dev/null >"$folder/log" 2>&1
"$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c max_connections=300 </dev/null >>"$folder/log" 2>&1 &
server=$!
until "$bin/pg_isready" -q -h "$folder"; do kill -0 $server; sleep 0.1; done
echo "$folder"
read -r _ || true
kill -INT $server
wait $server || true
rm -rf "$folder"
"#;

struct Cluster {
    url: String,
    _script: Option<Child>,
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
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn cluster() -> Option<Cluster> {
    if let Some(url) = variable("SLIPWAY_TEST_POSTGRES") {
        // The URL names a database; ours take its place.
        let (server, _) = url.rsplit_once('/').unwrap();
        return Some(Cluster { url: format!("{server}/NAME"), _script: None });
    }
    let required = variable("SLIPWAY_REQUIRE_POSTGRES").is_some();
    let Some(bin) = programs() else {
        assert!(
            !required,
            "PostgreSQL is required, and its programs are not in /usr/lib/postgresql"
        );
        return None;
    };
    Some(start(&bin))
}

fn programs() -> Option<String> {
    let versions = fs_err::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|bin| bin.join("initdb").exists()).max()?.to_str().map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "PostgreSQL's programs are what is tested against")]
fn start(bin: &str) -> Cluster {
    let root = fs_err::metadata("/proc/self").unwrap().uid() == 0;
    // PostgreSQL does not run as root.
    let mut command = std::process::Command::new(if root { "runuser" } else { "sh" });
    if root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let mut child = command
        .args(["-c", SCRIPT, "postgres", bin])
        .current_dir("/tmp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut folder = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
    let folder = folder.trim();
    assert!(!folder.is_empty(), "PostgreSQL did not start");
    Cluster {
        url: format!("postgres://postgres@localhost/NAME?host={folder}"),
        _script: Some(child),
    }
}
