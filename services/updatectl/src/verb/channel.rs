//! `channel`: channels of an application.

use clap::{ArgAction, Args, Subcommand};
use slipway_coreupdate::wire::{AppChannel, ChannelListResp, ChannelRequest};

use super::{AppFlag, Context};
use crate::client::NOTHING;
use crate::{CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Channel {
    /// List all channels of an application
    List(AppFlag),
    /// Make a channel that points to a version
    Create(Target),
    /// Let a channel point to another version, or publish or withdraw it
    Update(Target),
    /// Delete a channel that no group follows
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    app: AppFlag,
    /// Name of the channel
    #[arg(long, value_name = "NAME")]
    channel: String,
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    #[command(flatten)]
    named: Named,
    /// Version to point to; there must be a package of it
    #[arg(long)]
    version: String,
    /// Show the channel to anybody, without a key
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_value_t = false, default_missing_value = "true", require_equals = true)]
    publish: bool,
}

const COLUMNS: [&str; 4] = ["Label", "Version", "Publish", "Upstream"];

fn row(channel: &AppChannel) -> Vec<String> {
    vec![
        channel.label.clone(),
        channel.version.clone(),
        channel.publish.to_string(),
        channel.upstream.clone(),
    ]
}

impl Channel {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let channel: AppChannel = match self {
            Self::List(AppFlag { app_id }) => {
                let list: ChannelListResp =
                    client.call("update.channel.list", &[&app_id], &[], NOTHING).await?;
                return streams.show(settings, &list, Table::of(&COLUMNS, &list.items, row));
            }
            Self::Create(Target { named: Named { app, channel }, version, publish }) => {
                let body =
                    ChannelRequest { app_id: app.app_id.clone(), label: channel, publish, version };
                client.call("update.channel.insert", &[&app.app_id], &[], Some(&body)).await?
            }
            Self::Update(Target { named: Named { app, channel }, version, publish }) => {
                let body = ChannelRequest { publish, version, ..ChannelRequest::default() };
                client
                    .call("update.channel.update", &[&app.app_id, &channel], &[], Some(&body))
                    .await?
            }
            Self::Delete(Named { app, channel }) => {
                let gone: ChannelRequest = client
                    .call("update.channel.delete", &[&app.app_id, &channel], &[], NOTHING)
                    .await?;
                let sentence =
                    format!("deleted channel: {channel}, for application: {}", app.app_id);
                return streams.say(settings, &gone, &sentence);
            }
        };
        streams.show(settings, &channel, Table::new(&COLUMNS).with(row(&channel)))
    }
}
