//! Getting bytes: over HTTP with retries, ranges and mirrors, or from a folder.

use std::{path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Client, StatusCode, header};
use tough::{Transport, TransportError, TransportErrorKind, TransportStream};
use url::Url;

use crate::{
    backoff::{Backoff, Rate},
    config::Config,
};

/// No document of a server is longer, in bytes; `tough` bounds metadata more tightly.
const DOCUMENT: usize = 8 << 20;

/// No exchange of documents with the update server takes longer: an answer that drips does not hold the agent.
const EXCHANGE: Duration = Duration::from_secs(120);

/// The name by which servers know the agent; `spec` of Omaha: `PROGRAM-VERSION`.
pub const AGENT: &str = "slipway-update-engine-1.0.0";

/// Why bytes did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A client that cannot be made.
    #[error("cannot prepare for HTTP")]
    Client(#[source] reqwest::Error),
    /// A connection.
    #[error("cannot reach {url}")]
    Connect {
        /// The address.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// An answer that does not end.
    #[error("{url} sent more than {limit} bytes")]
    TooLong {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// An answer to another question.
    #[error("{url} sent another range than it was asked for")]
    WrongRange {
        /// The address.
        url: String,
    },
    /// An answer that ended early.
    #[error("{url} sent less than it has")]
    Short {
        /// The address.
        url: String,
    },
    /// A file.
    #[error("cannot read from the folder of the update")]
    File(#[source] std::io::Error),
    /// Nowhere to ask.
    #[error("no address is configured to get this from")]
    Nowhere,
}

impl FetchError {
    /// The number that the server is told (update_engine: 2000 + HTTP status; 9 for transfers).
    pub fn code(&self) -> u32 {
        match self {
            Self::Status { status, .. } => 2000 + u32::from(*status),
            _ => 9,
        }
    }

    /// Whether the same question may have another answer later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Connect { .. } | Self::Short { .. } => true,
            _ => false,
        }
    }

    fn is_missing(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 403 | 404 | 410),
            Self::File(error) => error.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// Where a repository is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On servers: the first one, then its mirrors.
    Http(Vec<Url>),
    /// In a folder of this machine.
    Folder(PathBuf),
}

/// Gets bytes.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    backoff: Backoff,
    rate_limit: Option<u64>,
}

impl Fetcher {
    /// One as configured. Proxies of the environment are used unless one is configured.
    ///
    /// # Errors
    /// When HTTP cannot be prepared.
    pub fn new(config: &Config) -> Result<Self, FetchError> {
        let mut builder = Client::builder()
            .user_agent(AGENT)
            .connect_timeout(Duration::from_secs(20))
            .read_timeout(config.stall)
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                let from = attempt.previous().last().map(|url| url.scheme() == "https");
                let weaker = from == Some(true) && attempt.url().scheme() != "https";
                match weaker || attempt.previous().len() > 10 {
                    true => attempt.error("a redirection to somewhere else"),
                    false => attempt.follow(),
                }
            }));
        if let Some(proxy) = &config.proxy {
            builder =
                builder.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(FetchError::Client)?);
        }
        let client = builder.build().map_err(FetchError::Client)?;
        Ok(Self { client, backoff: config.backoff, rate_limit: config.rate_limit })
    }

    /// Posts a document, once: the next check is the next try.
    ///
    /// # Errors
    /// When there is no answer of at most 8 MiB within two minutes.
    pub async fn post(&self, url: Url, body: String) -> Result<Bytes, FetchError> {
        let request = self.client.post(url.clone()).timeout(EXCHANGE);
        let request = request.header(header::CONTENT_TYPE, "text/xml").body(body);
        let response = request.send().await.map_err(|source| connect(&url, source))?;
        document(&url, accepted(&url, response)?).await
    }

    /// Asks whether a server is there; any answer counts.
    ///
    /// # Errors
    /// When there is none.
    pub async fn reach(&self, url: Url) -> Result<(), FetchError> {
        self.client.get(url.clone()).send().await.map(drop).map_err(|source| connect(&url, source))
    }

    /// Gets a document, with retries.
    ///
    /// # Errors
    /// When all tries failed.
    async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        let mut failures = 0;
        loop {
            let attempt = async {
                let response = self.client.get(url.clone()).send().await;
                let response = response.map_err(|source| connect(url, source))?;
                document(url, accepted(url, response)?).await
            };
            match attempt.await {
                Err(error) if error.is_temporary() => {
                    failures += 1;
                    self.pause(failures).await.ok_or(error)?;
                }
                result => return result,
            }
        }
    }

    /// Waits; none when it is time to give up.
    async fn pause(&self, failures: u32) -> Option<()> {
        let mut chance = [0];
        let _without_chance = getrandom::fill(&mut chance);
        tokio::time::sleep(self.backoff.wait(failures, chance[0])?).await;
        Some(())
    }
}

