//! Methods about machines.

use axum::{Json, http::StatusCode};
use serde::Deserialize;

use super::{
    call::{Asked, Body, Caller, Names, Part},
    failure::Failure,
};
use crate::{
    checks::{self, Explanation},
    ids::{GroupId, MachineId},
    store::{Event, Instance, InstanceFilter, InstanceSort, Page, Paged, Role, SortOrder},
};

type OfMachine = (String, MachineId);

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    group: Option<GroupId>,
    status: Option<String>,
    version: Option<String>,
    oem: Option<String>,
    search: Option<String>,
    sort: Option<String>,
    order: Option<String>,
    skip: Option<u64>,
    limit: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Who {
    machine: MachineId,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alias {
    alias: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    version: Option<String>,
}

pub(super) async fn list(
    caller: Caller,
    Names(app): Names<String>,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Paged<Instance>>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let sort = match asked.sort.as_deref() {
        None | Some("last_seen") => InstanceSort::LastSeen,
        Some("machine") => InstanceSort::Machine,
        Some("alias") => InstanceSort::Alias,
        Some("version") => InstanceSort::Version,
        Some("status") => InstanceSort::Status,
        Some("ip") => InstanceSort::Ip,
        Some(_) => {
            return Err(Failure::invalid(
                "sort by last_seen, machine, alias, version, status or ip",
            ));
        }
    };
    let order = match asked.order.as_deref() {
        None | Some("descending") => SortOrder::Descending,
        Some("ascending") => SortOrder::Ascending,
        Some(_) => return Err(Failure::invalid("order is ascending or descending")),
    };
    let filter = InstanceFilter {
        app: Some(app.id),
        group: asked.group,
        status: asked.status.map(|status| status.parse()).transpose()?,
        version: asked.version,
        oem: asked.oem,
        search: asked.search,
        ..InstanceFilter::default()
    };
    let page = Page {
        skip: asked.skip.unwrap_or(0).min(1 << 40),
        limit: asked.limit.unwrap_or(100).clamp(1, 1000),
    };
    Ok(Json(caller.app.store.instances(&filter, sort, order, page).await?))
}

pub(super) async fn show(
    caller: Caller,
    Names((app, machine)): Names<OfMachine>,
) -> Result<Json<Instance>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let found = caller.app.store.instance(&app.id, &machine).await?;
    found.map(Json).ok_or_else(|| Failure::not_found("machine", &machine))
}

pub(super) async fn history(
    caller: Caller,
    Names((app, machine)): Names<OfMachine>,
    Asked(part): Asked<Part>,
) -> Result<Json<Vec<Event>>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    Ok(Json(caller.app.store.history(&app.id, &machine, part.into()).await?))
}

pub(super) async fn alias(
    caller: Caller,
    Names((app, machine)): Names<OfMachine>,
    Body(body): Body<Alias>,
) -> Result<StatusCode, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    if body.alias.len() > 256 || body.alias.chars().any(char::is_control) {
        return Err(Failure::invalid("an alias has up to 256 visible characters"));
    }
    caller.app.store.set_alias(&caller.by(), Some(&app.id), &machine, &body.alias).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn pin(
    caller: Caller,
    Names((app, machine)): Names<OfMachine>,
    Body(body): Body<Pin>,
) -> Result<StatusCode, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    caller.app.store.set_pin(&caller.by(), &app.id, &machine, body.version.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn explain(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
    Asked(Who { machine }): Asked<Who>,
) -> Result<Json<Explanation>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let known = caller.app.store.instance(&app.id, &machine).await?;
    if known.is_none_or(|instance| instance.group != group) {
        return Err(Failure::not_found("machine in this group", &machine));
    }
    let explained =
        checks::explain(&caller.app.store, &app.id, &machine, caller.app.clock.now()).await?;
    explained.map(Json).ok_or_else(|| Failure::not_found("group", &group))
}
