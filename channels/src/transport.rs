//! A client's way to a repository that is kept in any object store, not only in a folder.

use async_trait::async_trait;
use futures::stream;
use slipway_store::Remote;
use tough::{Transport, TransportError, TransportErrorKind, TransportStream};
use url::Url;

/// No record and no metadata is larger, in bytes; `tough` has lower limits for each kind.
const LIMIT: u64 = 16 << 20;

/// Reads what a client asks for from an object store. The addresses are those of [`RemoteTransport::metadata`] and
/// [`RemoteTransport::targets`].
#[derive(Clone, Debug)]
pub struct RemoteTransport {
    remote: Remote,
}

impl RemoteTransport {
    /// Reads from here.
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Where the metadata is.
    pub fn metadata() -> Url {
        address("metadata")
    }

    /// Where the targets are.
    pub fn targets() -> Url {
        address("targets")
    }
}

fn address(part: &str) -> Url {
    Url::parse(&format!("objects:///{part}/")).expect("a fixed address can be read")
}

#[async_trait]
impl Transport for RemoteTransport {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        if url.scheme() != "objects" {
            return Err(TransportError::new(TransportErrorKind::UnsupportedUrlScheme, url));
        }
        let name = url.path().trim_start_matches('/');
        match self.remote.read(name, LIMIT).await {
            Ok(Some(bytes)) => Ok(Box::pin(stream::iter([Ok(bytes)]))),
            Ok(None) => Err(TransportError::new(TransportErrorKind::FileNotFound, url)),
            Err(error) => {
                Err(TransportError::new_with_cause(TransportErrorKind::Other, url, error))
            }
        }
    }
}
