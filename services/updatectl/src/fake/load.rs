//! Many hosts at once, within bounds: they wait in one schedule, and as many workers speak for them as there may be requests at
//! once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slipway_omaha::CheckStatus;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::host::{Host, Message, Profile, Step};
use super::schedule::Schedule;
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
    schedule: Schedule<Box<Life>>,
    checks_left: AtomicU64,
    events: mpsc::Sender<Event>,
}

/// A host, and what it does when its turn comes.
struct Life {
    host: Host,
    next: Next,
}

enum Next {
    /// It asks for an update.
    Check,
    /// It goes on with one.
    Update { version: String, steps: std::vec::IntoIter<Step> },
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
        schedule: Schedule::new(),
        checks_left: AtomicU64::new(load.checks.unwrap_or(u64::MAX)),
        load,
        events,
    });
    world.populate();
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..world.load.connections.max(1) {
        let world = Arc::clone(&world);
        workers.spawn(async move { world.work().await });
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
    workers.abort_all();
    Ok(report)
}

impl World {
    /// Gives each host its first turn, anywhere within the longest pause: a fleet does not ask all at once.
    fn populate(&self) {
        let now = Instant::now();
        for number in 0..self.load.hosts {
            let mut host = Host::new(self.load.seed, number, &self.load.version);
            let wait = self.load.pause.max.max(0.0) * host.dice().unit();
            let due = now + Duration::from_secs_f64(wait);
            self.schedule.add(Box::new(Life { host, next: Next::Check }), due);
        }
    }

    /// Speaks for one host after the other, until all are gone.
    async fn work(&self) {
        while let Some((mut life, late)) = self.schedule.next().await {
            match self.turn(&mut life, late).await {
                Some(wait) => self.schedule.put(life, Instant::now() + wait),
                None => self.schedule.gone(),
            }
        }
    }

    /// Lets a host do what comes next; how long it waits afterwards, unless it is gone.
    async fn turn(&self, life: &mut Life, late: Duration) -> Option<Duration> {
        match &mut life.next {
            Next::Check => {
                if !self.may_check() {
                    return None;
                }
                match self.check(&mut life.host, late).await {
                    Some(version) => {
                        let steps = life.host.steps(&self.load.profile, &version).into_iter();
                        life.next = Next::Update { version, steps };
                        Some(Duration::ZERO)
                    }
                    None => Some(self.pause(&mut life.host)),
                }
            }
            Next::Update { version, steps } => {
                match self.step(&mut life.host, version, steps).await {
                    Fate::Updates => Some(Duration::from_secs_f64(self.load.pause.step.max(0.0))),
                    Fate::Checks => {
                        life.next = Next::Check;
                        Some(self.pause(&mut life.host))
                    }
                    Fate::Gone => None,
                }
            }
        }
    }

    fn pause(&self, host: &mut Host) -> Duration {
        let Pause { min, max, .. } = self.load.pause;
        let wait = min + (max - min).max(0.0) * host.dice().unit();
        Duration::from_secs_f64(wait.max(0.0))
    }

    /// Asks for an update; gives the version that was granted.
    async fn check(&self, host: &mut Host, late: Duration) -> Option<String> {
        let (answer, took) = self.send(host, &Message::Check).await?;
        host.answered();
        let outcome = outcome(&answer);
        let granted = match &outcome {
            Outcome::Granted { version } => Some(version.clone()),
            Outcome::Nothing | Outcome::Other(_) => None,
        };
        self.tell(Event::Checked { took, late, outcome }).await;
        granted
    }

    /// Goes on with an update, up to what is sent next.
    async fn step(
        &self,
        host: &mut Host,
        version: &str,
        steps: &mut std::vec::IntoIter<Step>,
    ) -> Fate {
        match steps.next() {
            Some(Step::Send(message)) => {
                if self.send(host, &message).await.is_some() {
                    self.tell(Event::Reported).await;
                }
                return Fate::Updates;
            }
            Some(Step::Vanish) => {
                self.tell(Event::Vanished).await;
                return Fate::Gone;
            }
            Some(Step::Fail) => self.tell(Event::Failed).await,
            Some(Step::Reboot) => {
                let from = host.reboot(version);
                let machine = host.machine().to_owned();
                self.tell(Event::Updated { machine, from, to: version.to_owned() }).await;
            }
            None => {}
        }
        Fate::Checks
    }
}

/// How a host goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// With its update.
    Updates,
    /// With a check.
    Checks,
    /// Not at all.
    Gone,
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

impl World {
    fn may_check(&self) -> bool {
        self.checks_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Sends a message; gives the answer and how long it took.
    async fn send(
        &self,
        host: &Host,
        message: &Message,
    ) -> Option<(slipway_omaha::Response, Duration)> {
        let document = host.request(&self.load.profile, message).to_xml();
        if self.load.verbose {
            self.tell(Event::Said(format!("{}: {document}", host.machine()))).await;
        }
        let begun = Instant::now();
        let answer = self.client.post_omaha(document).await;
        let took = begun.elapsed();
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
