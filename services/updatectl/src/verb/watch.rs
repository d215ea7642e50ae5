//! `watch`: run a command whenever a new version is offered.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use slipway_omaha::{AppId, CheckStatus, InstallSource, Manifest, Os, Ping, Request, UpdateCheck};

use super::{Context, GroupFlags};
use crate::random::unguessable;
use crate::{Client, CtlError};

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    group: GroupFlags,
    /// Identifier by which the server knows the watcher [default: a random one]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Seconds between checks
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Version to start from
    #[arg(long, default_value = "0.0.0")]
    version: String,
    /// End after the command has run once
    #[arg(long)]
    once: bool,
    /// Command and its arguments; it finds the version in UPDATE_SERVICE_VERSION, the one before in
    /// UPDATE_SERVICE_OLD_VERSION, the application in UPDATE_SERVICE_APP_ID, the payload in UPDATE_SERVICE_URL
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// A version that is offered, and where its payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    version: String,
    url: String,
}

fn request(app: AppId, track: &str, client: &str, version: &str) -> Request {
    let app = slipway_omaha::App {
        track: track.to_owned(),
        machine_id: client.to_owned(),
        ping: Some(Ping { active: true, ..Ping::default() }),
        update_check: Some(UpdateCheck::default()),
        ..slipway_omaha::App::new(app, version)
    };
    Request {
        version: "updatectl".to_owned(),
        install_source: InstallSource::Scheduler,
        os: Os { platform: "CoreOS".to_owned(), version: "lsb".to_owned(), ..Os::default() },
        apps: vec![app],
        ..Request::default()
    }
}

fn offer(response: &slipway_omaha::Response) -> Option<Offer> {
    let check = response.apps.first()?.update_check.as_ref()?;
    if check.status != CheckStatus::Ok {
        return None;
    }
    let manifest: &Manifest = check.target()?;
    let (codebase, package) = check.codebases.first().zip(manifest.packages.first())?;
    Some(Offer { version: manifest.version.clone(), url: package.url(codebase) })
}

impl Watch {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let app: AppId = self
            .group
            .app_id
            .parse()
            .map_err(|_| CtlError::usage("`--app-id` is no identifier"))?;
        let client_id = self.client_id.clone().unwrap_or_else(|| unguessable(16));
        let mut version = self.version.clone();
        loop {
            match self.check(context.client, &app, &client_id, &version).await {
                Ok(Some(offer)) if offer.version != version => {
                    self.execute(&offer, &version).await?;
                    if self.once {
                        return Ok(());
                    }
                    version = offer.version;
                }
                Ok(_) => {}
                // A server that is away now may be back at the next check.
                Err(error) => context.streams.complain(&error),
            }
            tokio::time::sleep(Duration::from_secs(self.interval)).await;
        }
    }

    async fn check(
        &self,
        client: &Client,
        app: &AppId,
        client_id: &str,
        version: &str,
    ) -> Result<Option<Offer>, CtlError> {
        let request = request(app.clone(), &self.group.group_id, client_id, version);
        Ok(offer(&client.post_omaha(request.to_xml()).await?))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the command is the user's own and runs in the user's environment"
    )]
    async fn execute(&self, offer: &Offer, before: &str) -> Result<(), CtlError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(CtlError::usage("give a command to run"));
        };
        let run = tokio::process::Command::new(program)
            .args(arguments)
            .env("UPDATE_SERVICE_VERSION", &offer.version)
            .env("UPDATE_SERVICE_OLD_VERSION", before)
            .env("UPDATE_SERVICE_APP_ID", &self.group.app_id)
            .env("UPDATE_SERVICE_URL", &offer.url)
            .kill_on_drop(true)
            .status()
            .await;
        run.map(drop).map_err(CtlError::file("run the command"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(updatecheck: &str, expected: Option<(&str, &str)>) {
        let xml = format!(
            r#"<response protocol="3.0"><app appid="e9" status="ok">{updatecheck}</app></response>"#
        );
        let offer = offer(&slipway_omaha::Response::parse(xml.as_bytes()).unwrap());
        assert_eq!(
            offer.as_ref().map(|offer| (offer.version.as_str(), offer.url.as_str())),
            expected
        );
    }

    #[test]
    fn an_offer_names_its_version_and_payload() {
        check(
            r#"<updatecheck status="ok"><urls><url codebase="https://h/a"/></urls><manifest version="1.2.3"><packages><package name="f.gz" size="1" required="true"/></packages><actions/></manifest></updatecheck>"#,
            Some(("1.2.3", "https://h/a/f.gz")),
        );
        check(r#"<updatecheck status="noupdate"/>"#, None);
        check(r#"<updatecheck status="ok"/>"#, None);
        check("", None);
    }
}
