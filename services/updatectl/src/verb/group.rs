//! `group`: groups of an application.

use clap::{Args, Subcommand};
use slipway_coreupdate::wire::{Group as Wire, GroupList, GroupPercent, GroupRequestsRollup};

use super::{AppFlag, Context, GroupFlags};
use crate::client::NOTHING;
use crate::{Client, CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// List all groups of an application
    List(AppFlag),
    /// Make a group
    Create(Create),
    /// Change a group; what is not given stays
    Update(Update),
    /// Delete a group
    Delete(GroupFlags),
    /// Give no updates to a group
    Pause(GroupFlags),
    /// Give updates to a group again
    Unpause(GroupFlags),
    /// Set how much of a group may have the newest version
    Percent(Percent),
    /// Count the checks of a group over time, by version
    Versions(Span),
    /// Count the events of a group over time
    Events(Span),
}

/// What a group may be told.
#[derive(Debug, Args)]
pub(crate) struct Properties {
    /// Name of the channel to follow
    #[arg(long, value_name = "NAME", default_value = "")]
    channel: String,
    /// Name for people
    #[arg(long, default_value = "")]
    label: String,
    /// OEMs that get no updates, separated by commas
    #[arg(long, value_name = "LIST", default_value = "")]
    oem_blacklist: String,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    app: AppFlag,
    /// Identifier of the new group, which hosts send as their track [default: a fresh UUID]
    #[arg(long, value_name = "ID", default_value = "")]
    group_id: String,
    #[command(flatten)]
    properties: Properties,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    group: GroupFlags,
    #[command(flatten)]
    properties: Properties,
}

#[derive(Debug, Args)]
pub(crate) struct Percent {
    #[command(flatten)]
    group: GroupFlags,
    /// 0 to 100
    #[arg(long, value_name = "PERCENT")]
    update_percent: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Span {
    #[command(flatten)]
    group: GroupFlags,
    /// First second since 1970 [default: the beginning]
    #[arg(long, default_value_t = 0)]
    start: i64,
    /// Last second since 1970 [default: now]
    #[arg(long, default_value_t = 0)]
    end: i64,
    /// Length of a step: 60, 3600 or 86400 seconds
    #[arg(long, default_value_t = 60)]
    resolution: i64,
}

const COLUMNS: [&str; 7] =
    ["Label", "App", "Channel", "Id", "Updates Paused", "Percent", "Rollout Active"];

fn row(group: &Wire) -> Vec<String> {
    vec![
        group.label.clone(),
        group.app_id.clone(),
        group.channel_id.clone(),
        group.id.clone(),
        group.updates_paused.to_string(),
        group.update_percent.unwrap_or_default().to_string(),
        group.rollout_active.to_string(),
    ]
}

/// Whether a group gets updates.
#[derive(Clone, Copy)]
enum Updates {
    Paused,
    Given,
}

/// The API replaces booleans, so a group is read before it is changed.
async fn change(
    client: &Client,
    group: &GroupFlags,
    change: impl FnOnce(&mut Wire),
) -> Result<Wire, CtlError> {
    let names = [group.app_id.as_str(), group.group_id.as_str()];
    let mut wire: Wire = client.call("update.group.get", &names, &[], NOTHING).await?;
    // The percentage of a running rollout is not meant to be set.
    wire.update_percent = None;
    change(&mut wire);
    client.call("update.group.update", &names, &[], Some(&wire)).await
}

async fn pause(client: &Client, group: &GroupFlags, updates: Updates) -> Result<Wire, CtlError> {
    change(client, group, |wire| wire.updates_paused = matches!(updates, Updates::Paused)).await
}

async fn update(
    client: &Client,
    group: &GroupFlags,
    properties: Properties,
) -> Result<Wire, CtlError> {
    let Properties { channel, label, oem_blacklist } = properties;
    change(client, group, |wire| {
        for (field, new) in [
            (&mut wire.channel_id, channel),
            (&mut wire.label, label),
            (&mut wire.oem_blacklist, oem_blacklist),
        ] {
            if !new.is_empty() {
                *field = new;
            }
        }
    })
    .await
}

impl Group {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let client = context.client;
        let group: Wire = match self {
            Self::List(AppFlag { app_id }) => {
                let list: GroupList =
                    client.call("update.group.list", &[&app_id], &[], NOTHING).await?;
                return context.streams.show(
                    context.settings,
                    &list,
                    Table::of(&COLUMNS, &list.items, row),
                );
            }
            Self::Percent(percent) => return percent.run(context).await,
            Self::Versions(span) => return span.versions(context).await,
            Self::Events(span) => return span.events(context).await,
            Self::Create(Create { app, group_id, properties }) => {
                let Properties { channel, label, oem_blacklist } = properties;
                let body = Wire {
                    channel_id: channel,
                    id: group_id,
                    label,
                    oem_blacklist,
                    ..Wire::default()
                };
                client.call("update.group.insert", &[&app.app_id], &[], Some(&body)).await?
            }
            Self::Update(Update { group, properties }) => {
                update(client, &group, properties).await?
            }
            Self::Pause(group) => pause(client, &group, Updates::Paused).await?,
            Self::Unpause(group) => pause(client, &group, Updates::Given).await?,
            Self::Delete(GroupFlags { app_id, group_id }) => {
                client.call("update.group.delete", &[&app_id, &group_id], &[], NOTHING).await?
            }
        };
        context.streams.show(context.settings, &group, Table::new(&COLUMNS).with(row(&group)))
    }
}

impl Percent {
    async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let Self { group: GroupFlags { app_id, group_id }, update_percent } = self;
        let body = GroupPercent { update_percent, ..GroupPercent::default() };
        let set: GroupPercent = client
            .call("update.group.percent.set", &[&app_id, &group_id], &[], Some(&body))
            .await?;
        streams.say(settings, &set, &format!("update percent set to {}", set.update_percent))
    }
}

impl Span {
    async fn ask(&self, client: &Client, id: &str) -> Result<GroupRequestsRollup, CtlError> {
        let GroupFlags { app_id, group_id } = &self.group;
        let values =
            [app_id.as_str(), group_id.as_str(), &self.start.to_string(), &self.end.to_string()];
        client.call(id, &values, &[("resolution", self.resolution.to_string())], NOTHING).await
    }

    async fn versions(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let rollup = self.ask(context.client, "update.group.requests.versions.rollup").await?;
        let mut table = Table::new(&["Version", "Timestamp", "Count"]);
        for item in &rollup.items {
            for value in &item.values {
                table = table.with(vec![
                    item.version.clone(),
                    value.timestamp.to_string(),
                    value.count.to_string(),
                ]);
            }
        }
        context.streams.show(context.settings, &rollup, table)
    }

    async fn events(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let rollup = self.ask(context.client, "update.group.requests.events.rollup").await?;
        let mut table = Table::new(&["Version", "Type", "Result", "Timestamp", "Count"]);
        for item in &rollup.items {
            for value in &item.values {
                let [timestamp, count] =
                    [value.timestamp, value.count].map(|number| number.to_string());
                table = table.with(vec![
                    item.version.clone(),
                    item.kind.clone(),
                    item.result.clone(),
                    timestamp,
                    count,
                ]);
            }
        }
        context.streams.show(context.settings, &rollup, table)
    }
}
