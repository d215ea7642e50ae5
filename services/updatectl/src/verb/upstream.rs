//! `upstream`: servers that channels and packages are taken from.

use clap::Subcommand;
use slipway_coreupdate::wire::{Upstream as Wire, UpstreamListResp, UpstreamSyncResp};

use super::Context;
use crate::client::NOTHING;
use crate::{CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Upstream {
    /// List all upstreams
    List,
    /// Make an upstream
    Create {
        /// Address of the upstream server
        #[arg(long)]
        url: String,
        /// Name for people
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Change an upstream
    Update {
        /// Identifier of the upstream
        #[arg(long)]
        id: String,
        /// Address of the upstream server
        #[arg(long)]
        url: String,
        /// Name for people
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Delete an upstream
    Delete {
        /// Identifier of the upstream
        #[arg(long)]
        id: String,
    },
    /// Take over what all upstreams publish, now
    Sync,
}

const COLUMNS: [&str; 3] = ["Id", "Url", "Label"];

fn row(upstream: &Wire) -> Vec<String> {
    vec![upstream.id.clone(), upstream.url.clone(), upstream.label.clone()]
}

impl Upstream {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let upstream: Wire = match self {
            Self::List => {
                let list: UpstreamListResp =
                    client.call("update.upstream.list", &[], &[], NOTHING).await?;
                return streams.show(settings, &list, Table::of(&COLUMNS, &list.items, row));
            }
            Self::Sync => {
                let done: UpstreamSyncResp =
                    client.call("update.upstream.sync", &[], &[], NOTHING).await?;
                let detail = if done.detail.is_empty() {
                    String::new()
                } else {
                    format!("\nDetail: {}", done.detail)
                };
                streams.say(settings, &done, &format!("Status: {}{detail}", done.status))?;
                let refused = CtlError::NotDone {
                    message: "some upstreams could not be synchronised".into(),
                };
                return if done.status == "ok" { Ok(()) } else { Err(refused) };
            }
            Self::Create { url, label } => {
                let body = Wire { id: String::new(), label, url };
                client.call("update.upstream.insert", &[], &[], Some(&body)).await?
            }
            Self::Update { id, url, label } => {
                let body = Wire { id: id.clone(), label, url };
                client.call("update.upstream.update", &[&id], &[], Some(&body)).await?
            }
            Self::Delete { id } => {
                client.call("update.upstream.delete", &[&id], &[], NOTHING).await?
            }
        };
        streams.show(settings, &upstream, Table::new(&COLUMNS).with(row(&upstream)))
    }
}
