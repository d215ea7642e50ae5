//! A server of S3 with one bucket, behind a proxy that does to chosen requests what networks and servers do.
//!
//! The proxy lets one request through at a time: the server looks at a condition and writes in two steps, which S3 does in one.

#![allow(dead_code, reason = "the tests of two crates use it, each a part of it")]

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use slipway_store::{Patience, Remote, S3Credentials, S3Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends before the server has seen it.
    Dropped,
    /// The server sees half of its body; then the connection ends.
    Half,
    /// The server does it, and the answer is lost.
    LostAnswer,
    /// The server does it, and the answer is `503 Service Unavailable`.
    FailedAfter,
    /// It is answered with `503 Service Unavailable`, and nothing is done.
    Unavailable,
    /// It is never answered.
    Silent,
    /// The answer comes a few bytes at a time.
    Slow,
    /// The answer has another ETag than the object.
    WrongTag,
    /// A request with a condition is answered as if the condition held.
    Unconditional,
}

/// Which requests, and how many of them.
struct Rule {
    matches: Box<dyn Fn(&str) -> bool + Send>,
    /// So many are let through before.
    skip: usize,
    /// So many are hit.
    hits: usize,
    /// So many were hit.
    done: usize,
    fault: Fault,
}

/// The bucket and what is about to happen to requests.
pub(crate) struct Bucket {
    dir: tempfile::TempDir,
    proxy: SocketAddr,
    rules: Arc<Mutex<Vec<Rule>>>,
}

const NAME: &str = "releases";

impl Bucket {
    /// Starts server and proxy; they end with the runtime of the test.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join(NAME)).unwrap();
        let server = serve(dir.path()).await;
        let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let turn: Arc<tokio::sync::Mutex<()>> = Arc::default();
        let known = rules.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (rules, turn) = (known.clone(), turn.clone());
                // A connection that breaks is what some tests want.
                tokio::spawn(async move { relay(client, server, &rules, &turn).await.ok() });
            }
        });
        Self { dir, proxy, rules }
    }

    /// How to reach it.
    pub(crate) fn server(&self) -> S3Server {
        S3Server {
            endpoint: Some(format!("http://{}", self.proxy)),
            region: "us-east-1".to_owned(),
            credentials: Some(S3Credentials {
                key_id: "publisher".to_owned(),
                secret: "secret".to_owned(),
                token: None,
            }),
            patience: Patience {
                answer: Duration::from_secs(20),
                pause: Duration::from_millis(1),
                repetitions: 2,
            },
        }
    }

    /// A part of the bucket, as a publisher of its own.
    pub(crate) fn remote(&self) -> Remote {
        Remote::s3(NAME, "some/where", &self.server()).unwrap()
    }

    /// The file that an object is kept in.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(NAME).join("some/where").join(name)
    }

    /// The next `hits` requests whose first line has `method` and `part` in it are hit.
    pub(crate) fn hit(&self, method: &str, part: &str, hits: usize, fault: Fault) {
        let (start, part) = (format!("{method} "), part.to_owned());
        let matches = Box::new(move |line: &str| line.starts_with(&start) && line.contains(&part));
        self.rules.lock().unwrap().push(Rule { matches, skip: 0, hits, done: 0, fault });
    }

    /// The same for all requests after the next `skip` ones.
    pub(crate) fn hit_after(&self, skip: usize, hits: usize, fault: Fault) {
        let matches = Box::new(|_: &str| true);
        self.rules.lock().unwrap().push(Rule { matches, skip, hits, done: 0, fault });
    }

    /// Ends all faults, and says how many requests were hit.
    pub(crate) fn heal(&self) -> usize {
        std::mem::take(&mut *self.rules.lock().unwrap()).iter().map(|rule| rule.done).sum()
    }
}

async fn serve(root: &std::path::Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("publisher", "secret"));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                http.serve_connection(TokioIo::new(socket), service).await.ok();
            });
        }
    });
    address
}

/// The fault of a request, if it has one.
fn fault_of(rules: &Mutex<Vec<Rule>>, line: &str) -> Option<Fault> {
    let mut rules = rules.lock().unwrap();
    let rule = rules.iter_mut().find(|rule| rule.hits > 0 && (rule.matches)(line))?;
    if rule.skip > 0 {
        rule.skip -= 1;
        return None;
    }
    rule.hits -= 1;
    rule.done += 1;
    Some(rule.fault)
}

/// Takes one request, and ends the connection.
async fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    rules: &Mutex<Vec<Rule>>,
    turn: &tokio::sync::Mutex<()>,
) -> io::Result<()> {
    let Some((head, body)) = request(&mut client).await? else { return Ok(()) };
    let fault = fault_of(rules, head.lines().next().unwrap_or_default());
    let forward = async |head: &str, body: &[u8]| {
        let _turn = turn.lock().await;
        ask(server, head, body, Half::No).await
    };
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const DONE: &[u8] =
        b"HTTP/1.1 200 OK\r\netag: \"1\"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answer = match fault {
        Some(Fault::Dropped) => return Ok(()),
        Some(Fault::Unavailable) => BUSY.to_vec(),
        Some(Fault::Silent) => {
            // Until the client has lost its patience.
            return client.read(&mut [0]).await.map(drop);
        }
        Some(Fault::Half) => {
            let _turn = turn.lock().await;
            ask(server, &head, &body[..body.len() / 2], Half::Yes).await.ok();
            return Ok(());
        }
        Some(Fault::LostAnswer) => return forward(&head, &body).await.map(drop),
        Some(Fault::FailedAfter) => {
            forward(&head, &body).await?;
            BUSY.to_vec()
        }
        Some(Fault::Unconditional) if without(&head, "if-") != head => DONE.to_vec(),
        Some(Fault::WrongTag) => {
            let answer = forward(&head, &body).await?;
            let end = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(answer.len());
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            let mut other = without(&head, "etag:").into_bytes();
            other.extend_from_slice(b"\r\netag: \"0123456789abcdef0123456789abcdef\"");
            other.extend_from_slice(&answer[end..]);
            other
        }
        Some(Fault::Slow | Fault::Unconditional) | None => forward(&head, &body).await?,
    };
    if fault == Some(Fault::Slow) {
        for piece in answer.chunks(97) {
            client.write_all(piece).await?;
            client.flush().await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    } else {
        client.write_all(&answer).await?;
    }
    client.shutdown().await
}

/// A head without the lines that start so.
fn without(head: &str, start: &str) -> String {
    let kept: Vec<&str> =
        head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with(start)).collect();
    kept.join("\r\n")
}

/// Reads the head, without its last empty line, and the body.
async fn request(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while body.len() < length.unwrap_or(0) {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, body)))
}

/// Whether the body ends early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Yes,
    No,
}

/// Hands a request to the server over a connection of its own, and gives the answer.
async fn ask(server: SocketAddr, head: &str, body: &[u8], half: Half) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(server).await?;
    let head = without(head, "connection:");
    connection.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    connection.write_all(body).await?;
    // Else the server waits for the rest; and a server that waits for nothing takes the end for a client that has gone.
    if half == Half::Yes {
        connection.shutdown().await?;
    }
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(answer)
}
