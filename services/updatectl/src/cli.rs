//! The command line as a whole: what holds for every verb, and what a wrong line ends with.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser};

use crate::verb::Verb;
use crate::{Exit, Streams};

/// Manage an update server: applications, channels, groups, packages, instances
#[derive(Debug, Parser)]
#[command(name = "updatectl", version, disable_help_subcommand = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What holds for every verb.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// Address of the update server [env: UPDATECTL_SERVER] [default: http://localhost:8000]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Name of the API user [env: UPDATECTL_USER]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Key of the API user, with which requests are signed [env: UPDATECTL_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// API token, sent in place of a signature [env: UPDATECTL_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say on the error stream what is asked
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Accept any certificate: whoever is between can read and change everything
    #[arg(long, global = true)]
    pub(crate) skip_ssl_verify: bool,
}

/// A line that is not run: nonsense, or a question for help.
#[derive(Debug)]
pub(crate) struct NotRun {
    error: clap::Error,
    exit: Exit,
}

impl NotRun {
    /// Prints what is to be said, and says with which code to end.
    pub(crate) fn print(&self, streams: &mut Streams<'_>) -> Exit {
        let text = self.error.render().to_string();
        match self.exit {
            // Where help cannot be printed, there is nobody to read it.
            Exit::Fine => drop(streams.text(&text)),
            _ => streams.note(text.trim_end()),
        }
        self.exit
    }
}

/// Reads a command line.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Cli, NotRun> {
    let arguments: Vec<OsString> = arguments.into_iter().map(two_dashes).collect();
    Cli::try_parse_from(&arguments).map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Fine,
            _ if names_a_verb(&arguments) => Exit::Usage,
            ErrorKind::InvalidSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::NoCommand,
            _ => Exit::Usage,
        };
        NotRun { error, exit }
    })
}

/// `updateservicectl` takes long flags with one dash too, as programs written in Go do.
fn two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text)
            if text.len() > 2
                && text.starts_with('-')
                && text.as_bytes()[1].is_ascii_alphabetic() =>
        {
            OsString::from(format!("-{text}"))
        }
        _ => argument,
    }
}

fn names_a_verb(arguments: &[OsString]) -> bool {
    let command = Cli::command();
    arguments
        .iter()
        .skip(1)
        .filter_map(|argument| argument.to_str())
        .any(|text| command.find_subcommand(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    fn check(line: &str, expected: Result<(), Exit>) {
        let arguments = std::iter::once("updatectl")
            .chain(line.split_whitespace())
            .map(OsString::from)
            .collect();
        assert_eq!(parse(arguments).map(drop).map_err(|refused| refused.exit), expected, "{line}");
    }

    #[test]
    fn verbs_are_those_of_the_ancestor() {
        for line in [
            "admin-user create alice",
            "admin-user list",
            "admin-user delete alice",
            "app create --app-id e9 --label CoreOS --description Hosts",
            "app list",
            "app update --app-id e9 --label CoreOS --description Hosts",
            "app delete --app-id e9",
            "channel list --app-id e9",
            "channel create --app-id e9 --channel stable --version 1.2.3 --publish",
            "channel update --app-id e9 --channel stable --version 1.2.3 --publish=false",
            "channel delete --app-id e9 --channel stable",
            "group list --app-id e9",
            "group create --app-id e9 --group-id g --channel stable --label Berlin --oem-blacklist qemu",
            "group update --app-id e9 --group-id g --channel stable",
            "group delete --app-id e9 --group-id g",
            "group pause --app-id e9 --group-id g",
            "group unpause --app-id e9 --group-id g",
            "group percent --app-id e9 --group-id g --update-percent 12.5",
            "group versions --app-id e9 --group-id g --start 0 --end 9 --resolution 3600",
            "group events --app-id e9 --group-id g",
            "rollout --app-id e9 --group-id g",
            "rollout create linear --app-id e9 --group-id g --duration 3600 --frame-size 60",
            "rollout activate --app-id e9 --group-id g",
            "rollout deactivate --app-id e9 --group-id g",
            "package list --app-id e9",
            "package create --app-id e9 --version 1.2.3 --url https://h/f --file f --meta m --release-notes n",
            "package create bulk --dir d --base-url https://h",
            "package delete --app-id e9 --version 1.2.3",
            "package download --dir d --version 1.2.3",
            "package upload --file f",
            "package upload bulk --dir d",
            "upstream list",
            "upstream create --url https://h --label public",
            "upstream update --id 1 --url https://h",
            "upstream delete --id 1",
            "upstream sync",
            "instance list-updates --app-id e9 --group-id g --start 1 --end 2",
            "instance list-app-versions",
            "instance fake --app-id e9 --group-id g --clients-per-app 3 --min-sleep 0 --max-sleep 1 --errorrate 5 --ping-only 1",
            "database init",
            "database backup file",
            "watch --app-id e9 --group-id g --client-id c --interval 1 --version 0.0.0 echo -n x",
        ] {
            check(line, Ok(()));
        }
    }

    #[test]
    fn one_dash_will_do() {
        check("-server http://h app list", Ok(()));
        check("app create -app-id=e9 -label CoreOS", Ok(()));
        check("-h", Err(Exit::Fine));
    }

    #[test]
    fn a_wrong_line_has_a_code() {
        check("--help", Err(Exit::Fine));
        check("--version", Err(Exit::Fine));
        check("app --help", Err(Exit::Fine));
        check("", Err(Exit::NoCommand));
        check("frobnicate", Err(Exit::NoCommand));
        check("--server", Err(Exit::Usage));
        check("app", Err(Exit::Usage));
        check("app frobnicate", Err(Exit::Usage));
        check("app delete", Err(Exit::Usage));
        check("group percent --app-id e9 --group-id g --update-percent lots", Err(Exit::Usage));
        check("package download --dir d --version 1.0.0 --min-version 1.0.0", Err(Exit::Usage));
    }
}
