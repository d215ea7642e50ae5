//! Why a machine gets what it gets, and when its turn comes: the same decision, without a grant.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Ask, Wants,
    batch::machine,
    state::{LeaseRow, Slot},
};
use crate::{
    ids::{AppId, MachineId},
    policy::{self, Counters, Decision, Graph, GroupState, Trigger},
    store::{Group, Instance, Store, StoreError, checks, machines},
};

/// What a machine would get now.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The machine.
    pub machine: MachineId,
    /// The version that it ran when it was last seen.
    pub version: String,
    /// The group that it is in.
    pub group: String,
    /// The version that comes next for it, if one does.
    pub next: Option<String>,
    /// Its place in the rollout of that, 0 to 100.
    pub place: Option<f64>,
    /// What it would get, and why.
    pub decision: Decision,
    /// The same for people.
    pub words: String,
    /// What was counted.
    pub counters: Counters,
}

/// Explains. `None` if nobody knows the machine or its group.
///
/// # Errors
/// When the database does not answer.
pub async fn explain(
    store: &Store,
    app: &AppId,
    id: &MachineId,
    now: Timestamp,
) -> Result<Option<Explanation>, StoreError> {
    let Some(instance) = store.instance(app, id).await? else { return Ok(None) };
    let catalog = store.catalog().await?;
    let Some(known) = catalog.apps.get(app).and_then(|app| app.groups.get(&instance.group)) else {
        return Ok(None);
    };
    let mut tx = store.begin().await?;
    let counts = checks::group_counts(&mut tx, &known.group, now).await?;
    let open = machines::leases_of(&mut tx, app, &[id.clone()].into()).await?.pop();
    drop(tx);
    let open = open.map(|lease| LeaseRow {
        id: Some(lease.id),
        app: lease.app,
        group: lease.group,
        machine: lease.machine,
        version: lease.version,
        granted_at: lease.granted_at,
        expires_at: lease.expires_at,
        end: None,
        changed: false,
    });
    let ask = ask(&instance);
    let slot = Slot::known(instance, open);
    let none = Graph::default();
    let graph = known.channel.as_ref().map_or(&none, |channel| &channel.graph);
    let group: &Group = &known.group;
    let asking = machine(&ask, &slot);
    let state = GroupState {
        policy: &group.policy,
        stopped: group.stopped_reason.as_deref(),
        channel_changed: known.changed_at(),
    };
    let next =
        policy::next_version(&asking, &group.policy, graph).ok().map(|(next, _)| next.to_string());
    let own = slot.open.as_ref().is_some_and(|lease| lease.expires_at > now);
    let counters = next.as_ref().map(|next| counts.counters(next, own)).unwrap_or_default();
    let decision = policy::decide(&asking, state, graph, &counters, now);
    let words = match decision.turn {
        Some(turn) => format!("{}; its turn may come at {turn}", decision.reason),
        None => decision.reason.to_string(),
    };
    Ok(Some(Explanation {
        machine: id.clone(),
        version: slot.instance.version.clone(),
        group: group.label.clone(),
        place: next.as_ref().map(|next| policy::place(id.as_str(), next)),
        next,
        decision,
        words,
        counters,
    }))
}

fn ask(instance: &Instance) -> Ask {
    Ask {
        app: instance.app.clone(),
        group: instance.group.clone(),
        machine: instance.machine.clone(),
        track: instance.track.clone(),
        version: instance.version.clone(),
        arch: instance.arch,
        oem: instance.oem.clone(),
        oem_version: String::new(),
        aleph_version: String::new(),
        alias: String::new(),
        ip: String::new(),
        boot_id: String::new(),
        install_source: String::new(),
        trigger: Trigger::Timer,
        events: Vec::new(),
        wants: Wants::Update,
    }
}