fn connect(url: &Url, source: reqwest::Error) -> FetchError {
    FetchError::Connect { url: url.to_string(), source }
}

fn accepted(url: &Url, response: reqwest::Response) -> Result<reqwest::Response, FetchError> {
    match response.status().is_success() {
        true => Ok(response),
        false => {
            Err(FetchError::Status { url: url.to_string(), status: response.status().as_u16() })
        }
    }
}

async fn document(url: &Url, mut response: reqwest::Response) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|source| connect(url, source))? {
        if bytes.len() + piece.len() > DOCUMENT {
            return Err(FetchError::TooLong { url: url.to_string(), limit: DOCUMENT });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// A file of a repository, read from a position on. It goes on after interruptions, and to the next mirror when one is of no use.
pub struct Download<'a> {
    fetcher: &'a Fetcher,
    places: Vec<Url>,
    folder: Option<PathBuf>,
    place: usize,
    position: u64,
    failures: u32,
    rate: Rate,
    response: Option<reqwest::Response>,
    skip: u64,
    buffer: BytesMut,
    received: u64,
}

impl std::fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("position", &self.position).finish_non_exhaustive()
    }
}

impl<'a> Download<'a> {
    /// Starts at `position`, in bytes, of the file `object`.
    ///
    /// # Errors
    /// When its name makes no address.
    pub fn new(
        fetcher: &'a Fetcher,
        place: &Place,
        object: &str,
        position: u64,
    ) -> Result<Self, FetchError> {
        let (places, folder) = match place {
            Place::Http(bases) => {
                (bases.iter().filter_map(|base| base.join(object).ok()).collect(), None)
            }
            Place::Folder(folder) => (Vec::new(), Some(folder.join(object))),
        };
        if places.is_empty() && folder.is_none() {
            return Err(FetchError::Nowhere);
        }
        Ok(Self {
            fetcher,
            places,
            folder,
            place: 0,
            position,
            failures: 0,
            rate: Rate::new(fetcher.rate_limit),
            response: None,
            skip: 0,
            buffer: BytesMut::new(),
            received: 0,
        })
    }

    /// How many bytes came over the network.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many mirrors there are.
    pub fn mirrors(&self) -> usize {
        self.places.len().max(1)
    }

    /// What came last is not what was signed: go back to `position` and ask the next mirror.
    pub fn distrust(&mut self, position: u64) {
        self.next_place();
        self.position = position;
        self.buffer.clear();
    }

