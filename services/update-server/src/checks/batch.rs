//! One batch: read what is known of its machines and groups, decide one after the other, write everything, commit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Ask, Outcome, StopNotice, Wants,
    state::{Ended, LeaseRow, Slot},
    write,
};
use crate::{
    ids::{AppId, GroupId, MachineId},
    policy::{
        self, Answer, Counters, Decision, Granted, Graph, GroupState, Machine, Policy, Reason,
    },
    store::{
        ActivityClass, Catalog, CatalogGroup, Group, Instance, Kind, NewActivity, Severity, Store,
        StoreError, Tx,
        checks::{self, GroupCounts, Tally},
        locked, machines,
    },
};

/// What a batch did.
pub(super) struct Done {
    pub(super) outcomes: Vec<Vec<Outcome>>,
    pub(super) grants: u64,
    pub(super) stops: Vec<StopNotice>,
}

pub(super) type GroupKey = (AppId, GroupId);

/// A batch under way.
pub(super) struct Work {
    pub(super) now: Timestamp,
    pub(super) catalog: Arc<Catalog>,
    pub(super) slots: BTreeMap<(AppId, MachineId), Slot>,
    /// Groups that are locked, as they are now, with their counters.
    pub(super) groups: BTreeMap<GroupKey, (Group, GroupCounts)>,
    pub(super) tallies: BTreeMap<(AppId, GroupId, String), Tally>,
    pub(super) checks: BTreeMap<(AppId, GroupId, String), i64>,
    pub(super) activity: Vec<NewActivity>,
    pub(super) rolling: Vec<(GroupKey, String)>,
    pub(super) stops: Vec<StopNotice>,
    pub(super) grants: u64,
}

/// Does a batch in one transaction; one outcome per ask.
pub(super) async fn process(
    store: &Store,
    jobs: &[&[Ask]],
    now: Timestamp,
) -> Result<Done, StoreError> {
    let catalog = store.catalog().await?;
    let mut tx = store.begin().await?;
    let mut work = Work::read(store, &mut tx, catalog, jobs, now).await?;
    let outcomes: Vec<Vec<Outcome>> =
        jobs.iter().map(|asks| asks.iter().map(|ask| work.one(ask)).collect()).collect();
    let (grants, stops) = (work.grants, std::mem::take(&mut work.stops));
    write::everything(&mut tx, work, &stops).await?;
    crate::store::commit(tx).await?;
    Ok(Done { outcomes, grants, stops })
}

impl Work {
    async fn read(
        store: &Store,
        tx: &mut Tx,
        catalog: Arc<Catalog>,
        jobs: &[&[Ask]],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut machines: BTreeMap<AppId, BTreeSet<MachineId>> = BTreeMap::new();
        for ask in jobs.iter().copied().flatten() {
            machines.entry(ask.app.clone()).or_default().insert(ask.machine.clone());
        }
        let mut known: HashMap<(AppId, MachineId), Instance> = HashMap::new();
        for (app, machines) in &machines {
            for instance in machines::instances_of(tx, store.kind(), app, machines).await? {
                known.insert((instance.app.clone(), instance.machine.clone()), instance);
            }
        }
        let mut groups = BTreeMap::new();
        // In the order of their keys, so that two servers never wait for each other in a circle.
        for key in undecided(&catalog, jobs, &known) {
            let Ok(group) = locked(tx, store, &key.0, &key.1).await else { continue };
            let counts = checks::group_counts(tx, &group, now).await?;
            groups.insert(key, (group, counts));
        }
        if store.kind() == Kind::Postgres && !groups.is_empty() {
            // What another server wrote while this one waited for the locks is seen only now.
            for (app, machines) in &machines {
                for instance in machines::instances_of(tx, store.kind(), app, machines).await? {
                    known.insert((instance.app.clone(), instance.machine.clone()), instance);
                }
            }
        }
        let mut slots = BTreeMap::new();
        for (app, machines) in &machines {
            for lease in machines::leases_of(tx, app, machines).await? {
                let lease = LeaseRow {
                    id: Some(lease.id),
                    app: lease.app,
                    group: lease.group,
                    machine: lease.machine,
                    version: lease.version,
                    granted_at: lease.granted_at,
                    expires_at: lease.expires_at,
                    end: None,
                    changed: false,
                };
                let key = (lease.app.clone(), lease.machine.clone());
                if let Some(instance) = known.remove(&key) {
                    slots.insert(key, Slot::known(instance, Some(lease)));
                }
            }
        }
        slots.extend(known.into_iter().map(|(key, instance)| (key, Slot::known(instance, None))));
        Ok(Self {
            now,
            catalog,
            slots,
            groups,
            tallies: BTreeMap::new(),
            checks: BTreeMap::new(),
            activity: Vec::new(),
            rolling: Vec::new(),
            stops: Vec::new(),
            grants: 0,
        })
    }

