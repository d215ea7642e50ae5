//! An update server over HTTP/1.1: Omaha and the repository's files, with faults on demand.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use slipway_omaha::{
    AppResponse, CheckResponse, CheckStatus, Manifest, Request, Response, SLIPWAY_APP_ID,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Connections are closed at once.
    pub(crate) down: bool,
    /// Nothing is answered.
    pub(crate) silent: bool,
    /// A payload's answer ends after so many bytes.
    pub(crate) cut_after: Option<usize>,
    /// A byte of each payload's answer at this place of the file is changed.
    pub(crate) flip: Option<u64>,
    /// Ranges are not known.
    pub(crate) no_ranges: bool,
    /// All files are answered with this status.
    pub(crate) status: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    offer: Option<String>,
    answer: Option<String>,
    faults: Faults,
    requests: Vec<Request>,
    sent: usize,
}

/// A server that runs until the test ends.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: Url,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn new(repository: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { url, state: Arc::default() };
        let (task, folder) = (server.clone(), repository.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, folder) = (task.clone(), folder.clone());
                tokio::spawn(async move { server.serve(stream, folder).await });
            }
        });
        server
    }

    pub(crate) fn offer(&self, version: Option<&str>) {
        self.state.lock().unwrap().offer = version.map(ToOwned::to_owned);
    }

    /// Answers every check with this text.
    pub(crate) fn answer(&self, text: &str) {
        self.state.lock().unwrap().answer = Some(text.to_owned());
    }

    pub(crate) fn faults(&self, faults: Faults) {
        self.state.lock().unwrap().faults = faults;
    }

    /// How many bytes of payloads were sent since the last question.
    pub(crate) fn sent(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }

    /// The events that came since the last question: type, result, code or version before.
    pub(crate) fn events(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().unwrap().requests);
        let events =
            requests.into_iter().flat_map(|request| request.apps).flat_map(|app| app.events);
        let text = |event: slipway_omaha::Event| {
            let code = event.error_code.map(|code| format!(" {}", code.raw()));
            let previous = event.previous_version.map(|version| format!(" from '{version}'"));
            let rest = code.or(previous).unwrap_or_default();
            format!("{}/{}{rest}", event.kind.number(), event.result.number())
        };
        events.map(text).collect()
    }

    async fn serve(&self, mut stream: TcpStream, folder: PathBuf) {
        let faults = self.state.lock().unwrap().faults.clone();
        if faults.down {
            return;
        }
        let Some((head, body)) = read(&mut stream).await else { return };
        if faults.silent {
            return std::future::pending().await;
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if path == "/v1/update/" {
            let answer = self.omaha(&body);
            let _gone = write(&mut stream, 200, "", answer.as_bytes()).await;
        } else {
            let _gone = self.file(&mut stream, &folder, &path, &head, &faults).await;
        }
    }

    fn omaha(&self, body: &[u8]) -> String {
        let mut state = self.state.lock().unwrap();
        let request = Request::parse(body).unwrap();
        let asked = request.apps[0].update_check.is_some();
        state.requests.push(request);
        if let Some(answer) = state.answer.clone().filter(|_| asked) {
            return answer;
        }
        let mut app = AppResponse::new(SLIPWAY_APP_ID.parse().unwrap());
        app.update_check = asked.then(|| match &state.offer {
            Some(version) => {
                let manifest = Manifest { version: version.clone(), ..Manifest::default() };
                let mut check = CheckResponse::with_status(CheckStatus::Ok);
                check.manifests.push(manifest);
                check
            }
            None => CheckResponse::no_update(),
        });
        let mut response = Response::new("test");
        response.apps.push(app);
        response.to_xml()
    }

    async fn file(
        &self,
        stream: &mut TcpStream,
        folder: &Path,
        path: &str,
        head: &str,
        faults: &Faults,
    ) -> std::io::Result<()> {
        let name = path.strip_prefix("/repository/").unwrap_or_default();
        let (Ok(mut bytes), None) = (fs_err::read(folder.join(name)), faults.status) else {
            return write(stream, faults.status.unwrap_or(404), "", b"").await;
        };
        let is_payload = name.starts_with("blobs/");
        if let Some(place) = faults.flip.filter(|_| is_payload) {
            bytes[place as usize] ^= 1;
        }
        let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let from = range.and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
        let from = from.filter(|_| !faults.no_ranges);
        let (status, extra) = match from {
            Some(from) => {
                let length = bytes.len();
                (206, format!("content-range: bytes {from}-{}/{length}\r\n", length - 1))
            }
            None => (200, String::new()),
        };
        let body = bytes.split_off(from.unwrap_or(0).min(bytes.len()));
        let sent = faults.cut_after.filter(|_| is_payload).unwrap_or(body.len()).min(body.len());
        if is_payload {
            self.state.lock().unwrap().sent += sent;
        }
        let length = body.len();
        let start = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{extra}\r\n"
        );
        stream.write_all(start.as_bytes()).await?;
        stream.write_all(&body[..sent]).await?;
        stream.shutdown().await
    }
}

async fn write(
    stream: &mut TcpStream,
    status: u16,
    extra: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let start = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{extra}\r\n"
    );
    stream.write_all(start.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// The head of a request, in small letters but for the path, and its body.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).ok()?;
    let (first, rest) = head.split_once("\r\n")?;
    let head = format!("{first}\r\n{}", rest.to_ascii_lowercase());
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}
