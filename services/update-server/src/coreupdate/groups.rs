//! Groups and their percentage.

use axum::{Json, Router};
use jiff::Timestamp;
use slipway_coreupdate::wire::{Group as Wire, GroupList, GroupPercent};

use super::{
    Answer, Call, Failure, NoBody,
    channels::{by_name, name_of},
    mount,
};
use crate::{
    app::App,
    ids::{ChannelId, GroupId, new_uuid},
    policy::{Policy, percent_at},
    store::{Channel, Group, Store},
};

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.group.list", list);
    let router = mount(router, "update.group.insert", insert);
    let router = mount(router, "update.group.get", show);
    let router = mount(router, "update.group.update", update);
    let router = mount(router, "update.group.delete", delete);
    mount(router, "update.group.percent.set", set_percent)
}

/// The group that a call's path names.
pub(super) async fn named<B>(call: &Call<B>, parameter: &str) -> Result<Group, Failure> {
    let id = call.value(parameter);
    let missing = || Failure::missing("group", id);
    let group: GroupId = id.parse().map_err(|_| missing())?;
    call.app.store.group(&call.application()?.id, &group).await?.ok_or_else(missing)
}

/// The share of machines that may have the newest version now.
fn percent_now(policy: &Policy, now: Timestamp) -> f64 {
    match policy.rollout.since {
        Some(since) => {
            let elapsed = now.as_second().saturating_sub(since.as_second());
            percent_at(&policy.rollout.frames, u64::try_from(elapsed).unwrap_or_default()).0
        }
        None => policy.percent,
    }
}

fn wire(group: &Group, channels: &[Channel], now: Timestamp) -> Wire {
    let channel = channels.iter().find(|channel| Some(&channel.id) == group.channel.as_ref());
    Wire {
        app_id: group.app.to_string(),
        channel_id: channel.map(name_of).unwrap_or_default(),
        id: group.id.to_string(),
        label: group.label.clone(),
        oem_blacklist: group.policy.oem_blacklist.join(","),
        rollout_active: group.policy.rollout.since.is_some(),
        update_percent: Some(percent_now(&group.policy, now)),
        // A group that stopped by itself gives nothing either.
        updates_paused: !group.policy.updates_enabled || group.stopped_reason.is_some(),
    }
}

async fn channel_id<B>(call: &Call<B>, name: &str) -> Result<ChannelId, Failure> {
    let channels = call.app.store.channels(&call.application()?.id).await?;
    by_name(&channels, name).map(|channel| channel.id.clone())
}

async fn answer<B>(call: &Call<B>, group: &Group) -> Answer<Wire> {
    let channels = call.app.store.channels(&group.app).await?;
    Ok(Json(wire(group, &channels, call.by.at)))
}

fn oems(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|oem| !oem.is_empty()).map(str::to_owned).collect()
}

