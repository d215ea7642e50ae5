//! `instance fake`: pretend to be instances.

use std::time::Duration;

use clap::Args;
use slipway_omaha::InstallSource;

use super::{Context, GroupFlags};
use crate::CtlError;
use crate::fake::{self, Event, Load, Pause, Profile};

/// The longest that hosts live, in seconds: a day.
const MAX_SECONDS: u64 = 86_400;

/// The most hosts.
const MAX_HOSTS: u64 = 2_000_000;

#[derive(Debug, Args)]
pub(crate) struct Fake {
    #[command(flatten)]
    group: GroupFlags,
    /// How many instances
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=MAX_HOSTS))]
    clients_per_app: u64,
    /// Least seconds between the checks of an instance
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    min_sleep: f64,
    /// Most seconds between the checks of an instance
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    max_sleep: f64,
    /// Seconds between the steps of an update
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    step_sleep: f64,
    /// How many updates of a hundred fail
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT")]
    errorrate: f64,
    /// Let only updates to this version fail or vanish [default: to any]
    #[arg(long, value_name = "VERSION")]
    bad_version: Option<String>,
    /// Code of those failures
    #[arg(long, default_value_t = 2000, value_name = "CODE")]
    error_code: u32,
    /// How many instances of a hundred vanish when they begin an update
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    vanish: f64,
    /// OEM to report
    #[arg(long, default_value = "fakeclient")]
    oem: String,
    /// Board to report
    #[arg(long, default_value = "amd64-usr")]
    board: String,
    /// Send only a ping this many times before the reboot, as if a reboot lock were held
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    ping_only: u32,
    /// Version to report first
    #[arg(long, default_value = "0.0.0")]
    version: String,
    /// Ask as if a person had asked, which passes limits
    #[arg(long)]
    force_update: bool,
    /// End after so many seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    duration: u64,
    /// End after so many checks of all instances
    #[arg(long, value_name = "COUNT")]
    checks: Option<u64>,
    /// Most requests at once
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Number from which all that is random grows: the same instances come again
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print all documents
    #[arg(long)]
    verbose: bool,
}

impl Fake {
    fn load(&self) -> Result<Load, CtlError> {
        for (name, percent) in [("--errorrate", self.errorrate), ("--vanish", self.vanish)] {
            if !(0.0..=100.0).contains(&percent) {
                return Err(CtlError::usage(format!(
                    "`{name}` is {percent}; 0 to 100 are possible"
                )));
            }
        }
        let sleeps = [self.min_sleep, self.max_sleep, self.step_sleep];
        if sleeps.iter().any(|sleep| !(0.0..=86_400.0).contains(sleep))
            || self.min_sleep > self.max_sleep
        {
            return Err(CtlError::usage(
                "`--min-sleep` is 0 or more, and `--max-sleep` not less, up to a day",
            ));
        }
        let app = self
            .group
            .app_id
            .parse()
            .map_err(|_| CtlError::usage("`--app-id` is no identifier"))?;
        Ok(Load {
            hosts: self.clients_per_app,
            duration: Duration::from_secs(self.duration),
            checks: self.checks,
            connections: self.connections.into(),
            pause: Pause { min: self.min_sleep, max: self.max_sleep, step: self.step_sleep },
            version: self.version.clone(),
            seed: self.seed,
            verbose: self.verbose,
            profile: Profile {
                app,
                track: self.group.group_id.clone(),
                oem: self.oem.clone(),
                board: self.board.clone(),
                source: if self.force_update {
                    InstallSource::OnDemand
                } else {
                    InstallSource::Scheduler
                },
                bad_version: self.bad_version.clone(),
                fail_percent: self.errorrate,
                vanish_percent: self.vanish,
                error_code: self.error_code,
                pings: self.ping_only,
            },
        })
    }

    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let load = self.load()?;
        let report = fake::run(client, load, |event| match event {
            Event::Said(document) => streams.note(document),
            Event::Updated { machine, from, to } => {
                streams.note(&format!("{machine}: updated from {from} to {to}"));
            }
            _ => {}
        })
        .await?;
        let lost = report.lost > 0 && report.checks.count() == 0;
        if settings.json {
            streams.json(&report.to_json())?;
        } else {
            streams.text(&report.to_text())?;
        }
        match report.why.filter(|_| lost) {
            Some(why) => {
                Err(CtlError::NotDone { message: format!("no check had an answer: {why}") })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        fake: Fake,
    }

    fn check(flags: &str, expected: Result<(), &str>) {
        let line = format!("x --app-id e9 --group-id g {flags}");
        let load = Line::try_parse_from(line.split_whitespace()).unwrap().fake.load();
        match expected {
            Ok(()) => assert!(load.is_ok(), "{flags}"),
            Err(text) => assert!(load.unwrap_err().to_string().contains(text), "{flags}"),
        }
    }

    #[test]
    fn bounds_are_checked() {
        check("", Ok(()));
        check("--min-sleep 0 --max-sleep 0 --errorrate 100 --vanish 0.5", Ok(()));
        check("--errorrate 101", Err("--errorrate"));
        check("--vanish=-1", Err("--vanish"));
        check("--min-sleep 11", Err("--min-sleep"));
        check("--max-sleep NaN", Err("--min-sleep"));
        let line = "x --app-id e9 --group-id g --duration 86401";
        assert!(Line::try_parse_from(line.split_whitespace()).is_err());
    }
}
