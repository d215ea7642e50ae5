//! A remote store: blobs and records in an object store, fetched with verification and pushed once.
//!
//! What comes in is hashed before it gets a name in the local store. Records are checked for damage; whom to believe is
//! decided by who may write to the object store.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use futures::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetResult, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, WriteMultipart,
};
use tokio::sync::{OnceCell, mpsc};
use tokio::task::{JoinError, spawn_blocking};

use crate::digest::{Digest, Hasher, Key};
use crate::error::StoreError;
use crate::record::{ActionRecord, decode, encode};
use crate::store::Store;
use crate::temp::TempPath;

/// Up to this size a blob is sent in one piece, which object stores do atomically.
const ONE_PIECE: u64 = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT: usize = 4;
const RECORD_MAX: u64 = 16 * 1024 * 1024;

/// An object store that holds blobs and records. Clones share it.
#[derive(Debug, Clone)]
pub struct Remote {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<Utf8PathBuf>,
    /// Set once the server has shown that it heeds conditions.
    proven: Arc<OnceCell<()>>,
    /// What was found to be damaged there, to be replaced by the next push.
    damaged: Arc<Mutex<BTreeSet<Digest>>>,
}

/// What came of fetching a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was in the local store.
    Present,
    /// It came from the remote, and is sound.
    Fetched,
    /// The remote does not have it.
    Absent,
    /// The remote has something else under its name. A push will replace it.
    Damaged,
}

/// What came of pushing a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The remote had it.
    Present,
    /// It was sent.
    Sent,
}

/// An exchange with a remote that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields name the object and the cause; the message says the rest"
)]
pub enum RemoteError {
    /// The directory of a local remote cannot be used.
    #[error("cannot open the remote store at `{path}`")]
    Open { path: Utf8PathBuf, source: object_store::Error },
    /// An object cannot be fetched.
    #[error("cannot fetch `{object}` from the remote store")]
    Fetch { object: String, source: object_store::Error },
    /// An object cannot be sent.
    #[error("cannot push `{object}` to the remote store")]
    Push { object: String, source: object_store::Error },
    /// An object is larger than anything that belongs there.
    #[error("`{object}` has {size} bytes, more than the {limit} that it may have")]
    TooLarge { object: String, size: u64, limit: u64 },
    /// A server that writes although the condition of the write does not hold.
    #[error(
        "the server does not heed conditions (If-Match, If-None-Match), so two publishers could lose each other's work; use another one"
    )]
    Unconditional,
    /// A server whose ETags are not those that it compares with.
    #[error("the server refuses to replace `{object}` although nobody has changed it")]
    Refused { object: String },
    /// An object that is not what was sent.
    #[error("`{object}` arrived damaged at the remote store; run the command again")]
    Arrived { object: String },
    /// A blob was to be pushed that is not here.
    #[error("cannot push `{digest}`: it is not in the store")]
    Missing { digest: Digest },
    /// The local store failed.
    #[error("the local store failed while talking to the remote one")]
    Store { source: StoreError },
    /// A worker ended early, when the runtime shuts down.
    #[error("the transfer was interrupted")]
    Interrupted { source: JoinError },
}

