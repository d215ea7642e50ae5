//! Many hosts at once, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slipway_omaha::CheckStatus;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::host::{Host, Message, Profile, Step};
use super::{Event, Outcome, Report};
use crate::{Client, CtlError};

/// How long hosts wait, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pause {
    /// At least, between checks.
    pub min: f64,
    /// At most, between checks.
    pub max: f64,
    /// Between the steps of an update.
    pub step: f64,
}

/// How many hosts there are and how long they live.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// How many.
    pub hosts: u64,
    /// For how long.
    pub duration: Duration,
    /// How many checks at most, of all hosts together.
    pub checks: Option<u64>,
    /// How many requests at most at once.
    pub connections: usize,
    /// How long they wait.
    pub pause: Pause,
    /// The version that they run first.
    pub version: String,
    /// From which everything random grows.
    pub seed: u64,
    /// Whether documents are told.
    pub verbose: bool,
    /// How they behave.
    pub profile: Profile,
}

/// What all hosts share.
struct World {
    client: Client,
    load: Load,
    permits: Semaphore,
    checks_left: AtomicU64,
    events: mpsc::Sender<Event>,
}

/// Lets them live, tells `heard` what they do, and says what came of it.
pub async fn run(
    client: &Client,
    load: Load,
    mut heard: impl FnMut(&Event),
) -> Result<Report, CtlError> {
    let (events, mut inbox) = mpsc::channel(1024);
    let duration = load.duration;
    let world = Arc::new(World {
        client: client.clone(),
        permits: Semaphore::new(load.connections.max(1)),
        checks_left: AtomicU64::new(load.checks.unwrap_or(u64::MAX)),
        load,
        events,
    });
    let begun = Instant::now();
    let mut hosts = JoinSet::new();
    for number in 0..world.load.hosts {
        let world = Arc::clone(&world);
        hosts.spawn(async move { live(&world, number).await });
    }
    // The channel closes when the last host is gone.
    drop(world);
    let mut report = Report::default();
    let counting = async {
        while let Some(event) = inbox.recv().await {
            report.add(&event);
            heard(&event);
        }
    };
    // Either all are gone, or the time is up.
    let _in_time = timeout(duration, counting).await.is_ok();
    report.elapsed = begun.elapsed();
    hosts.abort_all();
    Ok(report)
}

/// The life of a host, until it vanishes or the checks are used up.
async fn live(world: &World, number: u64) {
    let Load { seed, version, pause, .. } = &world.load;
    let mut host = Host::new(*seed, number, version);
    loop {
        let wait = pause.min + (pause.max - pause.min).max(0.0) * host.dice().unit();
        sleep(Duration::from_secs_f64(wait.max(0.0))).await;
        if !world.may_check() {
            return;
        }
        if let Some(version) = check(world, &mut host).await
            && update(world, &mut host, &version).await == Fate::Gone
        {
            return;
        }
    }
}

/// Whether a host goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Gone,
}

/// Asks for an update; gives the version that was granted.
async fn check(world: &World, host: &mut Host) -> Option<String> {
    let (answer, took) = world.send(host, &Message::Check).await?;
    host.answered();
    let outcome = outcome(&answer);
    world.tell(Event::Checked { took, outcome: outcome.clone() }).await;
    match outcome {
        Outcome::Granted { version } => Some(version),
        Outcome::Nothing | Outcome::Other(_) => None,
    }
}

fn outcome(answer: &slipway_omaha::Response) -> Outcome {
    let Some(app) = answer.apps.first() else { return Outcome::Other("no application".to_owned()) };
    let Some(check) = &app.update_check else {
        return Outcome::Other(app.status.as_word().to_owned());
    };
    match (&check.status, check.target()) {
        (CheckStatus::Ok, Some(manifest)) => Outcome::Granted { version: manifest.version.clone() },
        (CheckStatus::Ok, None) => Outcome::Other("ok without a manifest".to_owned()),
        (CheckStatus::NoUpdate, _) => Outcome::Nothing,
        (status, _) => Outcome::Other(status.as_word().to_owned()),
    }
}

async fn update(world: &World, host: &mut Host, version: &str) -> Fate {
    for step in host.steps(&world.load.profile) {
        match step {
            Step::Send(message) => {
                if world.send(host, &message).await.is_some() {
                    world.tell(Event::Reported).await;
                }
                sleep(Duration::from_secs_f64(world.load.pause.step.max(0.0))).await;
            }
            Step::Fail => world.tell(Event::Failed).await,
            Step::Vanish => {
                world.tell(Event::Vanished).await;
                return Fate::Gone;
            }
            Step::Reboot => {
                let from = host.reboot(version);
                let machine = host.machine().to_owned();
                world.tell(Event::Updated { machine, from, to: version.to_owned() }).await;
            }
        }
    }
    Fate::Lives
}

impl World {
    fn may_check(&self) -> bool {
        self.checks_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Sends a message; gives the answer and how long it took, without the wait for its turn.
    async fn send(
        &self,
        host: &Host,
        message: &Message,
    ) -> Option<(slipway_omaha::Response, Duration)> {
        let document = host.request(&self.load.profile, message).to_xml();
        if self.load.verbose {
            self.tell(Event::Said(format!("{}: {document}", host.machine()))).await;
        }
        let permit = self.permits.acquire().await.ok()?;
        let begun = Instant::now();
        let answer = self.client.post_omaha(document).await;
        let took = begun.elapsed();
        drop(permit);
        match answer {
            Ok(answer) => {
                if self.load.verbose {
                    self.tell(Event::Said(format!("{}: {}", host.machine(), answer.to_xml())))
                        .await;
                }
                Some((answer, took))
            }
            Err(error) => {
                self.tell(Event::Lost { why: error.to_string() }).await;
                None
            }
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more when the time is up.
        let _unheard = self.events.send(event).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(app: &str, expected: Outcome) {
        let xml = format!(r#"<response protocol="3.0">{app}</response>"#);
        assert_eq!(outcome(&slipway_omaha::Response::parse(xml.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn an_answer_is_an_update_or_none_or_a_word() {
        check(
            r#"<app appid="e9" status="ok"><updatecheck status="ok"><urls><url codebase="https://h/"/></urls><manifest version="1.2.3"><packages/><actions/></manifest></updatecheck></app>"#,
            Outcome::Granted { version: "1.2.3".into() },
        );
        check(
            r#"<app appid="e9" status="ok"><updatecheck status="noupdate"/></app>"#,
            Outcome::Nothing,
        );
        check(
            r#"<app appid="e9" status="ok"><updatecheck status="error-internal"/></app>"#,
            Outcome::Other("error-internal".into()),
        );
        check(
            r#"<app appid="e9" status="error-unknownApplication"/>"#,
            Outcome::Other("error-unknownApplication".into()),
        );
        check("", Outcome::Other("no application".into()));
    }
}
