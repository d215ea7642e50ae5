//! TLS: a certificate from files, which is read again when they change, and a listener that shakes hands.
//!
//! When unsure, go on with what was read before: files that cannot be used end a server that starts, and are only reported by
//! one that runs, because an old certificate serves machines better than none.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::serve::Listener;
use camino::Utf8PathBuf;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::Signal,
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::app::App;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many clients may shake hands at once; others wait to be accepted.
const HANDSHAKES: usize = 1024;

/// How long to wait after a connection that could not be accepted for want of something, such as file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that it was issued by, as PEM.
    pub certificate: Utf8PathBuf,
    /// The private key, as PEM.
    pub key: Utf8PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read; the source names it.
    #[error("cannot read what TLS needs")]
    Read {
        /// Why not.
        source: io::Error,
    },
    /// A file is no PEM of the right kind.
    #[error("`{path}` holds no {what} as PEM")]
    Pem {
        /// Which file.
        path: Utf8PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The two do not belong together, or are of a kind that is not known.
    #[error("the key `{key}` does not go with the certificate `{certificate}`")]
    Pair {
        /// The certificate's file.
        certificate: Utf8PathBuf,
        /// The key's file.
        key: Utf8PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("cannot set TLS up")]
    Setup {
        /// Why not.
        source: rustls::Error,
    },
}

/// What reading the files again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// They are as they were.
    Unchanged,
    /// New connections get another certificate.
    Changed,
}

/// The certificate that new connections get. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(RwLock<Pair>);

/// What was read, and the digest of the files that it was read from.
#[derive(Clone, Debug)]
struct Pair {
    certified: Arc<CertifiedKey>,
    digest: [u8; 32],
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub async fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let (certificate, key) = contents(&files).await?;
        let current = Arc::new(Current(RwLock::new(pair(&files, &certificate, &key)?)));
        Ok(Self { files, current })
    }

    /// Reads the files again. Connections that there are keep what they have.
    ///
    /// # Errors
    /// As [`Self::read`]; what was read before stays in use.
    pub async fn reload(&self) -> Result<Reloaded, TlsError> {
        let (certificate, key) = contents(&self.files).await?;
        if self.current.pair().digest == digest(&certificate, &key) {
            return Ok(Reloaded::Unchanged);
        }
        let new = pair(&self.files, &certificate, &key)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(Reloaded::Changed)
    }

    /// Shakes hands with whoever comes to a socket.
    ///
    /// # Errors
    /// When the socket has no address, or the library refuses its defaults.
    pub fn listen(&self, socket: TcpListener) -> Result<TlsListener, TlsError> {
        let address = socket.local_addr().map_err(|source| TlsError::Read { source })?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Setup { source })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(TlsListener { socket, address, acceptor, shaking: JoinSet::new() })
    }
}

impl Current {
    fn pair(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().certified)
    }
}

async fn contents(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let read =
        async |path| fs_err::tokio::read(path).await.map_err(|source| TlsError::Read { source });
    Ok((read(&files.certificate).await?, read(&files.key).await?))
}

fn digest(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let length = (certificate.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(certificate).chain_update(key).finalize().into()
}

fn pair(files: &TlsFiles, certificate: &[u8], key: &[u8]) -> Result<Pair, TlsError> {
    let pem = |path: &Utf8PathBuf, what| {
        let path = path.clone();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .and_then(
            |chain: Vec<_>| {
                if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
            },
        )
        .map_err(pem(&files.certificate, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(key).map_err(pem(&files.key, "private key"))?;
    let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
        .map_err(|source| TlsError::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        })?;
    Ok(Pair { certified: Arc::new(certified), digest: digest(certificate, key) })
}

/// Reads the files again at every SIGHUP, and every so often by itself, until the server ends. What cannot be used is logged
/// and counted, and changes nothing.
pub async fn keep_fresh(app: App, certificate: Certificate, mut hangups: Signal) {
    let every = Duration::from_secs(app.config.tls_interval);
    let mut ticks = time::interval_at(time::Instant::now() + every, every);
    let mut ending = app.ending.clone();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(()) = hangups.recv() => {}
            _ = ending.wait_for(|ending| *ending) => return,
        }
        match certificate.reload().await {
            Ok(Reloaded::Unchanged) => {}
            Ok(Reloaded::Changed) => {
                app.metrics.reloaded();
                tracing::info!("new connections get another certificate");
            }
            Err(error) => {
                app.metrics.reload_failed();
                tracing::error!(error = %crate::chain(&error), "the certificate was not read again; the one before stays in use");
            }
        }
    }
}

/// A listener that gives connections once hands are shaken. Slow clients do not keep others waiting.
pub struct TlsListener {
    socket: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    shaking: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl TlsListener {
    fn shake(&mut self, stream: TcpStream, peer: SocketAddr) {
        let accepted = self.acceptor.accept(stream);
        self.shaking.spawn(async move {
            match time::timeout(HANDSHAKE, accepted).await {
                Ok(Ok(stream)) => return Some((stream, peer)),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                Err(_) => tracing::debug!(%peer, "TLS took too long"),
            }
            None
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                Some(shaken) = self.shaking.join_next() => {
                    if let Ok(Some(connection)) = shaken {
                        return connection;
                    }
                }
                accepted = self.socket.accept(), if self.shaking.len() < HANDSHAKES => match accepted {
                    Ok((stream, peer)) => self.shake(stream, peer),
                    Err(error) if is_of_connection(&error) => {}
                    Err(error) => {
                        tracing::error!(%error, "cannot accept a connection");
                        time::sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Whether an error is about one connection, which went away before it was accepted.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
