//! The daemon: one task owns the agent; commands come in, answers and reports go out.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    agent::{Agent, AgentError, Report},
    fetch::FetchError,
    talk::Asked,
    update::{Ask, Depth, Done, Origin},
};

/// The first check comes so long after the start (update_engine: 7 minutes ± 5).
const FIRST: Duration = Duration::from_secs(7 * 60);

/// How far checks are spread.
const SPREAD: Duration = Duration::from_secs(10 * 60);

/// The longest time between two checks of a server that is overloaded.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// A server cannot ask for more than this, in seconds.
const POLL_LIMIT: u64 = 7 * 24 * 3600;

/// What people may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Look whether there is an update.
    Check,
    /// Update from the server, or from a folder with a copy of a repository.
    Update {
        /// The folder.
        folder: Option<PathBuf>,
    },
    /// Go back to the other version.
    Rollback,
    /// Forget failures, and take back what waits for a reboot.
    Reset,
    /// Take only this version; none for any.
    Pin {
        /// The version.
        version: Option<String>,
    },
    /// Follow another channel; none for the configured one.
    Channel {
        /// The channel.
        name: Option<String>,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done, or there is an update.
    Done,
    /// There is nothing to do.
    Nothing,
    /// It is not to be done now.
    Blocked,
    /// It failed.
    Failed,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// How it ended.
    pub answer: Answer,
    /// For people.
    pub message: String,
}

/// The way to a daemon.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<(Command, oneshot::Sender<Reply>)>,
    reports: watch::Receiver<Report>,
}

impl Handle {
    /// Asks, and waits for the end.
    pub async fn ask(&self, command: Command) -> Reply {
        let (sender, receiver) = oneshot::channel();
        let gone = || Reply { answer: Answer::Failed, message: "the agent ends".to_owned() };
        if self.commands.send((command, sender)).await.is_err() {
            return gone();
        }
        receiver.await.unwrap_or_else(|_| gone())
    }

    /// Asks without waiting. Refused while another command is waited for.
    pub fn order(&self, command: Command) -> bool {
        let (sender, _nobody) = oneshot::channel();
        self.commands.try_send((command, sender)).is_ok()
    }

    /// What the agent tells about itself.
    pub fn reports(&self) -> watch::Receiver<Report> {
        self.reports.clone()
    }
}

/// Starts a daemon: the handle, and the future that it lives in. `now` gives seconds since 1970.
pub fn serve(
    agent: Agent,
    now: impl Fn() -> i64 + Send + 'static,
) -> (Handle, impl Future<Output = ()> + Send) {
    let (commands, inbox) = mpsc::channel(4);
    let handle = Handle { commands, reports: agent.reports() };
    (handle, run(agent, inbox, now))
}

async fn run(
    mut agent: Agent,
    mut inbox: mpsc::Receiver<(Command, oneshot::Sender<Reply>)>,
    now: impl Fn() -> i64 + Send + 'static,
) {
    let mut wait = spread(FIRST.min(agent.config().interval));
    let mut overload = 1;
    loop {
        let command = tokio::time::timeout(wait, inbox.recv()).await;
        match command {
            Ok(None) => return,
            Ok(Some((command, sender))) => {
                let reply = execute(&mut agent, command, now()).await;
                let _gone = sender.send(reply);
                // The timer starts anew: a person who asks now spares the check that was due.
            }
            Err(_) => {
                let ask =
                    Ask { asked: Asked::ByTimer, from: Origin::Server, depth: Depth::Install };
                if agent.config().server.is_some() {
                    let result = agent.update(&ask, now()).await;
                    overload = if is_overload(&result) { (overload * 2).min(16) } else { 1 };
                }
            }
        }
        let asked =
            agent.poll_interval().map(|seconds| Duration::from_secs(seconds.min(POLL_LIMIT)));
        let interval = asked.unwrap_or(agent.config().interval);
        wait = spread((interval * overload).min(LONGEST.max(interval)));
    }
}

/// HTTP 500 and 503 mean: come back later (update_engine doubles its interval then).
fn is_overload(result: &Result<Done, AgentError>) -> bool {
    matches!(result, Err(AgentError::Fetch(FetchError::Status { status: 500 | 503, .. })))
}

/// Within five minutes of it; short intervals are kept as they are.
fn spread(interval: Duration) -> Duration {
    if interval < SPREAD {
        return interval;
    }
    let mut chance = [0; 2];
    let _without_chance = getrandom::fill(&mut chance);
    let chance = u32::from(u16::from_le_bytes(chance));
    interval - SPREAD / 2 + SPREAD * chance / u32::from(u16::MAX)
}

async fn execute(agent: &mut Agent, command: Command, now: i64) -> Reply {
    let update = |from, depth| Ask { asked: Asked::ByPerson, from, depth };
    let done = |message: String| Ok((Answer::Done, message));
    let result = match command {
        Command::Check => describe(agent.update(&update(Origin::Server, Depth::Look), now).await),
        Command::Update { folder } => {
            let from = folder.map_or(Origin::Server, Origin::Folder);
            describe(agent.update(&update(from, Depth::Install), now).await)
        }
        Command::Rollback => agent
            .roll_back()
            .and_then(|to| done(format!("the next boot is into {to}, and stays there"))),
        Command::Reset => agent.reset().and_then(|()| done("everything is forgotten".to_owned())),
        Command::Pin { version } => agent.pin(version.as_deref()).and_then(|()| {
            done(match version {
                Some(version) => format!("only {version} is taken from now on"),
                None => "any newer version is taken from now on".to_owned(),
            })
        }),
        Command::Channel { name } => agent
            .follow(name.as_deref())
            .and_then(|()| done(format!("this machine follows `{}` from now on", agent.channel()))),
    };
    match result {
        Ok((answer, message)) => Reply { answer, message },
        Err(error) => Reply {
            answer: if error.is_block() { Answer::Blocked } else { Answer::Failed },
            message: error.chain(),
        },
    }
}

fn describe(result: Result<Done, AgentError>) -> Result<(Answer, String), AgentError> {
    Ok(match result? {
        Done::NoUpdate => (Answer::Nothing, "there is no update".to_owned()),
        Done::Available(plan) => {
            let size = plan.candidates.first().map_or(0, |candidate| candidate.length);
            (Answer::Done, format!("{} can be installed ({size} bytes)", plan.version))
        }
        Done::Installed(version) => {
            (Answer::Done, format!("{version} is installed; the next boot is into it"))
        }
        Done::Waiting => (Answer::Done, "an update waits for its reboot already".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_spread_around_their_interval() {
        let interval = Duration::from_secs(45 * 60);
        for _ in 0..100 {
            let wait = spread(interval).as_secs();
            assert!((40 * 60..=50 * 60).contains(&wait), "{wait}");
        }
        assert_eq!(spread(Duration::from_secs(5)), Duration::from_secs(5));
    }

    #[test]
    fn commands_as_json() {
        #[track_caller]
        fn check(command: Command, expected: &str) {
            assert_eq!(serde_json::to_string(&command).unwrap(), expected);
            assert_eq!(serde_json::from_str::<Command>(expected).unwrap(), command);
        }
        check(Command::Check, "\"check\"");
        check(Command::Update { folder: None }, "{\"update\":{\"folder\":null}}");
        check(
            Command::Pin { version: Some("4.1.0".to_owned()) },
            "{\"pin\":{\"version\":\"4.1.0\"}}",
        );
    }
}
