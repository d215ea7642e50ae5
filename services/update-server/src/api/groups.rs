//! Methods about groups.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    call::{Body, Caller, Names, put},
    failure::Failure,
};
use crate::{
    ids::{AppId, ChannelId, GroupId, hex},
    policy::Policy,
    store::{Group, Paged, Role},
};

/// A group as it is sent. What is left out of a change stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    id: Option<GroupId>,
    label: Option<String>,
    description: Option<String>,
    track: Option<String>,
    channel: Option<ChannelId>,
    policy: Option<Policy>,
}

pub(super) async fn list(
    caller: Caller,
    Names(app): Names<String>,
) -> Result<Json<Paged<Group>>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let items = caller.app.store.groups(&app.id).await?;
    Ok(Json(Paged { total: items.len() as u64, items }))
}

pub(super) async fn create(
    caller: Caller,
    Names(app): Names<String>,
    Body(raw): Body<Raw>,
) -> Result<Json<Group>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let id = match raw.id.clone() {
        Some(id) => id,
        None => crate::ids::new_uuid().parse()?,
    };
    let mut group = Group::new(app.id, id.clone(), id.as_str());
    fill(&mut group, raw);
    caller.app.store.create_group(&caller.by(), &group).await?;
    read(&caller, &group.app, &group.id).await
}

pub(super) async fn show(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
) -> Result<Tagged, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    read(&caller, &app.id, &group).await.map(|Json(group)| tagged(group))
}

/// A group with the tag of what it is now.
type Tagged = ([(HeaderName, String); 1], Json<Group>);

fn tagged(group: Group) -> Tagged {
    ([(header::ETAG, tag(&group))], Json(group))
}

/// A text that is another one when people change the group, or it stops by itself. What the server notes about rollouts does
/// not count: it changes all the time.
fn tag(group: &Group) -> String {
    let Group { label, description, track, channel, policy, stopped_reason, .. } = group;
    let text = json!([label, description, track, channel, policy, stopped_reason]).to_string();
    format!("\"{}\"", hex(&Sha256::digest(text)[..16]))
}

/// Fails if the caller has said what the group was (`If-Match`), and it is that no longer.
fn check_tag(group: &Group, wanted: Option<&str>) -> Result<(), Failure> {
    let now = tag(group);
    let fits = |wanted: &str| wanted.split(',').any(|one| one.trim() == "*" || one.trim() == now);
    if wanted.is_none_or(fits) { Ok(()) } else { Err(Failure::changed("group", &group.id)) }
}

pub(super) async fn update(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
    headers: HeaderMap,
    Body(raw): Body<Raw>,
) -> Result<Tagged, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let wanted = raw.id.clone();
    let known = headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default());
    let change = |group: &mut Group| {
        check_tag(group, known)?;
        if wanted.is_some_and(|id| id != group.id) {
            return Err(Failure::invalid("the id of a group does not change"));
        }
        fill(group, raw);
        Ok(())
    };
    let changed = caller.app.store.change_group(&caller.by(), &app.id, &group, change).await?;
    Ok(tagged(changed))
}

pub(super) async fn remove(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
) -> Result<StatusCode, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    caller.app.store.delete_group(&caller.by(), &app.id, &group).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn pause(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
) -> Result<Json<Group>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let by = caller.by();
    let change = |policy: &mut Policy| policy.updates_enabled = false;
    Ok(Json(caller.app.store.change_policy(&by, &app.id, &group, change).await?))
}

pub(super) async fn resume(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
) -> Result<Json<Group>, Failure> {
    let app = caller.application(&app, Role::Operator).await?;
    let by = caller.by();
    let change = |policy: &mut Policy| policy.updates_enabled = true;
    Ok(Json(caller.app.store.change_policy(&by, &app.id, &group, change).await?))
}

/// Machines of the last day, and errors of the last week.
pub(super) async fn counts(
    caller: Caller,
    Names((app, group)): Names<(String, GroupId)>,
) -> Result<Json<Value>, Failure> {
    let app = caller.application(&app, Role::Viewer).await?;
    let Json(group) = read(&caller, &app.id, &group).await?;
    let now = caller.app.clock.now();
    let before = |hours| now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or_default();
    let store = &caller.app.store;
    Ok(Json(json!({
        "versions": store.version_counts(&app.id, Some(&group.id), before(24)).await?,
        "statuses": store.status_counts(&app.id, Some(&group.id), before(24)).await?,
        "errors": store.error_counts(&app.id, Some(&group.id), before(24 * 7)).await?,
    })))
}

async fn read(caller: &Caller, app: &AppId, group: &GroupId) -> Result<Json<Group>, Failure> {
    let found = caller.app.store.group(app, group).await?;
    found.map(Json).ok_or_else(|| Failure::not_found("group", group))
}

/// Writes what was sent over a group; what was left out stays.
fn fill(group: &mut Group, raw: Raw) {
    let Raw { id: _, label, description, track, channel, policy } = raw;
    put(&mut group.label, label);
    put(&mut group.description, description);
    put(&mut group.track, track);
    put(&mut group.policy, policy);
    group.channel = channel.or_else(|| group.channel.take());
}
