//! The client: asks the daemon over D-Bus, prints, and ends with a code that tells the truth.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use slipway_update_engine::{Answer, Command, NAME, PATH, Reply, Report, Stage};

/// Ask the update agent of this machine
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 there is nothing to do, 4 not to be done now, 5 the agent does not answer.
#[derive(Parser)]
#[command(name = "update-engine-client", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Take the session bus instead of the system's, for tests
    #[arg(long, global = true)]
    session: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Print what the agent does
    Status,
    /// Look whether there is an update; installs nothing
    Check,
    /// Update now, and wait for the end
    Update {
        /// Take the update from a folder with a copy of a repository
        #[arg(long)]
        from: Option<PathBuf>,
        /// Only look, as `check` does
        #[arg(long, conflicts_with = "from")]
        dry_run: bool,
    },
    /// Print the status at every change, until the agent ends
    Watch,
    /// Go back to the other version with the next reboot
    Rollback,
    /// Take only one version from now on; without one, take any
    Pin {
        /// The version
        version: Option<String>,
    },
    /// Follow another channel; without one, the configured one
    Channel {
        /// The channel
        name: Option<String>,
    },
    /// Forget which versions failed, and take back an update that waits for its reboot
    Reset,
}

#[zbus::proxy(interface = "com.coreos.update1.Manager", gen_blocking = false)]
trait Manager {
    fn describe(&self) -> zbus::Result<String>;
    fn control(&self, command: &str) -> zbus::Result<String>;
    #[zbus(signal)]
    fn status_update(
        &self,
        last_checked_time: i64,
        progress: f64,
        current_operation: &str,
        new_version: &str,
        new_size: i64,
    ) -> zbus::Result<()>;
}

/// The agent does not answer.
const UNREACHABLE: u8 = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args().map(modern));
    match run(&arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("error: the update agent does not answer: {error}"));
            ExitCode::from(UNREACHABLE)
        }
    }
}

/// The ancestors' flags by the verbs that took their place.
fn modern(argument: String) -> String {
    let verb = match argument.trim_start_matches('-') {
        "check_for_update" => "check",
        "status" => "status",
        "update" => "update",
        "reset_status" => "reset",
        "watch_for_updates" => "watch",
        _ => return argument,
    };
    if argument.starts_with('-') { verb.to_owned() } else { argument }
}

async fn run(arguments: &Arguments) -> zbus::Result<u8> {
    let connection = match arguments.session {
        true => zbus::Connection::session().await?,
        false => zbus::Connection::system().await?,
    };
    let manager = ManagerProxy::builder(&connection).destination(NAME)?.path(PATH)?.build().await?;
    let command = match &arguments.verb {
        Verb::Status => {
            print(&status(&manager.describe().await?, arguments)?);
            return Ok(0);
        }
        Verb::Watch => return watch(&manager, arguments).await,
        Verb::Check | Verb::Update { dry_run: true, .. } => Command::Check,
        Verb::Update { from, .. } => {
            let folder = from.as_ref().map(std::path::absolute).transpose();
            Command::Update {
                folder: folder.map_err(|error| zbus::Error::Failure(error.to_string()))?,
            }
        }
        Verb::Rollback => Command::Rollback,
        Verb::Pin { version } => Command::Pin { version: version.clone() },
        Verb::Channel { name } => Command::Channel { name: name.clone() },
        Verb::Reset => Command::Reset,
    };
    let reply = manager.control(&text(&command)?).await?;
    let parsed: Reply = parse(&reply)?;
    print(if arguments.json { &reply } else { &parsed.message });
    Ok(match parsed.answer {
        Answer::Done => 0,
        Answer::Failed => 1,
        Answer::Nothing => 3,
        Answer::Blocked => 4,
    })
}

async fn watch(manager: &ManagerProxy<'_>, arguments: &Arguments) -> zbus::Result<u8> {
    use futures::StreamExt as _;
    let mut changes = manager.receive_status_update().await?;
    print(&status(&manager.describe().await?, arguments)?);
    while changes.next().await.is_some() {
        print(&status(&manager.describe().await?, arguments)?);
    }
    Ok(UNREACHABLE)
}

/// The ancestors' lines, and behind them what they did not have.
fn status(json: &str, arguments: &Arguments) -> zbus::Result<String> {
    if arguments.json {
        return Ok(json.to_owned());
    }
    let report: Report = parse(json)?;
    let (progress, size) = report.status.progress();
    let mut lines = vec![
        format!("LAST_CHECKED_TIME={}", report.last_checked),
        format!("PROGRESS={progress:.6}"),
        format!("CURRENT_OP={}", report.status.stage().dbus_name()),
        format!("NEW_VERSION={}", report.status.version().unwrap_or("0.0.0")),
        format!("NEW_SIZE={size}"),
        format!("VERSION={}", report.running),
        format!("CHANNEL={}", report.channel),
    ];
    if let Some(pin) = report.pin {
        lines.push(format!("PIN={pin}"));
    }
    let stage = report.status.stage();
    if let slipway_update_engine::Status::Blocked { reason }
    | slipway_update_engine::Status::Error { reason, .. } = report.status
    {
        let key = if stage == Stage::Blocked { "BLOCKED" } else { "ERROR" };
        lines.push(format!("{key}={reason}"));
    }
    Ok(lines.join("\n"))
}

fn text(command: &Command) -> zbus::Result<String> {
    serde_json::to_string(command).map_err(|error| zbus::Error::Failure(error.to_string()))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> zbus::Result<T> {
    serde_json::from_str(text).map_err(|error| zbus::Error::Failure(error.to_string()))
}

#[expect(clippy::print_stdout, reason = "the program's output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the program's errors")]
fn complain(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_flags_are_verbs() {
        #[track_caller]
        fn check(arguments: &[&str]) -> Arguments {
            let all = std::iter::once("client").chain(arguments.iter().copied());
            Arguments::try_parse_from(all.map(|argument| modern(argument.to_owned()))).unwrap()
        }
        assert!(matches!(check(&["-status"]).verb, Verb::Status));
        assert!(matches!(check(&["--update"]).verb, Verb::Update { dry_run: false, from: None }));
        assert!(matches!(check(&["-check_for_update"]).verb, Verb::Check));
        assert!(matches!(check(&["-reset_status"]).verb, Verb::Reset));
        assert!(matches!(check(&["-watch_for_updates"]).verb, Verb::Watch));
        assert!(check(&["status", "--json"]).json);
    }
}
