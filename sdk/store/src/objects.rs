//! Named objects of a remote: files that are made once and never change, and pointers that are switched.

use bytes::Bytes;
use camino::Utf8PathBuf;
use object_store::{
    GetOptions, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion, path::Path as ObjectPath,
};

use crate::{Digest, Remote, RemoteError};

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

    /// Makes an object, unless there is one of that name.
    ///
    /// # Errors
    /// When the exchange fails.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, RemoteError> {
        let path = path(name)?;
        let failed = |source| RemoteError::Push { object: name.to_owned(), source };
        let payload = PutPayload::from(bytes.clone());
        match self.objects().put_opts(&path, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let size = bytes.len() as u64;
                let there = match self.read(name, size).await {
                    Err(RemoteError::TooLarge { .. }) => return Ok(Created::Other),
                    other => other?,
                };
                Ok(if there.is_some_and(|there| there == bytes) {
                    Created::Same
                } else {
                    Created::Other
                })
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// Replaces an object whose bytes have the digest `expected` (`None`: which is not there), or does nothing and gives
    /// `false`: somebody else was faster. Of two that try at the same time, one succeeds.
    ///
    /// # Errors
    /// When the exchange fails.
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
        let limit = 1 << 20;
        let there = self.get(name, limit).await?;
        let found = there.as_ref().map(|(bytes, _)| Digest::of_bytes(bytes));
        if found.as_ref() != expected {
            return Ok(false);
        }
        let mode = match there {
            None => PutMode::Create,
            Some(_) if self.folder().is_some() => PutMode::Overwrite,
            Some((_, version)) => PutMode::Update(version),
        };
        let sent =
            self.objects().put_opts(&path(name)?, PutPayload::from(bytes), mode.into()).await;
        match sent {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(source) => Err(RemoteError::Push { object: name.to_owned(), source }),
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

fn path(name: &str) -> Result<ObjectPath, RemoteError> {
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
