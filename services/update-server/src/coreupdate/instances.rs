//! Instances: lists, counts, history.

use axum::{Json, Router};
use jiff::Timestamp;
use slipway_coreupdate::wire::{
    AppVersionItem, AppVersionList, ClientCountResp, ClientHistoryItem, ClientHistoryResp,
    ClientUpdate, ClientUpdateList,
};

use super::{Answer, Call, Failure, NoBody, mount};
use crate::{
    app::App,
    ids::{AppId, GroupId, MachineId},
    store::{Event, Instance, InstanceFilter, InstanceSort, Page, SortOrder},
};

/// How far back the history of an instance goes, in entries.
const HISTORY: u64 = 1000;

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.appversion.list", versions);
    let router = mount(router, "update.clientupdate.list", list);
    let router = mount(router, "update.clientupdate.count", count);
    mount(router, "update.client.history", history)
}

fn filter(call: &Call<NoBody>) -> Result<InstanceFilter, Failure> {
    Ok(InstanceFilter {
        app: call.application_or_none().map(|app| app.id.clone()),
        group: call.asked("groupId").map(str::parse).transpose()?,
        version: call.asked("version").map(str::to_owned),
        oem: call.asked("oem").map(str::to_owned),
        machine: call.asked("clientId").map(str::parse).transpose()?,
        seen_from: time(call, "dateStart")?,
        seen_until: time(call, "dateEnd")?,
        event_type: call.asked_number("eventType")?,
        event_result: call.asked_number("eventResult")?,
        ..InstanceFilter::default()
    })
}

/// A time in seconds since 1970. Zero is what the stock client sends for none.
fn time(call: &Call<NoBody>, name: &str) -> Result<Option<Timestamp>, Failure> {
    let second = call.asked_number(name)?.filter(|second| *second != 0);
    let time = |second| {
        Timestamp::from_second(second)
            .map_err(|_| Failure::bad(format!("`{name}` is `{second}`, which is no time")))
    };
    second.map(time).transpose()
}

fn text(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn wire(instance: &Instance) -> ClientUpdate {
    ClientUpdate {
        app_id: instance.app.to_string(),
        client_id: instance.machine.to_string(),
        error_code: text(instance.error_code),
        event_result: text(instance.event_result),
        event_type: text(instance.event_type),
        group_id: instance.group.to_string(),
        last_seen: instance.last_seen.to_string(),
        oem: instance.oem.clone(),
        version: instance.version.clone(),
    }
}

async fn list(call: Call<NoBody>) -> Answer<ClientUpdateList> {
    let filter = filter(&call)?;
    let page = call.page()?;
    let found = call
        .app
        .store
        .instances(&filter, InstanceSort::LastSeen, SortOrder::Descending, page)
        .await?;
    Ok(Json(ClientUpdateList { items: found.items.iter().map(wire).collect() }))
}

async fn count(call: Call<NoBody>) -> Answer<ClientCountResp> {
    let count = call.app.store.count_instances(&filter(&call)?).await?;
    Ok(Json(ClientCountResp { count: i64::try_from(count).unwrap_or(i64::MAX) }))
}

async fn versions(call: Call<NoBody>) -> Answer<AppVersionList> {
    let filter = filter(&call)?;
    let store = &call.app.store;
    let apps: Vec<AppId> = match &filter.app {
        Some(app) => vec![app.clone()],
        None => store.apps().await?.into_iter().map(|app| app.id).collect(),
    };
    let mut items = Vec::new();
    for app in apps {
        let groups = store.groups(&app).await?.into_iter().map(|group| group.id);
        for group in
            groups.filter(|group| filter.group.as_ref().is_none_or(|wanted| wanted == group))
        {
            items.extend(versions_of(&call, &filter, &app, &group).await?);
        }
    }
    Ok(Json(AppVersionList { items }))
}

/// The versions of one group, the most frequent first.
async fn versions_of(
    call: &Call<NoBody>,
    filter: &InstanceFilter,
    app: &AppId,
    group: &GroupId,
) -> Result<Vec<AppVersionItem>, Failure> {
    let from = filter.seen_from.unwrap_or(Timestamp::UNIX_EPOCH);
    let mut items = Vec::new();
    for found in call.app.store.version_counts(app, Some(group), from).await? {
        if filter.version.as_ref().is_some_and(|wanted| *wanted != found.version) {
            continue;
        }
        let narrowed = InstanceFilter {
            app: Some(app.clone()),
            group: Some(group.clone()),
            version: Some(found.version.clone()),
            ..filter.clone()
        };
        let count = if is_plain(filter) {
            found.count
        } else {
            call.app.store.count_instances(&narrowed).await?
        };
        if count > 0 {
            items.push(AppVersionItem {
                app_id: app.to_string(),
                count: i64::try_from(count).unwrap_or(i64::MAX),
                group_id: group.to_string(),
                version: found.version,
            });
        }
    }
    Ok(items)
}

/// Whether counts by version alone are the answer.
fn is_plain(filter: &InstanceFilter) -> bool {
    let InstanceFilter { oem, seen_until, event_type, event_result, .. } = filter;
    oem.is_none() && seen_until.is_none() && event_type.is_none() && event_result.is_none()
}

fn wire_event(event: &Event) -> ClientHistoryItem {
    ClientHistoryItem {
        date_time: event.at.as_second(),
        error_code: text(event.error_code),
        event_result: text(event.event_result),
        event_type: text(event.event_type),
        group_id: event.group.to_string(),
        install_source: event.install_source.clone(),
        version: event.version.clone(),
    }
}

/// What an instance reported, in the applications that the caller may see.
async fn history(call: Call<NoBody>) -> Answer<ClientHistoryResp> {
    let machine =
        call.asked("clientId").ok_or_else(|| Failure::bad("the query lacks `clientId`"))?;
    let machine: MachineId = machine.parse()?;
    let events = call.app.store.machine_history(&machine, Page::first(HISTORY)).await?;
    let reported =
        events.iter().filter(|event| event.event_type.is_some() && call.may_see(&event.app));
    Ok(Json(ClientHistoryResp { items: reported.map(wire_event).collect() }))
}