impl Remote {
    /// Uses an object store.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, folder: None, proven: Arc::default(), damaged: Arc::default() }
    }

    /// Uses a directory, which is made when absent: a shared disk, or a test.
    pub fn local(path: &Utf8Path) -> Result<Self, RemoteError> {
        let failed = |source| RemoteError::Open { path: path.to_owned(), source };
        fs_err::create_dir_all(path).map_err(|error| {
            failed(object_store::Error::Generic { store: "local", source: Box::new(error) })
        })?;
        let objects = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
        Ok(Self { folder: Some(path.to_owned()), ..Self::new(Arc::new(objects)) })
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    pub(crate) fn proven(&self) -> &OnceCell<()> {
        &self.proven
    }

    pub(crate) fn folder(&self) -> Option<&Utf8Path> {
        self.folder.as_deref()
    }

    /// Brings a blob into the local store.
    pub async fn fetch(&self, store: &Store, digest: &Digest) -> Result<Fetched, RemoteError> {
        let (local, wanted) = (store.clone(), *digest);
        if blocking(move || local.blob(&wanted)).await?.is_some() {
            return Ok(Fetched::Present);
        }
        let path = blob_object(digest);
        let failed = |source| RemoteError::Fetch { object: path.to_string(), source };
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(Fetched::Absent),
            Err(source) => return Err(failed(source)),
        };
        let received = receive(store, found, failed).await?;
        if blocking(move || received.install(&wanted)).await? {
            return Ok(Fetched::Fetched);
        }
        self.damaged().insert(*digest);
        Ok(Fetched::Damaged)
    }

    /// Sends a blob, unless the remote has it. What was sent to a server is read back.
    pub async fn push(&self, store: &Store, digest: &Digest) -> Result<Pushed, RemoteError> {
        let replace = self.damaged().contains(digest);
        let sent = self.send(store, digest, blob_object(digest), replace).await?;
        self.damaged().remove(digest);
        Ok(sent)
    }

    /// Sends a blob under a name of its own, which nothing else must ever have.
    pub async fn push_as(
        &self,
        store: &Store,
        digest: &Digest,
        name: &str,
    ) -> Result<Pushed, RemoteError> {
        self.send(store, digest, crate::objects::path(name)?, false).await
    }

    async fn send(
        &self,
        store: &Store,
        digest: &Digest,
        path: ObjectPath,
        replace: bool,
    ) -> Result<Pushed, RemoteError> {
        let (local, wanted) = (store.clone(), *digest);
        let blob = blocking(move || local.blob(&wanted))
            .await?
            .ok_or(RemoteError::Missing { digest: *digest })?;
        let size_of = blob.clone();
        let size = blocking(move || {
            fs_err::metadata(&size_of)
                .map(|metadata| metadata.len())
                .map_err(|source| StoreError::read(&size_of, source))
        })
        .await?;
        match self.objects.head(&path).await {
            Ok(found) if found.size == size && !replace => return Ok(Pushed::Present),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(RemoteError::Push { object: path.to_string(), source }),
        }
        let sent = if size <= ONE_PIECE {
            self.send_whole(blob, &path).await
        } else {
            self.send_parts(blob, &path).await
        };
        self.arrived(digest, &path, sent).await?;
        Ok(Pushed::Sent)
    }

    /// Fetches a record and all its outputs into the local store; `None` if any is absent or damaged.
    pub async fn fetch_record(
        &self,
        store: &Store,
        key: &Key,
    ) -> Result<Option<ActionRecord>, RemoteError> {
        let path = record_object(key);
        let failed = |source| RemoteError::Fetch { object: path.to_string(), source };
        let bytes = match self.objects.get(&path).await {
            Ok(found) if found.meta.size > RECORD_MAX => return Ok(None),
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let Some(record) = decode(key, &bytes) else { return Ok(None) };
        for digest in record.outputs.values() {
            if matches!(self.fetch(store, digest).await?, Fetched::Absent | Fetched::Damaged) {
                return Ok(None);
            }
        }
        let (local, key, written) = (store.clone(), *key, record.clone());
        blocking(move || local.record(&key, &written)).await?;
        Ok(Some(record))
    }

    /// Sends the outputs of a record, then the record.
    pub async fn push_record(
        &self,
        store: &Store,
        key: &Key,
        record: &ActionRecord,
    ) -> Result<(), RemoteError> {
        for digest in record.outputs.values() {
            self.push(store, digest).await?;
        }
        let path = record_object(key);
        let bytes = encode(key, record).map_err(|source| RemoteError::Store {
            source: StoreError::Encode { path: Utf8PathBuf::from(path.to_string()), source },
        })?;
        let sent = self.objects.put(&path, PutPayload::from(bytes)).await;
        sent.map(drop).map_err(|source| RemoteError::Push { object: path.to_string(), source })
    }

    /// What came of sending a blob: what is there now counts, not the answer, which may have been lost.
    async fn arrived(
        &self,
        digest: &Digest,
        path: &ObjectPath,
        sent: Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        if self.folder.is_some() {
            return sent;
        }
        let there = self.digest(path.as_ref()).await?;
        if there.is_some_and(|(there, _)| there == *digest) {
            return Ok(());
        }
        sent.and(Err(RemoteError::Arrived { object: path.to_string() }))
    }

    async fn send_whole(&self, blob: Utf8PathBuf, path: &ObjectPath) -> Result<(), RemoteError> {
        let bytes =
            blocking(move || fs_err::read(&blob).map_err(|source| StoreError::read(&blob, source)))
                .await?;
        let sent =
            self.objects.put_opts(path, PutPayload::from(bytes), PutMode::Overwrite.into()).await;
        sent.map(drop).map_err(|source| RemoteError::Push { object: path.to_string(), source })
    }

    async fn send_parts(&self, blob: Utf8PathBuf, path: &ObjectPath) -> Result<(), RemoteError> {
        let failed = |source| RemoteError::Push { object: path.to_string(), source };
        let mut upload =
            WriteMultipart::new(self.objects.put_multipart(path).await.map_err(failed)?);
        let (sender, mut chunks) = mpsc::channel(PARTS_IN_FLIGHT);
        let reader = spawn_blocking(move || read_chunks(&blob, &sender));
        while let Some(chunk) = chunks.recv().await {
            upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(failed)?;
            upload.put(chunk);
        }
        match reader.await.map_err(|source| RemoteError::Interrupted { source })? {
            Ok(()) => upload.finish().await.map(drop).map_err(failed),
            Err(source) => {
                upload.abort().await.map_err(failed)?;
                Err(RemoteError::Store { source })
            }
        }
    }

    fn damaged(&self) -> std::sync::MutexGuard<'_, BTreeSet<Digest>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob that has come in, but has not been compared with its name.
struct Received {
    store: Store,
    temp: TempPath,
    file: fs_err::File,
    hasher: Hasher,
}

impl Received {
    fn begin(store: Store) -> Result<Self, StoreError> {
        let (temp, file) = store.inner().temp.file()?;
        Ok(Self { store, temp, file, hasher: Hasher::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|source| StoreError::write(self.temp.path(), source))
    }

    /// Whether it was what its name says.
    fn install(self, expected: &Digest) -> Result<bool, StoreError> {
        let Self { store, temp, file, hasher } = self;
        let sound = hasher.finish() == *expected;
        if sound {
            store.install_unless_present(&temp, file.file(), expected)?;
        }
        Ok(sound)
    }
}

async fn receive(
    store: &Store,
    found: GetResult,
    failed: impl Fn(object_store::Error) -> RemoteError,
) -> Result<Received, RemoteError> {
    let store = store.clone();
    let (sender, mut chunks) = mpsc::channel::<Bytes>(PARTS_IN_FLIGHT);
    let writer = spawn_blocking(move || {
        let mut received = Received::begin(store)?;
        while let Some(chunk) = chunks.blocking_recv() {
            received.write(&chunk)?;
        }
        Ok(received)
    });
    let mut stream = found.into_stream();
    while let Some(chunk) = stream.next().await {
        // The writer ends early only with an error, which is returned below.
        if sender.send(chunk.map_err(&failed)?).await.is_err() {
            break;
        }
    }
    drop(sender);
    let received = writer.await.map_err(|source| RemoteError::Interrupted { source })?;
    received.map_err(|source| RemoteError::Store { source })
}

fn read_chunks(blob: &Utf8Path, sender: &mpsc::Sender<Bytes>) -> Result<(), StoreError> {
    let failed = |source| StoreError::read(blob, source);
    let mut file = fs_err::File::open(blob).map_err(failed)?;
    loop {
        let mut chunk = Vec::with_capacity(1024 * 1024);
        (&mut file).take(1024 * 1024).read_to_end(&mut chunk).map_err(failed)?;
        // Without a receiver the upload has failed, and says so itself.
        if chunk.is_empty() || sender.blocking_send(chunk.into()).is_err() {
            return Ok(());
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, RemoteError> {
    let done = spawn_blocking(work).await.map_err(|source| RemoteError::Interrupted { source })?;
    done.map_err(|source| RemoteError::Store { source })
}

fn blob_object(digest: &Digest) -> ObjectPath {
    object("blobs", digest)
}

fn record_object(key: &Key) -> ObjectPath {
    object("actions", key.digest())
}

fn object(kind: &str, digest: &Digest) -> ObjectPath {
    let hex = digest.to_string();
    ObjectPath::from_iter([kind, &hex[..2], &hex])
}