    /// Events first, then what the machine wants.
    fn one(&mut self, ask: &Ask) -> Outcome {
        let now = self.now;
        let key = (ask.app.clone(), ask.machine.clone());
        let mut slot = self.slots.remove(&key).unwrap_or_else(|| Slot::new(ask, now));
        let in_catalog =
            self.catalog.apps.get(&ask.app).and_then(|app| app.groups.get(&ask.group)).cloned();
        let lease_seconds = in_catalog.as_ref().map_or_else(
            || Policy::default().lease_seconds,
            |group| group.group.policy.lease_seconds,
        );
        let before = slot.closed.len();
        slot.describe(ask, now);
        // A failure that it reports says more than that its time is over.
        for happened in &ask.events {
            slot.happen(happened, lease_seconds, now);
        }
        slot.settle(now);
        self.count_ended(&slot, before);
        let decision = match ask.wants {
            Wants::Nothing => None,
            Wants::Ping => {
                slot.renew(lease_seconds, now);
                None
            }
            Wants::Update => {
                let checked = (ask.app.clone(), ask.group.clone(), ask.version.clone());
                *self.checks.entry(checked).or_default() += 1;
                in_catalog.as_ref().map(|group| self.decide(ask, &mut slot, group))
            }
        };
        let package = decision.as_ref().and_then(|decision| self.package(ask, decision));
        self.slots.insert(key, slot);
        Outcome { decision, package }
    }

    fn decide(&mut self, ask: &Ask, slot: &mut Slot, in_catalog: &CatalogGroup) -> Decision {
        let key = (ask.app.clone(), ask.group.clone());
        let none = Graph::default();
        let graph = in_catalog.channel.as_ref().map_or(&none, |channel| &channel.graph);
        let locked = self.groups.get(&key);
        let group = locked.map_or(&in_catalog.group, |(group, _)| group);
        let machine = machine(ask, slot);
        let state = GroupState {
            policy: &group.policy,
            stopped: group.stopped_reason.as_deref(),
            channel_changed: in_catalog.changed_at(),
        };
        let next = policy::next_version(&machine, &group.policy, graph)
            .ok()
            .map(|(next, _)| next.to_string());
        let own = slot.open.as_ref().is_some_and(|lease| lease.expires_at > self.now);
        let counters = match (locked, &next) {
            (Some((_, counts)), Some(next)) => counts.counters(next, own),
            _ => Counters::default(),
        };
        let decision = policy::decide(&machine, state, graph, &counters, self.now);
        let seconds = group.policy.lease_seconds;
        let running = group.stopped_reason.is_none() && group.policy.updates_enabled;
        match &decision.answer {
            Answer::Grant(version) => self.grant(&key, slot, version, seconds),
            Answer::Again(_) => {}
            Answer::Wait => slot.hold(self.now),
            Answer::Nothing => slot.release(self.now),
        }
        if let (Reason::Stopped { why }, true) = (&decision.reason, running) {
            self.stop(&key, next.unwrap_or_default(), why);
        }
        decision
    }

    fn grant(&mut self, key: &GroupKey, slot: &mut Slot, version: &str, seconds: u64) {
        let before = slot.closed.len();
        let held = slot.open.as_ref().is_some_and(|lease| lease.expires_at > self.now);
        slot.grant(version, seconds, self.now);
        self.count_ended(slot, before);
        self.grants += 1;
        self.tally(key, version).granted += 1;
        let now = self.now;
        let Some((group, counts)) = self.groups.get_mut(key) else { return };
        counts.granted(version, now);
        if held {
            counts.open = counts.open.saturating_sub(1);
        }
        if group.rolling_version.as_deref() != Some(version) && counts.tally(version).granted == 1 {
            group.rolling_version = Some(version.to_owned());
            self.rolling.push((key.clone(), version.to_owned()));
            let message = format!("the first machine of group {} gets {version}", group.label);
            self.activity.push(NewActivity {
                app: key.0.clone(),
                group: Some(key.1.clone()),
                channel: None,
                machine: None,
                class: ActivityClass::RolloutStarted,
                severity: Severity::Info,
                version: version.to_owned(),
                message,
            });
        }
    }

