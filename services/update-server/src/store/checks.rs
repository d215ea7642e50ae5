//! What a batch of checks reads and writes: many rows by few statements.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{
    Group, Instance, Lease, Row, Store, StoreError, Tx,
    machines::in_pieces,
    sql::{Query, all, maybe, millis, placeholders, run, signed, single, sql},
};
use crate::{
    clock::time,
    ids::{AppId, GroupId},
    policy::Counters,
};

/// Attempts at a version in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) granted: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) missing: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.granted += other.granted;
        self.completed += other.completed;
        self.failed += other.failed;
        self.missing += other.missing;
    }
}

/// What decisions need to know of a group, kept true while a batch goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupCounts {
    /// Updates under way.
    pub(crate) open: u64,
    in_period: u64,
    oldest: Option<Timestamp>,
    tallies: HashMap<String, Tally>,
}

impl GroupCounts {
    /// The counters for a version; `own` says that one of the updates under way is the asking machine's.
    pub(crate) fn counters(&self, version: &str, own: bool) -> Counters {
        let tally = self.tally(version);
        Counters {
            granted_in_period: self.in_period,
            oldest_in_period: self.oldest,
            in_progress: self.open.saturating_sub(u64::from(own)),
            granted: tally.granted,
            completed: tally.completed,
            failed: tally.failed,
            missing: tally.missing,
        }
    }

    pub(crate) fn tally(&self, version: &str) -> Tally {
        self.tallies.get(version).copied().unwrap_or_default()
    }

    pub(crate) fn granted(&mut self, version: &str, now: Timestamp) {
        self.open += 1;
        self.in_period += 1;
        self.oldest = self.oldest.or(Some(now));
        self.tallies.entry(version.to_owned()).or_default().granted += 1;
    }

    /// A grant ended; `counted` says whether it was among those under way.
    pub(crate) fn ended(&mut self, version: &str, tally: Tally, counted: bool) {
        self.open = self.open.saturating_sub(u64::from(counted));
        self.tallies.entry(version.to_owned()).or_default().add(tally);
    }
}

/// The counters of a group; what its policy does not ask for is not counted.
pub(crate) async fn group_counts(
    tx: &mut Tx,
    group: &Group,
    now: Timestamp,
) -> Result<GroupCounts, StoreError> {
    let mut counts = GroupCounts {
        tallies: tallies(tx, &group.app, &group.id).await?,
        ..GroupCounts::default()
    };
    let policy = &group.policy;
    if policy.at_once.is_some() || policy.safe_mode {
        let query = sql!(
            "SELECT COUNT(*) AS total FROM leases WHERE app_id = $1 AND group_id = $2 AND ended_at IS NULL AND expires_at > $3",
            group.app.as_str(),
            group.id.as_str(),
            millis(now)
        );
        let row = single(query, &mut **tx, "count the updates under way").await?;
        counts.open = row.number("total")?.try_into().unwrap_or_default();
    }
    if let Some(period) = policy.per_period {
        let length = SignedDuration::from_secs(signed(period.seconds));
        let from = now.checked_sub(length).unwrap_or(Timestamp::MIN);
        let query = sql!(
            "SELECT COUNT(*) AS total, MIN(granted_at) AS oldest FROM leases WHERE app_id = $1 AND group_id = $2 AND granted_at > $3",
            group.app.as_str(),
            group.id.as_str(),
            millis(from)
        );
        let row = single(query, &mut **tx, "count the grants").await?;
        counts.in_period = row.number("total")?.try_into().unwrap_or_default();
        counts.oldest = row.number_or_none("oldest")?.map(time);
    }
    Ok(counts)
}

pub(crate) async fn tallies(
    tx: &mut Tx,
    app: &AppId,
    group: &GroupId,
) -> Result<HashMap<String, Tally>, StoreError> {
    let query = sql!(
        "SELECT * FROM tallies WHERE app_id = $1 AND group_id = $2",
        app.as_str(),
        group.as_str()
    );
    let rows = all(query, &mut **tx, "read the tallies").await?;
    let number = |row: &Row, column| {
        Ok::<u64, StoreError>(row.number(column)?.try_into().unwrap_or_default())
    };
    let tally = |row: &Row| {
        let tally = Tally {
            granted: number(row, "granted")?,
            completed: number(row, "completed")?,
            failed: number(row, "failed")?,
            missing: number(row, "missing")?,
        };
        Ok((row.text("version")?, tally))
    };
    rows.iter().map(tally).collect()
}

/// Adds to the tallies.
pub(crate) async fn add_tallies(
    tx: &mut Tx,
    tallies: &BTreeMap<(AppId, GroupId, String), Tally>,
) -> Result<(), StoreError> {
    for ((app, group, version), tally) in tallies {
        let query = sql!(
            "INSERT INTO tallies (app_id, group_id, version, granted, completed, failed, missing) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (app_id, group_id, version) DO UPDATE SET granted = tallies.granted + excluded.granted, \
             completed = tallies.completed + excluded.completed, failed = tallies.failed + excluded.failed, \
             missing = tallies.missing + excluded.missing",
            app.as_str(),
            group.as_str(),
            version.as_str(),
            signed(tally.granted),
            signed(tally.completed),
            signed(tally.failed),
            signed(tally.missing)
        );
        run(query, &mut **tx, "count the attempts").await?;
    }
    Ok(())
}

