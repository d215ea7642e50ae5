//! `package`: packages of an application.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use slipway_coreupdate::wire::{Package as Wire, PackageList};

use super::{AppFlag, Context, bulk, download};
use crate::client::NOTHING;
use crate::sums::Sums;
use crate::{CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Package {
    /// List all packages of an application
    List(AppFlag),
    /// Describe a package to the server (the payload is not uploaded)
    Create(Create),
    /// Delete a package that no channel points to
    Delete(Named),
    /// Save the payloads of published packages
    Download(download::Download),
    /// Upload a payload, if the server takes uploads
    Upload(Upload),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    app: AppFlag,
    /// Version of the package
    #[arg(long)]
    version: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Create {
    #[command(subcommand)]
    bulk: Option<CreateBulk>,
    #[command(flatten)]
    one: Option<CreateOne>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateBulk {
    /// Describe all packages of a folder that `package download` made
    Bulk(bulk::Create),
}

#[derive(Debug, Args)]
pub(crate) struct CreateOne {
    // Not a flattened struct: what is optional as a whole may hold none.
    /// Identifier of the application
    #[arg(long, value_name = "ID")]
    app_id: String,
    /// Version of the package
    #[arg(long)]
    version: String,
    /// Where hosts get the payload
    #[arg(long)]
    url: String,
    /// The payload, to take its size and digests
    #[arg(long)]
    file: PathBuf,
    /// JSON file with `metadata_size` and `metadata_signature_rsa`
    #[arg(long)]
    meta: Option<PathBuf>,
    /// File with release notes
    #[arg(long)]
    release_notes: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Upload {
    #[command(subcommand)]
    bulk: Option<UploadBulk>,
    /// Payload to upload
    #[arg(long, required = true)]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UploadBulk {
    /// Upload all files of a folder
    Bulk(bulk::Upload),
}

/// What `--meta` holds.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    metadata_size: String,
    #[serde(default)]
    metadata_signature_rsa: String,
}

const COLUMNS: [&str; 3] = ["Version", "URL", "Size"];

fn row(package: &Wire) -> Vec<String> {
    vec![package.version.clone(), package.url.clone(), package.size.clone()]
}

impl Package {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let (client, settings) = (context.client, context.settings);
        match self {
            Self::List(AppFlag { app_id }) => {
                let list: PackageList =
                    client.call("update.app.package.list", &[&app_id], &[], NOTHING).await?;
                context.streams.show(settings, &list, Table::of(&COLUMNS, &list.items, row))
            }
            Self::Delete(Named { app, version }) => {
                let names = [app.app_id.as_str(), version.as_str()];
                let package: Wire =
                    client.call("update.app.package.delete", &names, &[], NOTHING).await?;
                context.streams.show(settings, &package, Table::new(&COLUMNS).with(row(&package)))
            }
            Self::Create(Create { bulk: Some(CreateBulk::Bulk(bulk)), .. }) => {
                bulk.run(context).await
            }
            Self::Create(Create { one: Some(one), .. }) => one.run(context).await,
            Self::Create(_) => Err(CtlError::usage(
                "give `--app-id`, `--version`, `--url` and `--file`, or `bulk`",
            )),
            Self::Download(download) => download.run(context).await,
            Self::Upload(Upload { bulk: Some(UploadBulk::Bulk(bulk)), .. }) => {
                bulk.run(context).await
            }
            Self::Upload(Upload { file: Some(file), .. }) => {
                bulk::upload(client, &file).await?;
                context.streams.text(&format!("uploaded file {}\n", file.display()))
            }
            Self::Upload(_) => Err(CtlError::usage("give `--file`, or `bulk`")),
        }
    }
}

impl CreateOne {
    fn describe(&self) -> Result<Wire, CtlError> {
        let Sums { size, sha1, sha256 } = Sums::of(&self.file)?;
        let meta = match &self.meta {
            Some(path) => {
                let text =
                    fs_err::read_to_string(path).map_err(CtlError::file("read the metadata"))?;
                let content = |source: serde_json::Error| CtlError::Content {
                    path: path.clone(),
                    source: source.into(),
                };
                serde_json::from_str(&text).map_err(content)?
            }
            None => Metadata::default(),
        };
        let notes = self.release_notes.as_ref().map(fs_err::read_to_string).transpose();
        Ok(Wire {
            metadata_signature_rsa: meta.metadata_signature_rsa,
            metadata_size: meta.metadata_size,
            release_notes: notes
                .map_err(CtlError::file("read the release notes"))?
                .unwrap_or_default(),
            sha1_sum: sha1,
            sha256_sum: sha256,
            size: size.to_string(),
            url: self.url.clone(),
            ..Wire::default()
        })
    }

    /// Prints what is sent, and then, as a table, what the server made of it. With `--json` only the latter.
    async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let described = self.describe()?;
        if !settings.json {
            streams.json(&described)?;
        }
        let names = [self.app_id.as_str(), self.version.as_str()];
        let package: Wire =
            client.call("update.app.package.insert", &names, &[], Some(&described)).await?;
        streams.show(settings, &package, Table::new(&COLUMNS).with(row(&package)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        package: Package,
    }

    #[test]
    fn one_is_described_or_many() {
        let parse = |line: &str| Line::try_parse_from(line.split_whitespace()).unwrap().package;
        let one = parse("x create --app-id e9 --version 1.2.3 --url https://h/f --file f");
        assert!(matches!(one, Package::Create(Create { bulk: None, one: Some(_) })), "{one:?}");
        let many = parse("x create bulk --dir d");
        assert!(matches!(many, Package::Create(Create { bulk: Some(_), one: None })), "{many:?}");
        let upload = parse("x upload --file f");
        assert!(
            matches!(upload, Package::Upload(Upload { bulk: None, file: Some(_) })),
            "{upload:?}"
        );
    }
}
