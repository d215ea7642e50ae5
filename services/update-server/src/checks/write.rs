//! Writing what a batch has changed.

use super::{
    StopNotice,
    batch::Work,
    state::{EventRow, LeaseRow, Slot, Unwritten},
};
use crate::store::{Instance, Lease, StoreError, Tx, checks, machines, note};

pub(super) async fn everything(
    tx: &mut Tx,
    work: Work,
    stops: &[StopNotice],
) -> Result<(), StoreError> {
    let slots: Vec<&Slot> = work.slots.values().collect();
    // Ended grants before new ones: a machine holds one at a time, and the database sees to it.
    let leases: Vec<&LeaseRow> =
        slots.iter().flat_map(|slot| slot.closed.iter().chain(&slot.open)).collect();
    for lease in &leases {
        if let (Some(id), true) = (lease.id, lease.changed) {
            let end = lease.end.map(|(at, how)| (at, how.as_str()));
            checks::update_lease(tx, id, lease.expires_at, end).await?;
        }
    }
    for lease in &leases {
        if lease.id.is_none() {
            checks::insert_lease(tx, &row(lease)).await?;
        }
    }
    let unwritten = |what: Unwritten| {
        slots.iter().filter(move |slot| slot.unwritten == what).map(|slot| &slot.instance)
    };
    machines::write_seen(tx, unwritten(Unwritten::Seen), work.now).await?;
    let instances: Vec<&Instance> = unwritten(Unwritten::Anything).collect();
    machines::write_instances(tx, &instances).await?;
    let events: Vec<checks::NewEvent<'_>> =
        slots.iter().flat_map(|slot| &slot.events).map(new_event).collect();
    checks::write_events(tx, &events, work.now).await?;
    checks::add_tallies(tx, &work.tallies).await?;
    checks::add_checks(tx, &work.checks, work.now).await?;
    for (key, version) in &work.rolling {
        checks::set_rolling(tx, &key.0, &key.1, Some((version, work.now))).await?;
    }
    for stop in stops {
        if let Some((group, _)) = work.groups.get(&(stop.app.clone(), stop.group.clone())) {
            checks::stop_group(tx, group, &stop.reason).await?;
        }
    }
    for what in &work.activity {
        note(tx, work.now, what).await?;
    }
    Ok(())
}

fn new_event(event: &EventRow) -> checks::NewEvent<'_> {
    checks::NewEvent {
        instance: &event.instance,
        kind: event.kind,
        event: event.event,
        error_code: event.error_code,
    }
}

fn row(lease: &LeaseRow) -> Lease {
    Lease {
        id: 0,
        app: lease.app.clone(),
        group: lease.group.clone(),
        machine: lease.machine.clone(),
        version: lease.version.clone(),
        granted_at: lease.granted_at,
        expires_at: lease.expires_at,
        ended_at: lease.end.map(|(at, _)| at),
        outcome: lease.end.map(|(_, how)| how.as_str().to_owned()),
    }
}
