//! `admin-user`: users of the API.

use clap::Subcommand;
use slipway_coreupdate::wire::{AdminListUsersResp, AdminUser as Wire, AdminUserReq};

use super::Context;
use crate::client::NOTHING;
use crate::{CtlError, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum AdminUser {
    /// Make a user and print the key, which is shown only now
    Create {
        /// Name of the user
        name: String,
    },
    /// List all users
    List,
    /// Delete a user
    Delete {
        /// Name of the user
        name: String,
    },
    /// Give a user a new key; the old one ends at once
    Renew {
        /// Name of the user
        name: String,
    },
}

fn with_token(user: &Wire) -> Table {
    Table::new(&["User", "Token"]).with(vec![user.user.clone(), user.token.clone()])
}

impl AdminUser {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        match self {
            Self::Create { name } => {
                let body = AdminUserReq { user_name: name };
                let user: Wire =
                    client.call("update.admin.createUser", &[], &[], Some(&body)).await?;
                streams.show(settings, &user, with_token(&user))
            }
            Self::List => {
                let list: AdminListUsersResp =
                    client.call("update.admin.listUsers", &[], &[], NOTHING).await?;
                let table = Table::of(&["User"], &list.users, |user| vec![user.user.clone()]);
                streams.show(settings, &list, table)
            }
            Self::Delete { name } => {
                let user: Wire =
                    client.call("update.admin.deleteUser", &[&name], &[], NOTHING).await?;
                streams.say(settings, &user, &format!("User {} deleted", user.user))
            }
            Self::Renew { name } => {
                let body = AdminUserReq { user_name: name.clone() };
                let user: Wire =
                    client.call("update.admin.genToken", &[&name], &[], Some(&body)).await?;
                streams.show(settings, &user, with_token(&user))
            }
        }
    }
}
