//! `database`: prepare or back up.

use std::path::PathBuf;

use clap::Subcommand;
use tokio::io::AsyncWriteExt as _;

use super::Context;
use crate::CtlError;

#[derive(Debug, Subcommand)]
pub(crate) enum Database {
    /// Prepare the database; the server has done it already when it started
    Init,
    /// Save a copy of the database while the server runs
    Backup {
        /// File to write; it must not exist
        file: PathBuf,
    },
}

impl Database {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        match self {
            Self::Init => {
                let url = context.client.url("/admin/v1/init")?;
                let response = context.client.get(&url).await?;
                let answer = |source: reqwest::Error| CtlError::Answer {
                    url: url.to_string(),
                    source: source.into(),
                };
                let said = response.text().await.map_err(answer)?;
                context.streams.text(&format!("{said}\n"))?;
                if said == "ok" { Ok(()) } else { Err(CtlError::NotDone { message: said }) }
            }
            Self::Backup { file } => backup(context, file).await,
        }
    }
}

async fn backup(context: Context<'_, '_>, path: PathBuf) -> Result<(), CtlError> {
    let url = context.client.url("/db/backup")?;
    let mut response = context.client.get(&url).await?;
    let failed = CtlError::file("write the backup");
    let created = fs_err::tokio::OpenOptions::new().write(true).create_new(true).open(&path).await;
    let mut file = created.map_err(failed)?;
    let broken =
        |source: reqwest::Error| CtlError::Answer { url: url.to_string(), source: source.into() };
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        file.write_all(&chunk).await.map_err(CtlError::file("write the backup"))?;
    }
    file.sync_all().await.map_err(CtlError::file("write the backup"))
}