    fn stop(&mut self, key: &GroupKey, version: String, why: &str) {
        let Some((group, _)) = self.groups.get_mut(key) else { return };
        group.stopped_reason = Some(why.to_owned());
        group.policy.updates_enabled = false;
        self.activity.push(NewActivity {
            app: key.0.clone(),
            group: Some(key.1.clone()),
            channel: None,
            machine: None,
            class: ActivityClass::Stopped,
            severity: Severity::Error,
            version: version.clone(),
            message: format!("group {} stopped by itself: {why}", group.label),
        });
        self.stops.push(StopNotice {
            app: key.0.clone(),
            group: key.1.clone(),
            version,
            reason: why.to_owned(),
            at: self.now,
        });
    }

    /// Counts the grants of a machine that ended since `before`.
    fn count_ended(&mut self, slot: &Slot, before: usize) {
        for lease in &slot.closed[before..] {
            let Some((_, how)) = lease.end else { continue };
            let key = (lease.app.clone(), lease.group.clone());
            let mut tally = Tally::default();
            match how {
                Ended::Complete => tally.completed = 1,
                Ended::Failed => tally.failed = 1,
                Ended::Missing => tally.missing = 1,
                Ended::Replaced => continue,
            }
            self.tally(&key, &lease.version).add(tally);
            if let Some((_, counts)) = self.groups.get_mut(&key) {
                counts.ended(&lease.version, tally, lease.expires_at > self.now);
            }
            if how == Ended::Failed {
                let code = slot.instance.error_code.unwrap_or(1);
                let words = slipway_omaha::ErrorCode::new(u32::try_from(code).unwrap_or(1)).words();
                self.activity.push(NewActivity {
                    app: key.0,
                    group: Some(key.1),
                    channel: None,
                    machine: Some(slot.instance.machine.clone()),
                    class: ActivityClass::UpdateFailed,
                    severity: Severity::Error,
                    version: lease.version.clone(),
                    message: format!(
                        "{} failed to update to {}: {words}",
                        slot.instance.name(),
                        lease.version
                    ),
                });
            }
        }
    }

    fn tally(&mut self, key: &GroupKey, version: &str) -> &mut Tally {
        self.tallies.entry((key.0.clone(), key.1.clone(), version.to_owned())).or_default()
    }

    fn package(&self, ask: &Ask, decision: &Decision) -> Option<Arc<crate::store::Package>> {
        let (Answer::Grant(version) | Answer::Again(version)) = &decision.answer else {
            return None;
        };
        self.catalog.apps.get(&ask.app)?.package(version, ask.arch).cloned()
    }
}

pub(super) fn machine<'a>(ask: &'a Ask, slot: &'a Slot) -> Machine<'a> {
    Machine {
        id: ask.machine.as_str(),
        version: &ask.version,
        oem: &ask.oem,
        pin: slot.instance.pin.as_deref(),
        trigger: ask.trigger,
        lease: slot
            .open
            .as_ref()
            .map(|lease| Granted { version: &lease.version, expires_at: lease.expires_at }),
        rolled_back: slot.rolled_back(),
    }
}

/// Groups of which somebody may get an update: their counters are needed, and nobody else may grant meanwhile.
fn undecided(
    catalog: &Catalog,
    jobs: &[&[Ask]],
    known: &HashMap<(AppId, MachineId), Instance>,
) -> BTreeSet<GroupKey> {
    let mut keys = BTreeSet::new();
    for ask in jobs.iter().copied().flatten().filter(|ask| ask.wants == Wants::Update) {
        let key = (ask.app.clone(), ask.group.clone());
        if keys.contains(&key) {
            continue;
        }
        let Some(group) = catalog.apps.get(&ask.app).and_then(|app| app.groups.get(&ask.group))
        else {
            continue;
        };
        let pin = known
            .get(&(ask.app.clone(), ask.machine.clone()))
            .and_then(|instance| instance.pin.as_deref());
        let target = group.channel.as_ref().and_then(|channel| channel.target.as_ref());
        let target = target.map(|package| package.version.as_str());
        let shall = pin.or(group.group.policy.pin.as_deref()).or(target);
        if shall.is_some_and(|shall| shall != ask.version) {
            keys.insert(key);
        }
    }
    keys
}