    /// Goes on from `position`, in bytes.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
        self.buffer.clear();
        self.response = None;
    }

    fn next_place(&mut self) {
        self.place = (self.place + 1) % self.places.len().max(1);
        self.response = None;
    }

    /// The next `length` bytes. The memory that it takes grows with what comes, not with what is claimed.
    ///
    /// # Errors
    /// When all mirrors failed for too long, or the file ends.
    pub async fn take(&mut self, length: usize) -> Result<Bytes, FetchError> {
        if let Some(path) = &self.folder {
            let bytes = read_file(path.clone(), self.position, length).await?;
            self.position += length as u64;
            return Ok(bytes);
        }
        while self.buffer.len() < length {
            match self.piece().await {
                Ok(piece) => {
                    // What only repeats what is there already is no progress.
                    if !piece.is_empty() {
                        self.failures = 0;
                    }
                    self.buffer.extend_from_slice(&piece);
                }
                Err(error) => self.failed(error).await?,
            }
        }
        let bytes = self.buffer.split_to(length).freeze();
        self.position += length as u64;
        Ok(bytes)
    }

    async fn failed(&mut self, error: FetchError) -> Result<(), FetchError> {
        self.failures += 1;
        // A mirror that does not have the file is of no use; one that is down may come back.
        let others = self.places.len() > 1;
        if !error.is_temporary() && (!others || self.failures as usize >= self.places.len()) {
            return Err(error);
        }
        self.next_place();
        match self.fetcher.pause(self.failures).await {
            Some(()) => Ok(()),
            None => Err(error),
        }
    }

    async fn piece(&mut self) -> Result<Bytes, FetchError> {
        let url = self.places[self.place].clone();
        let mut response = match self.response.take() {
            Some(response) => response,
            None => self.open(&url).await?,
        };
        // The clock of the runtime: tests can stop it.
        let start = tokio::time::Instant::now();
        let piece = response.chunk().await.map_err(|source| connect(&url, source))?;
        let Some(mut piece) = piece else { return Err(FetchError::Short { url: url.to_string() }) };
        self.response = Some(response);
        self.received += piece.len() as u64;
        tokio::time::sleep(self.rate.wait(piece.len() as u64, start.elapsed())).await;
        let skipped = self.skip.min(piece.len() as u64);
        self.skip -= skipped;
        Ok(piece.split_off(skipped as usize))
    }

    async fn open(&mut self, url: &Url) -> Result<reqwest::Response, FetchError> {
        let from = self.position + self.buffer.len() as u64;
        let request = self.fetcher.client.get(url.clone());
        let request = request.header(header::RANGE, format!("bytes={from}-"));
        let response = request.send().await.map_err(|source| connect(url, source))?;
        let response = accepted(url, response)?;
        self.skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = response.headers().get(header::CONTENT_RANGE);
                let range = range.and_then(|range| range.to_str().ok()).unwrap_or_default();
                if !range.starts_with(&format!("bytes {from}-")) {
                    return Err(FetchError::WrongRange { url: url.to_string() });
                }
                0
            }
            // A server without ranges sends everything.
            _ => from,
        };
        Ok(response)
    }
}

async fn read_file(path: PathBuf, position: u64, length: usize) -> Result<Bytes, FetchError> {
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
    let mut file = fs_err::tokio::File::open(path).await.map_err(FetchError::File)?;
    file.seek(std::io::SeekFrom::Start(position)).await.map_err(FetchError::File)?;
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes).await.map_err(FetchError::File)?;
    match bytes.len() == length {
        true => Ok(bytes.into()),
        false => Err(FetchError::File(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// The way by which `tough` gets metadata and targets.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) fetcher: Fetcher,
}

#[async_trait::async_trait]
impl Transport for Metadata {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let result = match url.to_file_path() {
            Ok(path) if url.scheme() == "file" => {
                fs_err::tokio::read(path).await.map(Bytes::from).map_err(FetchError::File)
            }
            _ => self.fetcher.get(&url).await,
        };
        match result {
            Ok(bytes) => Ok(Box::pin(futures::stream::once(std::future::ready(Ok(bytes))))),
            Err(error) => {
                let kind = match error.is_missing() {
                    true => TransportErrorKind::FileNotFound,
                    false => TransportErrorKind::Other,
                };
                Err(TransportError::new_with_cause(kind, url.as_str(), error))
            }
        }
    }
}
