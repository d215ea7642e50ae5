//! What time does: grants that are over, groups that must stop, rollouts that are complete.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::StopNotice;
use crate::{
    ids::{AppId, GroupId},
    policy::{Counters, should_stop},
    store::{
        ActivityClass, Group, NewActivity, Severity, Status, Store, StoreError, Tx,
        checks::{self, NewEvent, Tally},
        commit, locked, machines, note,
    },
};

/// How many grants are ended in one transaction; more of them wait for the next.
const AT_ONCE: u64 = 500;

/// Machines that were not seen for a day do not hold up the end of a rollout.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Ends what is over. Gives the groups that stopped. Harmless if two servers do it at once.
///
/// # Errors
/// When the database does not answer; the next sweep does what this one did not.
pub async fn sweep(store: &Store, now: Timestamp) -> Result<Vec<StopNotice>, StoreError> {
    let mut tx = store.begin().await?;
    let ended = end_leases(store, &mut tx, now).await?;
    commit(tx).await?;
    let mut stops = Vec::new();
    for app in store.catalog().await?.apps.values() {
        for id in app.groups.keys() {
            let mut tx = store.begin().await?;
            let Ok(group) = locked(&mut tx, store, &app.app.id, id).await else { continue };
            if let Some(notice) = stop(&mut tx, &group, now).await? {
                stops.push(notice);
            }
            commit(tx).await?;
            finish(store, &group, now).await?;
        }
    }
    tracing::debug!(ended, stopped = stops.len(), "swept");
    Ok(stops)
}

async fn end_leases(store: &Store, tx: &mut Tx, now: Timestamp) -> Result<usize, StoreError> {
    let candidates = checks::expired(tx, now, AT_ONCE).await?;
    let groups: BTreeSet<(AppId, GroupId)> =
        candidates.iter().map(|lease| (lease.app.clone(), lease.group.clone())).collect();
    for (app, group) in &groups {
        // A group that is gone has nothing to lock, and its grants end all the same.
        let _group = locked(tx, store, app, group).await;
    }
    // Under the locks nobody else ends them; what was ended meanwhile is not among them any more.
    let leases = checks::expired(tx, now, AT_ONCE).await?;
    let mut tallies: BTreeMap<(AppId, GroupId, String), Tally> = BTreeMap::new();
    for lease in &leases {
        if !groups.contains(&(lease.app.clone(), lease.group.clone())) {
            continue;
        }
        checks::update_lease(tx, lease.id, lease.expires_at, Some((now, "missing"))).await?;
        let key = (lease.app.clone(), lease.group.clone(), lease.version.clone());
        tallies.entry(key).or_default().missing += 1;
        let machines = BTreeSet::from([lease.machine.clone()]);
        let Some(mut instance) =
            machines::instances_of(tx, store.kind(), &lease.app, &machines).await?.pop()
        else {
            continue;
        };
        instance.status = Status::Undefined;
        instance.status_since = now;
        machines::write_instances(tx, &[&instance]).await?;
        let event =
            NewEvent { instance: &instance, kind: "expired", event: None, error_code: None };
        checks::write_events(tx, &[event], now).await?;
    }
    checks::add_tallies(tx, &tallies).await?;
    Ok(leases.len())
}

async fn stop(
    tx: &mut Tx,
    group: &Group,
    now: Timestamp,
) -> Result<Option<StopNotice>, StoreError> {
    if group.policy.auto_stop.is_none()
        || !group.policy.updates_enabled
        || group.stopped_reason.is_some()
    {
        return Ok(None);
    }
    for (version, tally) in checks::tallies(tx, &group.app, &group.id).await? {
        let counters = Counters {
            completed: tally.completed,
            failed: tally.failed,
            missing: tally.missing,
            ..Counters::default()
        };
        let Some(reason) = should_stop(&group.policy, &counters) else { continue };
        checks::stop_group(tx, group, &reason).await?;
        let message = format!("group {} stopped by itself: {reason}", group.label);
        let what = activity(group, ActivityClass::Stopped, Severity::Error, &version, message);
        note(tx, now, &what).await?;
        let (app, id) = (group.app.clone(), group.id.clone());
        return Ok(Some(StopNotice { app, group: id, version, reason, at: now }));
    }
    Ok(None)
}

/// Looks whether a rollout is complete before it takes the lock, so that no check waits for that.
async fn finish(store: &Store, group: &Group, now: Timestamp) -> Result<(), StoreError> {
    let Some(version) = &group.rolling_version else { return Ok(()) };
    let since = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
    if checks::any_other(store, group, version, since).await? == checks::Others::Some {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    let Ok(present) = locked(&mut tx, store, &group.app, &group.id).await else { return Ok(()) };
    if present.rolling_version != group.rolling_version {
        return Ok(());
    }
    checks::set_rolling(&mut tx, &group.app, &group.id, None).await?;
    let message = format!("every machine of group {} has {version}", group.label);
    let what = activity(group, ActivityClass::RolloutFinished, Severity::Success, version, message);
    note(&mut tx, now, &what).await?;
    commit(tx).await
}

fn activity(
    group: &Group,
    class: ActivityClass,
    severity: Severity,
    version: &str,
    message: String,
) -> NewActivity {
    NewActivity {
        app: group.app.clone(),
        group: Some(group.id.clone()),
        channel: None,
        machine: None,
        class,
        severity,
        version: version.to_owned(),
        message,
    }
}
