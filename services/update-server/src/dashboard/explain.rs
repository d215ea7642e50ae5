//! Why a machine gets what it gets, in words.

use serde::Serialize;

use super::{
    page::PageError,
    time::{When, relative},
    words,
};
use crate::{
    app::App,
    checks::{self, Explanation},
    policy::Answer,
    store::Instance,
};

/// What the policy would answer now.
#[derive(Serialize)]
pub(super) struct Explained {
    /// In one sentence.
    verdict: String,
    /// Why, one reason each.
    reasons: Vec<String>,
    /// When its turn may come.
    turn: Option<When>,
}

/// Asks the policy without changing anything; nothing if the machine's group is gone.
pub(super) async fn explain(app: &App, one: &Instance) -> Result<Option<Explained>, PageError> {
    let now = app.clock.now();
    let found = checks::explain(&app.store, &one.app, &one.machine, now).await?;
    Ok(found.map(|found| Explained {
        verdict: verdict(&found),
        reasons: reasons(&found, now),
        turn: found.decision.turn.map(|turn| When::new(turn, now)),
    }))
}

fn verdict(found: &Explanation) -> String {
    match &found.decision.answer {
        Answer::Grant(version) => format!("It gets {version} when it asks next."),
        Answer::Again(version) => {
            format!("It was granted {version}, and gets it again when it asks.")
        }
        Answer::Wait => match &found.next {
            Some(version) => format!("{version} is for it, and it has to wait."),
            None => "There is an update for it, and it has to wait.".to_owned(),
        },
        Answer::Nothing => "There is nothing for it.".to_owned(),
    }
}

fn reasons(found: &Explanation, now: jiff::Timestamp) -> Vec<String> {
    let because = words::capital(&found.decision.reason.to_string());
    let mut reasons = vec![format!("{}.", because.trim_end_matches('.'))];
    if let Some(turn) = found.decision.turn {
        reasons.push(format!("Its turn may come {}.", relative(turn, now)));
    }
    if let (Some(place), Some(next)) = (found.place, &found.next) {
        reasons.push(format!(
            "Its place in the rollout of {next} is {} of 100.",
            words::percent(place).trim_end_matches(" %")
        ));
    }
    let counters = &found.counters;
    if counters.granted > 0 {
        reasons.push(format!(
            "Of this version {} were granted so far: {} run it, {} failed, {} are missing.",
            words::count(counters.granted),
            words::count(counters.completed),
            words::count(counters.failed),
            words::count(counters.missing)
        ));
    }
    reasons
}
