//! `instance`: instances of groups.

use clap::{Args, Subcommand};
use slipway_coreupdate::wire::{AppVersionList, ClientHistoryResp, ClientUpdateList};

use super::{Context, fake};
use crate::client::NOTHING;
use crate::{CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Instance {
    /// List instances, the last heard of first
    ListUpdates(Filter),
    /// Count instances by version
    ListAppVersions(Filter),
    /// List what one instance reported
    History {
        /// Machine identifier of the instance
        #[arg(long, value_name = "ID")]
        client_id: String,
    },
    /// Pretend to be instances: send what they would, and measure the answers
    Fake(fake::Fake),
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only instances that were heard of since this second since 1970
    #[arg(long, default_value_t = 0)]
    start: i64,
    /// Only instances that were heard of before this second since 1970
    #[arg(long, default_value_t = 0)]
    end: i64,
    /// Only instances of this application
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// Only instances of this group
    #[arg(long, value_name = "ID")]
    group_id: Option<String>,
}

impl Filter {
    fn query(self) -> Vec<(&'static str, String)> {
        let number = |name, value: i64| (value != 0).then(|| (name, value.to_string()));
        let text = |name, value: Option<String>| value.map(|value| (name, value));
        let all = [
            number("dateStart", self.start),
            number("dateEnd", self.end),
            text("appId", self.app_id),
            text("groupId", self.group_id),
        ];
        all.into_iter().flatten().collect()
    }
}

impl Instance {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let (client, settings) = (context.client, context.settings);
        match self {
            Self::Fake(fake) => fake.run(context).await,
            Self::ListUpdates(filter) => {
                let list: ClientUpdateList =
                    client.call("update.clientupdate.list", &[], &filter.query(), NOTHING).await?;
                let columns = ["AppID", "ClientID", "Version", "LastSeen", "Group", "OEM"];
                let table = Table::of(&columns, &list.items, |item| {
                    [
                        &item.app_id,
                        &item.client_id,
                        &item.version,
                        &item.last_seen,
                        &item.group_id,
                        &item.oem,
                    ]
                    .map(Clone::clone)
                    .to_vec()
                });
                context.streams.show(settings, &list, table)
            }
            Self::ListAppVersions(filter) => {
                let list: AppVersionList =
                    client.call("update.appversion.list", &[], &filter.query(), NOTHING).await?;
                let table =
                    Table::of(&["AppID", "GroupID", "Version", "Clients"], &list.items, |item| {
                        vec![
                            item.app_id.clone(),
                            item.group_id.clone(),
                            item.version.clone(),
                            item.count.to_string(),
                        ]
                    });
                context.streams.show(settings, &list, table)
            }
            Self::History { client_id } => {
                let list: ClientHistoryResp = client
                    .call("update.client.history", &[], &[("clientId", client_id)], NOTHING)
                    .await?;
                let columns = ["Time", "Type", "Result", "Error", "Version", "Group", "Source"];
                let table = Table::of(&columns, &list.items, |item| {
                    let time = item.date_time.to_string();
                    let rest = [
                        &item.event_type,
                        &item.event_result,
                        &item.error_code,
                        &item.version,
                        &item.group_id,
                        &item.install_source,
                    ];
                    std::iter::once(time).chain(rest.into_iter().cloned()).collect()
                });
                context.streams.show(settings, &list, table)
            }
        }
    }
}
