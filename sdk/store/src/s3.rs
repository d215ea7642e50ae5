//! S3: the address of a bucket, how it is opened, and the check that its server keeps the promise of conditional writes.

use std::{str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use camino::Utf8PathBuf;
use object_store::{
    BackoffConfig, ClientOptions, PutMode, PutPayload, RetryConfig, UpdateVersion,
    aws::AmazonS3Builder, path::Path as ObjectPath, prefix::PrefixStore,
};

use crate::{Remote, RemoteError};

/// Where releases or builds are kept: a folder, or a part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteAddress {
    /// A folder, as a path or as `file://` with an absolute path.
    Folder(Utf8PathBuf),
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all names in it start with; empty, or without slashes at its ends.
        prefix: String,
    },
}

/// A text that is no address of a remote.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is no place for objects: a folder, file:///FOLDER or s3://BUCKET/PREFIX")]
pub struct ParseAddressError {
    text: String,
}

impl FromStr for RemoteAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError { text: text.to_owned() };
        match text.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Folder(path.into())),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
                let sound = !bucket.is_empty() && bucket.chars().all(named);
                let whole = !prefix.starts_with('/') && !prefix.ends_with('/');
                if !sound || !whole || ObjectPath::parse(prefix).is_err() {
                    return Err(wrong());
                }
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            Some(_) => Err(wrong()),
            None if text.is_empty() => Err(wrong()),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl std::fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{path}"),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// The right to use a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// The identifier of the key.
    pub key_id: String,
    /// The key.
    pub secret: String,
    /// The token of a session, if the key is one of a session.
    pub token: Option<String>,
}

impl std::fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Credentials").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// How a server of S3 is reached.
#[derive(Clone, Debug)]
pub struct S3Server {
    /// Its address, if it is not that of the region; only if it starts with `http://`, it is spoken to without encryption.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// `None`: the bucket is public, and only read.
    pub credentials: Option<S3Credentials>,
    /// How long it is waited for.
    pub patience: Patience,
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer.
    pub answer: Duration,
    /// Before the first repetition; each further one waits longer.
    pub pause: Duration,
    /// How often a request is repeated.
    pub repetitions: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(120), pause: Duration::from_millis(200), repetitions: 5 }
    }
}

impl Remote {
    /// Uses a part of a bucket.
    ///
    /// # Errors
    /// When the server's address cannot be used. Nothing is sent yet.
    pub fn s3(bucket: &str, prefix: &str, server: &S3Server) -> Result<Self, RemoteError> {
        let patience = server.patience;
        let plain = server.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let options = ClientOptions::new()
            .with_timeout(patience.answer)
            .with_connect_timeout(patience.answer.min(Duration::from_secs(10)))
            .with_allow_http(plain);
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: patience.pause, ..BackoffConfig::default() },
            max_retries: patience.repetitions,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&server.region)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = &server.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder = match &server.credentials {
            Some(keys) => {
                let builder =
                    builder.with_access_key_id(&keys.key_id).with_secret_access_key(&keys.secret);
                keys.token.iter().fold(builder, |builder, token| builder.with_token(token))
            }
            None => builder.with_skip_signature(true),
        };
        let failed = |source| RemoteError::Open { path: bucket.into(), source };
        let bucket = builder.build().map_err(failed)?;
        Ok(Self::new(Arc::new(PrefixStore::new(bucket, prefix))))
    }

    /// Makes sure that the server does as it is asked when a write has a condition. One that overlooks them would let two
    /// publishers lose each other's work, silently. Asked once; a folder needs no question.
    pub(crate) async fn prove_conditions(&self) -> Result<(), RemoteError> {
        if self.folder().is_some() {
            return Ok(());
        }
        self.proven().get_or_try_init(|| self.try_conditions()).await.copied()
    }

    async fn try_conditions(&self) -> Result<(), RemoteError> {
        let path = ObjectPath::from("conditional-writes");
        let put = async |content: &'static str, mode: PutMode| {
            let payload = PutPayload::from_bytes(Bytes::from_static(content.as_bytes()));
            match self.objects().put_opts(&path, payload, mode.into()).await {
                Ok(_) => Ok(true),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => Ok(false),
                Err(source) => Err(RemoteError::Push { object: path.to_string(), source }),
            }
        };
        // All publishers write the same bytes here, so that they may do it at the same time.
        let sound = "This object lets publishers see that conditional writes work here.\n";
        put(sound, PutMode::Overwrite).await?;
        let bogus = UpdateVersion { e_tag: Some("\"0\"".to_owned()), version: None };
        for mode in [PutMode::Create, PutMode::Update(bogus)] {
            if put(sound, mode).await? {
                return Err(RemoteError::Unconditional);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let parsed = text.parse::<RemoteAddress>().ok();
            assert_eq!(parsed.map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
        check("releases", Some("releases"));
        check("/srv/releases", Some("/srv/releases"));
        check("file:///srv/releases", Some("/srv/releases"));
        check("s3://bucket", Some("s3://bucket"));
        check("s3://bucket/", Some("s3://bucket"));
        check("s3://bucket/a/b/", Some("s3://bucket/a/b"));
        for wrong in ["", "file://host/x", "s3://", "s3:///a", "s3://a b/c", "s3://a//b", "ftp://a"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let keys = S3Credentials {
            key_id: "id".into(),
            secret: "hush".into(),
            token: Some("hush".into()),
        };
        assert_eq!(format!("{keys:?}"), "S3Credentials { key_id: \"id\", .. }");
    }

    proptest::proptest! {
        /// What is an address is written as one that means the same.
        #[test]
        fn an_address_survives(text in "(s3://|file://)?[a-z/. -]{0,20}") {
            if let Ok(address) = text.parse::<RemoteAddress>() {
                proptest::prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