/// All groups, unless fewer are asked for. (CoreUpdate gave ten, and its client had no way to ask for more.)
async fn list(call: Call<NoBody>) -> Answer<GroupList> {
    let app = &call.application()?.id;
    let page = call.page()?;
    let channels = call.app.store.channels(app).await?;
    let groups = call.app.store.groups(app).await?;
    let part = groups.iter().take(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(Json(GroupList { items: part.map(|group| wire(group, &channels, call.by.at)).collect() }))
}

async fn insert(call: Call<Wire>) -> Answer<Wire> {
    let Wire {
        channel_id: channel, id, label, oem_blacklist, update_percent, updates_paused, ..
    } = &call.body;
    let id: GroupId = if id.is_empty() { new_uuid() } else { id.clone() }.parse()?;
    let label = if label.is_empty() { id.as_str() } else { label };
    let mut group = Group::new(call.application()?.id.clone(), id.clone(), label);
    if !channel.is_empty() {
        group.channel = Some(channel_id(&call, channel).await?);
    }
    group.policy.oem_blacklist = oems(oem_blacklist);
    group.policy.percent = update_percent.unwrap_or(group.policy.percent);
    group.policy.updates_enabled = !updates_paused;
    call.app.store.create_group(&call.by, &group).await?;
    let group = stored(&call.app.store, &group).await?;
    answer(&call, &group).await
}

async fn stored(store: &Store, group: &Group) -> Result<Group, Failure> {
    store.group(&group.app, &group.id).await?.ok_or_else(|| Failure::missing("group", &group.id))
}

async fn show(call: Call<NoBody>) -> Answer<Wire> {
    let group = named(&call, "id").await?;
    answer(&call, &group).await
}

/// Empty text and an absent number change nothing; absent booleans are `false` (see [`Wire`]).
async fn update(call: Call<Wire>) -> Answer<Wire> {
    let group = named(&call, "id").await?;
    let channel = match call.body.channel_id.as_str() {
        "" => None,
        name => Some(channel_id(&call, name).await?),
    };
    let (body, now) = (&call.body, call.by.at);
    let change = |group: &mut Group| {
        group.channel = channel.or_else(|| group.channel.take());
        set(group, body, now)
    };
    let group = call.app.store.change_group(&call.by, &group.app, &group.id, change).await?;
    answer(&call, &group).await
}

/// Writes a body over a group, its channel left out.
fn set(group: &mut Group, body: &Wire, now: Timestamp) -> Result<(), Failure> {
    let Wire { label, oem_blacklist, rollout_active, update_percent, updates_paused, .. } = body;
    if !label.is_empty() {
        group.label.clone_from(label);
    }
    if !oem_blacklist.is_empty() {
        group.policy.oem_blacklist = oems(oem_blacklist);
    }
    // A client that sends back the share of a frame did not mean to set it.
    let shown = percent_now(&group.policy, now);
    if let Some(percent) = update_percent.filter(|percent| *percent != shown) {
        group.policy.percent = percent;
    }
    set_active(&mut group.policy, *rollout_active, now)?;
    group.policy.updates_enabled = !updates_paused;
    Ok(())
}

/// Begins to follow the frames, or stops. What is so already stays so.
pub(super) fn set_active(policy: &mut Policy, active: bool, now: Timestamp) -> Result<(), Failure> {
    match (active, policy.rollout.since) {
        (true, None) if policy.rollout.frames.is_empty() => {
            Err(Failure::bad("the group has no frames to follow; set a rollout first"))
        }
        (true, None) => {
            policy.rollout.since = Some(now);
            Ok(())
        }
        (false, Some(_)) => {
            // Whoever has an update keeps the right to it.
            policy.percent = percent_now(policy, now);
            policy.rollout.since = None;
            Ok(())
        }
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

async fn delete(call: Call<NoBody>) -> Answer<Wire> {
    let group = named(&call, "id").await?;
    let shown = answer(&call, &group).await?;
    call.app.store.delete_group(&call.by, &group.app, &group.id).await?;
    Ok(shown)
}

/// A percentage set by hand ends a rollout that would move it.
async fn set_percent(call: Call<GroupPercent>) -> Answer<GroupPercent> {
    let group = named(&call, "id").await?;
    let percent = call.body.update_percent;
    let change = move |policy: &mut Policy| {
        policy.rollout.since = None;
        policy.percent = percent;
    };
    let group = call.app.store.change_policy(&call.by, &group.app, &group.id, change).await?;
    Ok(Json(GroupPercent {
        app_id: group.app.to_string(),
        id: group.id.to_string(),
        update_percent: group.policy.percent,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Frame;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn policy() -> Policy {
        let mut policy = Policy { percent: 7.0, ..Policy::default() };
        policy.rollout.frames =
            vec![Frame { seconds: 60, percent: 25.0 }, Frame { seconds: 60, percent: 75.0 }];
        policy
    }

    #[test]
    fn the_share_follows_the_frames_while_they_are_active() {
        let mut policy = policy();
        let check = |policy: &Policy, second, expected: f64| {
            assert!((percent_now(policy, at(second)) - expected).abs() < f64::EPSILON, "{second}");
        };
        check(&policy, 1000, 7.0);
        set_active(&mut policy, true, at(1000)).unwrap();
        check(&policy, 1000, 25.0);
        check(&policy, 999, 25.0);
        check(&policy, 1060, 75.0);
        check(&policy, 9999, 75.0);
        set_active(&mut policy, true, at(1030)).unwrap();
        check(&policy, 1060, 75.0);
        set_active(&mut policy, false, at(1061)).unwrap();
        check(&policy, 2000, 75.0);
    }

    #[test]
    fn without_frames_there_is_nothing_to_follow() {
        let mut policy = Policy::default();
        assert_eq!(set_active(&mut policy, true, at(0)).unwrap_err().status.as_u16(), 400);
        assert_eq!(set_active(&mut policy, false, at(0)), Ok(()));
    }

    #[test]
    fn oems_are_separated_by_commas() {
        assert_eq!(oems(" azure, qemu,,"), ["azure", "qemu"]);
        assert!(oems("").is_empty());
    }
}
