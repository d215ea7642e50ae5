//! Instances of a group.

use axum::Json;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ask, Refusal, Reply, duration,
    wire::{CountForm, HistoryForm, InstanceForm},
};
use crate::{
    coreupdate::Failure,
    ids::MachineId,
    store::{Group, Instance, InstanceFilter, InstanceSort, Page, Role, SortOrder, Status},
};

/// The most entries of a history that are given at once.
const HISTORY: i64 = 1000;

/// The time that lies a duration of the query back.
pub(super) fn since(ask: &Ask) -> Result<Timestamp, Refusal> {
    let text = ask.asked("duration").unwrap_or("1d");
    let problem =
        || Failure::bad(format!("`duration` is `{text}`; `1h`, `1d`, `7d` and `30d` are common"));
    let seconds = duration::parse(text)
        .and_then(|seconds| i64::try_from(seconds).ok())
        .ok_or_else(problem)?;
    Ok(ask.by.at.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn filter(ask: &Ask, group: &Group) -> Result<InstanceFilter, Refusal> {
    let status = match ask.asked_number("status")? {
        None | Some(0) => None,
        Some(number) => {
            let problem = || {
                Failure::bad(format!("`status` is `{number}`; 1 to 8, or 0 for all, are possible"))
            };
            Some(Status::from_number(number).ok_or_else(problem)?)
        }
    };
    Ok(InstanceFilter {
        app: Some(group.app.clone()),
        group: Some(group.id.clone()),
        status,
        version: ask.asked("version").map(str::to_owned),
        search: ask.asked("searchValue").map(str::to_owned),
        seen_from: Some(since(ask)?),
        ..InstanceFilter::default()
    })
}

/// Nebraska's sort keys are numbers: 0 id, 1 address, 2 last check, and so on; words are taken as well.
fn order(ask: &Ask) -> (InstanceSort, SortOrder) {
    let sort = match ask.asked("sortFilter").unwrap_or_default() {
        "0" | "id" => InstanceSort::Machine,
        "1" | "ip" => InstanceSort::Ip,
        "alias" => InstanceSort::Alias,
        "version" => InstanceSort::Version,
        "status" => InstanceSort::Status,
        _ => InstanceSort::LastSeen,
    };
    let order = match ask.asked("sortOrder").unwrap_or_default() {
        "0" | "asc" => SortOrder::Ascending,
        _ => SortOrder::Descending,
    };
    (sort, order)
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let group = ask.group(Role::Viewer).await?;
    let (sort, order) = order(&ask);
    let found = ask.app.store.instances(&filter(&ask, &group)?, sort, order, ask.page()?).await?;
    let instances: Vec<_> = found.items.iter().map(InstanceForm::new).collect();
    Ok(Json(json!({ "total": found.total, "instances": instances })))
}

pub(super) async fn count(ask: Ask) -> Reply<CountForm> {
    let group = ask.group(Role::Viewer).await?;
    let count = ask.app.store.count_instances(&filter(&ask, &group)?).await?;
    Ok(Json(CountForm { count }))
}

async fn named(ask: &Ask) -> Result<Instance, Refusal> {
    let group = ask.group(Role::Viewer).await?;
    let missing = || Failure::missing("instance", ask.named("instance"));
    let machine: MachineId = ask.named("instance").parse().map_err(|_| missing())?;
    Ok(ask.app.store.instance(&group.app, &machine).await?.ok_or_else(missing)?)
}

pub(super) async fn show(ask: Ask) -> Reply<InstanceForm> {
    Ok(Json(InstanceForm::new(&named(&ask).await?)))
}

pub(super) async fn history(ask: Ask) -> Reply<Vec<HistoryForm>> {
    let instance = named(&ask).await?;
    let limit = ask.asked_number("limit")?.filter(|limit| *limit > 0).unwrap_or(20).min(HISTORY);
    let page = Page::first(limit.unsigned_abs());
    let events = ask.app.store.history(&instance.app, &instance.machine, page).await?;
    Ok(Json(events.iter().map(HistoryForm::new).collect()))
}

/// What an operator calls an instance.
#[derive(Debug, Deserialize)]
struct Alias {
    alias: String,
}

/// An alias holds in all applications, so it takes a role in all of them.
pub(super) async fn rename(ask: Ask) -> Reply<Value> {
    ask.needs(Role::Operator, None)?;
    let Alias { alias } = ask.body()?;
    if alias.len() > 256 || alias.chars().any(char::is_control) {
        return Err(Failure::bad("`alias` has up to 256 bytes, and no control characters").into());
    }
    let machine: MachineId = ask.named("instance").parse()?;
    ask.app.store.set_alias(&ask.by, None, &machine, &alias).await?;
    Ok(Json(json!({ "id": machine, "alias": alias })))
}
