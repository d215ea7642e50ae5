//! Opening the places that releases and builds are kept in: folders and buckets.

use camino::Utf8PathBuf;
use slipway_store::{Patience, Remote, RemoteAddress, S3Credentials, S3Server};

use crate::environment;

/// Opens a folder or a bucket; the variables that are usual for buckets say how to reach it.
pub(crate) fn open(address: &RemoteAddress) -> anyhow::Result<Remote> {
    match address {
        RemoteAddress::Folder(folder) => {
            let folder = Utf8PathBuf::try_from(std::path::absolute(folder)?)?;
            Ok(Remote::local(&folder)?)
        }
        RemoteAddress::S3 { bucket, prefix } => {
            let get = environment::get;
            let keys = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"));
            let credentials = match keys {
                (Some(key_id), Some(secret)) => {
                    Some(S3Credentials { key_id, secret, token: get("AWS_SESSION_TOKEN") })
                }
                (None, None) => None,
                _ => anyhow::bail!(
                    "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` go together, and one of them is not set"
                ),
            };
            let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
            let server = S3Server {
                endpoint: get("AWS_ENDPOINT_URL_S3").or_else(|| get("AWS_ENDPOINT_URL")),
                region: region.unwrap_or_else(|| "us-east-1".to_owned()),
                credentials,
                patience: Patience::default(),
            };
            Ok(Remote::s3(bucket, prefix, &server)?)
        }
    }
}
