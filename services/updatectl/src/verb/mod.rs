//! The verbs, one file each.

mod admin_user;
mod app;
mod audit;
mod bulk;
mod channel;
mod database;
mod download;
mod explain;
mod fake;
mod group;
mod instance;
mod package;
mod rollout;
mod upstream;
mod watch;

use clap::{Args, Subcommand};

use crate::{Client, CtlError, Settings, Streams};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Manage users of the API
    #[command(subcommand)]
    AdminUser(admin_user::AdminUser),
    /// Manage applications
    #[command(subcommand)]
    App(app::App),
    /// Show who changed what (needs a token)
    Audit(audit::Audit),
    /// Manage channels of an application
    #[command(subcommand)]
    Channel(channel::Channel),
    /// Prepare or back up the database
    #[command(subcommand)]
    Database(database::Database),
    /// Say why an instance gets what it gets, and when its turn comes (needs a token)
    Explain(explain::Explain),
    /// Manage groups of an application
    #[command(subcommand)]
    Group(group::Group),
    /// List instances, or pretend to be some
    #[command(subcommand)]
    Instance(instance::Instance),
    /// Manage packages of an application
    #[command(subcommand)]
    Package(package::Package),
    /// Show, set and follow the frames of a group
    Rollout(rollout::Rollout),
    /// Manage servers that channels and packages are taken from
    #[command(subcommand)]
    Upstream(upstream::Upstream),
    /// Run a command whenever a new version is offered
    Watch(watch::Watch),
}

/// An application.
#[derive(Debug, Args)]
pub(crate) struct AppFlag {
    /// Identifier of the application
    #[arg(long = "app-id", value_name = "ID")]
    pub(crate) app_id: String,
}

/// A group of an application.
#[derive(Debug, Args)]
pub(crate) struct GroupFlags {
    /// Identifier of the application
    #[arg(long, value_name = "ID")]
    pub(crate) app_id: String,
    /// Identifier of the group
    #[arg(long, value_name = "ID")]
    pub(crate) group_id: String,
}

/// What a verb gets.
pub(crate) struct Context<'a, 'b> {
    pub(crate) client: &'a Client,
    pub(crate) settings: &'a Settings,
    pub(crate) streams: &'a mut Streams<'b>,
}

/// Does what the line says.
pub(crate) async fn run(
    verb: Verb,
    settings: &Settings,
    streams: &mut Streams<'_>,
) -> Result<(), CtlError> {
    let client = Client::new(settings)?;
    let context = Context { client: &client, settings, streams: &mut *streams };
    let done = dispatch(verb, context).await;
    for line in client.trail() {
        streams.note(&line);
    }
    done
}

async fn dispatch(verb: Verb, context: Context<'_, '_>) -> Result<(), CtlError> {
    match verb {
        Verb::AdminUser(verb) => verb.run(context).await,
        Verb::App(verb) => verb.run(context).await,
        Verb::Audit(verb) => verb.run(context).await,
        Verb::Channel(verb) => verb.run(context).await,
        Verb::Database(verb) => verb.run(context).await,
        Verb::Explain(verb) => verb.run(context).await,
        Verb::Group(verb) => verb.run(context).await,
        Verb::Instance(verb) => verb.run(context).await,
        Verb::Package(verb) => verb.run(context).await,
        Verb::Rollout(verb) => verb.run(context).await,
        Verb::Upstream(verb) => verb.run(context).await,
        Verb::Watch(verb) => verb.run(context).await,
    }
}