/// Adds to the counts of checks, by minute and by hour.
pub(crate) async fn add_checks(
    tx: &mut Tx,
    checks: &BTreeMap<(AppId, GroupId, String), i64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let begin = |seconds: i64| millis(now) - millis(now).rem_euclid(seconds * 1000);
    for ((app, group, version), count) in checks {
        let query = sql!(
            "INSERT INTO checks (app_id, group_id, resolution, at, version, count) \
             VALUES ($1, $2, 60, $3, $4, $5), ($1, $2, 3600, $6, $4, $5) \
             ON CONFLICT (app_id, group_id, resolution, at, version) DO UPDATE SET count = checks.count + excluded.count",
            app.as_str(),
            group.as_str(),
            begin(60),
            version.as_str(),
            *count,
            begin(3600)
        );
        run(query, &mut **tx, "count the checks").await?;
    }
    Ok(())
}

/// An event to be written.
pub(crate) struct NewEvent<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) kind: &'static str,
    pub(crate) event: Option<(u32, u32)>,
    pub(crate) error_code: Option<u32>,
}

/// Writes events.
pub(crate) async fn write_events(
    tx: &mut Tx,
    events: &[NewEvent<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    for piece in in_pieces(events) {
        let text = format!(
            "INSERT INTO events (app_id, group_id, machine_id, at, kind, event_type, event_result, error_code, status, version, \
             update_version, oem, install_source) VALUES {}",
            placeholders(piece.len(), 13)
        );
        let query: Query<'_> = sqlx::query(sqlx::AssertSqlSafe(text));
        let query = piece.iter().fold(query, |query, event| {
            query
                .bind(event.instance.app.as_str())
                .bind(event.instance.group.as_str())
                .bind(event.instance.machine.as_str())
                .bind(millis(now))
                .bind(event.kind)
                .bind(event.event.map(|(kind, _)| i64::from(kind)))
                .bind(event.event.map(|(_, result)| i64::from(result)))
                .bind(event.error_code.map(i64::from))
                .bind(event.instance.status.number())
                .bind(event.instance.version.as_str())
                .bind(event.instance.update_version.clone())
                .bind(event.instance.oem.as_str())
                .bind(event.instance.install_source.as_str())
        });
        run(query, &mut **tx, "write the events").await?;
    }
    Ok(())
}

/// Ends a grant, or gives it more time.
pub(crate) async fn update_lease(
    tx: &mut Tx,
    id: i64,
    expires_at: Timestamp,
    end: Option<(Timestamp, &'static str)>,
) -> Result<(), StoreError> {
    let query = sql!(
        "UPDATE leases SET expires_at = $2, ended_at = $3, outcome = $4 WHERE id = $1 AND ended_at IS NULL",
        id,
        millis(expires_at),
        end.map(|(at, _)| millis(at)),
        end.map(|(_, how)| how.to_owned())
    );
    run(query, &mut **tx, "change a grant").await.map(drop)
}

/// Writes a grant.
pub(crate) async fn insert_lease(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let query = sql!(
        "INSERT INTO leases (app_id, group_id, machine_id, version, granted_at, expires_at, ended_at, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        lease.app.as_str(),
        lease.group.as_str(),
        lease.machine.as_str(),
        lease.version.as_str(),
        millis(lease.granted_at),
        millis(lease.expires_at),
        lease.ended_at.map(millis),
        lease.outcome.clone()
    );
    run(query, &mut **tx, "write a grant").await.map(drop)
}

/// Grants whose time is over.
pub(crate) async fn expired(
    tx: &mut Tx,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Lease>, StoreError> {
    let query = sql!(
        "SELECT * FROM leases WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY app_id, group_id, id LIMIT $2",
        millis(now),
        signed(limit)
    );
    all(query, &mut **tx, "list the grants that are over")
        .await?
        .iter()
        .map(Lease::from_row)
        .collect()
}

/// Notes which version a group rolls out; an empty one means that it has ended.
pub(crate) async fn set_rolling(
    tx: &mut Tx,
    app: &AppId,
    group: &GroupId,
    rolling: Option<(&str, Timestamp)>,
) -> Result<(), StoreError> {
    let query = sql!(
        "UPDATE groups SET rolling_version = $3, rolling_since = $4 WHERE app_id = $1 AND id = $2",
        app.as_str(),
        group.as_str(),
        rolling.map(|(version, _)| version.to_owned()),
        rolling.map(|(_, since)| millis(since))
    );
    run(query, &mut **tx, "note a rollout").await.map(drop)
}

/// Stops a group: writes its policy, which no longer gives updates, and the reason.
pub(crate) async fn stop_group(tx: &mut Tx, group: &Group, reason: &str) -> Result<(), StoreError> {
    let mut policy = group.policy.clone();
    policy.updates_enabled = false;
    let query = sql!(
        "UPDATE groups SET policy = $3, stopped_reason = $4 WHERE app_id = $1 AND id = $2",
        group.app.as_str(),
        group.id.as_str(),
        serde_json::json!(policy).to_string(),
        reason
    );
    run(query, &mut **tx, "stop a group").await?;
    let query = sql!("UPDATE settings SET number = number + 1 WHERE name = 'generation'");
    run(query, &mut **tx, "note a change").await.map(drop)
}

/// Whether any machine of a group, seen since a time, runs something else than a version. It looks at the whole group if none
/// does, so no transaction should wait for it.
pub(crate) async fn any_other(
    store: &Store,
    group: &Group,
    version: &str,
    since: Timestamp,
) -> Result<Others, StoreError> {
    let query = sql!(
        "SELECT version FROM instances WHERE app_id = $1 AND group_id = $2 AND last_seen >= $3 AND version <> $4 LIMIT 1",
        group.app.as_str(),
        group.id.as_str(),
        millis(since),
        version
    );
    let found = maybe(query, &store.pool, "look for instances of other versions").await?;
    Ok(if found.is_some() { Others::Some } else { Others::None })
}

/// Whether there are machines of other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Some,
    None,
}
