//! `app`: applications.

use clap::{Args, Subcommand};
use slipway_coreupdate::wire::{App as Wire, AppListResp, GenerateUuidResp};

use super::{AppFlag, Context};
use crate::client::NOTHING;
use crate::{Client, CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Make an application
    Create(Create),
    /// List all applications
    List,
    /// Change the label or the description of an application
    Update(Update),
    /// Delete an application with everything in it
    Delete(AppFlag),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Identifier of the new application [default: a fresh UUID from the server]
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// Name for people
    #[arg(long, default_value = "")]
    label: String,
    /// What it is
    #[arg(long, default_value = "")]
    description: String,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    app: AppFlag,
    /// New name for people
    #[arg(long, default_value = "", required_unless_present = "description")]
    label: String,
    /// New description
    #[arg(long, default_value = "")]
    description: String,
}

const COLUMNS: [&str; 3] = ["Id", "Label", "Description"];

fn row(app: &Wire) -> Vec<String> {
    vec![app.id.clone(), app.label.clone(), app.description.clone()]
}

async fn fresh(client: &Client) -> Result<String, CtlError> {
    let answer: GenerateUuidResp = client.call("update.util.uuid", &[], &[], NOTHING).await?;
    Ok(answer.uuid)
}

impl App {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let app: Wire = match self {
            Self::List => {
                let list: AppListResp = client.call("update.app.list", &[], &[], NOTHING).await?;
                return streams.show(settings, &list, Table::of(&COLUMNS, &list.items, row));
            }
            Self::Create(Create { app_id, label, description }) => {
                let id = match app_id {
                    Some(id) => id,
                    None => fresh(client).await?,
                };
                let body = Wire { description, id, label };
                client.call("update.app.insert", &[], &[], Some(&body)).await?
            }
            Self::Update(Update { app, label, description }) => {
                let body = Wire { description, id: String::new(), label };
                client.call("update.app.update", &[&app.app_id], &[], Some(&body)).await?
            }
            Self::Delete(AppFlag { app_id }) => {
                client.call("update.app.delete", &[&app_id], &[], NOTHING).await?
            }
        };
        streams.show(settings, &app, Table::new(&COLUMNS).with(row(&app)))
    }
}
