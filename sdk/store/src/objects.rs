//! Named objects of a remote: files that are made once and never change, and pointers that are switched.

use bytes::Bytes;
use camino::Utf8PathBuf;
use futures::StreamExt as _;
use object_store::{
    GetOptions, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion, path::Path as ObjectPath,
};

use crate::{Digest, Remote, RemoteError, digest::Hasher};

/// No pointer is larger, in bytes.
const POINTER_MAX: u64 = 1 << 20;

/// What came of making an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    New,
    /// It was there, with the same bytes.
    Same,
    /// It is there with other bytes, and was left alone.
    Other,
}

impl Remote {
    /// The bytes of an object, if it is there.
    ///
    /// # Errors
    /// When the exchange fails, or the object is larger than `limit` bytes.
    pub async fn read(&self, name: &str, limit: u64) -> Result<Option<Bytes>, RemoteError> {
        Ok(self.get(name, limit).await?.map(|(bytes, _)| bytes))
    }

    async fn get(
        &self,
        name: &str,
        limit: u64,
    ) -> Result<Option<(Bytes, UpdateVersion)>, RemoteError> {
        let path = path(name)?;
        let failed = |source| RemoteError::Fetch { object: name.to_owned(), source };
        let found = match self.objects().get_opts(&path, GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        if found.meta.size > limit {
            let (object, size) = (name.to_owned(), found.meta.size);
            return Err(RemoteError::TooLarge { object, size, limit });
        }
        let version =
            UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok(Some((found.bytes().await.map_err(failed)?, version)))
    }

    /// The digest and the length of an object, if it is there. It is read, but not kept.
    ///
    /// # Errors
    /// When the exchange fails.
    pub async fn digest(&self, name: &str) -> Result<Option<(Digest, u64)>, RemoteError> {
        let failed = |source| RemoteError::Fetch { object: name.to_owned(), source };
        let mut stream = match self.objects().get_opts(&path(name)?, GetOptions::default()).await {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let (mut hasher, mut length) = (Hasher::new(), 0);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(failed)?;
            length += chunk.len() as u64;
            hasher.update(&chunk);
        }
        Ok(Some((hasher.finish(), length)))
    }

    /// Makes an object, unless there is one of that name.
    ///
    /// # Errors
    /// When the exchange fails.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, RemoteError> {
        self.prove_conditions().await?;
        let path = path(name)?;
        let mut lost = self.tries();
        loop {
            let payload = PutPayload::from(bytes.clone());
            match self.objects().put_opts(&path, payload, PutMode::Create.into()).await {
                Ok(_) => return Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => {
                    let same = self.says(name, &bytes).await?;
                    return Ok(if same { Created::Same } else { Created::Other });
                }
                // Whether it came through is not known; asking again makes no second one.
                Err(_) if lost.next().is_some() => {}
                Err(source) => return Err(RemoteError::Push { object: name.to_owned(), source }),
            }
        }
    }

    /// Whether an object is there with these bytes.
    async fn says(&self, name: &str, bytes: &Bytes) -> Result<bool, RemoteError> {
        match self.read(name, bytes.len() as u64).await {
            Err(RemoteError::TooLarge { .. }) => Ok(false),
            there => Ok(there?.is_some_and(|there| there == *bytes)),
        }
    }

    /// How often a write is tried again whose answer was lost.
    fn tries(&self) -> std::ops::Range<usize> {
        0..if self.folder().is_some() { 0 } else { 2 }
    }

    /// Replaces an object whose bytes have the digest `expected` (`None`: which is not there), or does nothing and gives
    /// `false`: somebody else was faster. Of two that try at the same time, one succeeds; on a server, two that would write
    /// the same bytes may both be told that they did.
    ///
    /// # Errors
    /// When the exchange fails; then it is not known whether the object was replaced.
    pub async fn switch(
        &self,
        name: &str,
        expected: Option<&Digest>,
        bytes: Bytes,
    ) -> Result<bool, RemoteError> {
        // A folder cannot compare and replace in one step, so those who share it take turns.
        let _turn = match self.folder() {
            Some(folder) => Some(take_turn(folder.join("switch.lock")).await?),
            None => None,
        };
        self.prove_conditions().await?;
        let path = path(name)?;
        let mut again = self.tries();
        let mut first = true;
        loop {
            let there = self.get(name, POINTER_MAX).await?;
            // The answer to an earlier try was lost, but not the try.
            if !first && there.as_ref().is_some_and(|(there, _)| *there == bytes) {
                return Ok(true);
            }
            first = false;
            if there.as_ref().map(|(bytes, _)| Digest::of_bytes(bytes)).as_ref() != expected {
                return Ok(false);
            }
            let mode = match there {
                None => PutMode::Create,
                Some(_) if self.folder().is_some() => PutMode::Overwrite,
                Some((_, version)) => PutMode::Update(version),
            };
            let payload = PutPayload::from(bytes.clone());
            let error = match self.objects().put_opts(&path, payload, mode.into()).await {
                Ok(_) => return Ok(true),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) if self.folder().is_some() => return Ok(false),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => RemoteError::Refused { object: name.to_owned() },
                Err(source) => RemoteError::Push { object: name.to_owned(), source },
            };
            if again.next().is_none() {
                return Err(error);
            }
        }
    }

    /// Replaces an object, whatever it was.
    ///
    /// # Errors
    /// When the exchange fails.
    pub async fn overwrite(&self, name: &str, bytes: Bytes) -> Result<(), RemoteError> {
        let failed = |source| RemoteError::Push { object: name.to_owned(), source };
        let sent = self.objects().put(&path(name)?, PutPayload::from(bytes)).await;
        sent.map(drop).map_err(failed)
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// When the exchange fails.
    pub async fn remove(&self, name: &str) -> Result<(), RemoteError> {
        match self.objects().delete(&path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(RemoteError::Push { object: name.to_owned(), source }),
        }
    }
}

pub(crate) fn path(name: &str) -> Result<ObjectPath, RemoteError> {
    ObjectPath::parse(name)
        .map_err(|error| RemoteError::Fetch { object: name.to_owned(), source: error.into() })
}

/// Waits for the lock of a folder; it is given back when the file is dropped.
async fn take_turn(file: Utf8PathBuf) -> Result<fs_err::File, RemoteError> {
    let lock = move || {
        let open = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&file);
        let open = open.map_err(|source| crate::StoreError::write(&file, source))?;
        rustix::fs::flock(open.file(), rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| crate::StoreError::write(&file, error.into()))?;
        Ok::<_, crate::StoreError>(open)
    };
    let done = tokio::task::spawn_blocking(lock)
        .await
        .map_err(|source| RemoteError::Interrupted { source })?;
    done.map_err(|source| RemoteError::Store { source })
}
