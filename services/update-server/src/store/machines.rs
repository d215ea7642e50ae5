//! Many machines at once: what a batch reads and writes of them, by few statements.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Arch, Instance, Kind, Lease, Status, StoreError, Tx,
    sql::{Query, all, millis, placeholders, run, single},
};
use crate::{
    clock::time,
    ids::{AppId, GroupId, MachineId},
};

/// All columns of an instance, in the order of [`Known`].
const COLUMNS: &str = "app_id, machine_id, group_id, track, version, arch, oem, oem_version, aleph_version, alias, given_alias, ip, \
                       boot_id, install_source, status, status_since, update_version, granted_at, error_code, event_type, \
                       event_result, pin, first_seen, last_seen";

const UPDATES: &str = "group_id = excluded.group_id, track = excluded.track, version = excluded.version, arch = excluded.arch, \
                       oem = excluded.oem, oem_version = excluded.oem_version, aleph_version = excluded.aleph_version, \
                       alias = excluded.alias, ip = excluded.ip, boot_id = excluded.boot_id, \
                       install_source = excluded.install_source, status = excluded.status, status_since = excluded.status_since, \
                       update_version = excluded.update_version, granted_at = excluded.granted_at, \
                       error_code = excluded.error_code, event_type = excluded.event_type, \
                       event_result = excluded.event_result, last_seen = excluded.last_seen";

/// How many rows a statement takes; a few sizes, so that few statements are prepared.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// The most rows of an insert: they have many values each, and a statement has at most 32,766 (SQLite).
const WRITTEN: usize = 64;

/// Rows in pieces of [`SIZES`].
pub(super) fn in_pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let sizes = SIZES.iter().rev().copied().filter(|size| *size <= WRITTEN);
    std::iter::from_fn(move || {
        let size = sizes.clone().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// A list for `IN`: names of values from a number on, and what to bind. The last one comes again until the size is one of
/// [`SIZES`].
struct List<'a> {
    machines: &'a [&'a MachineId],
    size: usize,
}

impl<'a> List<'a> {
    /// Lists that hold all of them together.
    fn all(machines: &'a [&'a MachineId]) -> impl Iterator<Item = Self> {
        let most = SIZES[SIZES.len() - 1];
        machines.chunks(most).map(move |machines| {
            let size = SIZES.into_iter().find(|size| *size >= machines.len()).unwrap_or(most);
            Self { machines, size }
        })
    }

    /// `$N,$N+1,…`.
    fn names(&self, first: usize) -> String {
        let names: Vec<String> =
            (first..first + self.size).map(|number| format!("${number}")).collect();
        names.join(",")
    }

    fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        let last = self.machines.last();
        let padding = last.into_iter().cycle().take(self.size - self.machines.len());
        self.machines
            .iter()
            .chain(padding)
            .fold(query, |query, machine| query.bind(machine.as_str()))
    }
}

/// An instance as the database says it in JSON.
#[derive(Deserialize)]
struct Known {
    app: String,
    machine: String,
    group: String,
    track: String,
    version: String,
    arch: i64,
    oem: String,
    oem_version: String,
    aleph_version: String,
    alias: String,
    given_alias: String,
    ip: String,
    boot_id: String,
    install_source: String,
    status: i64,
    status_since: i64,
    update_version: Option<String>,
    granted_at: Option<i64>,
    error_code: Option<i64>,
    event_type: Option<i64>,
    event_result: Option<i64>,
    pin: Option<String>,
    first_seen: i64,
    last_seen: i64,
}

impl From<Known> for Instance {
    fn from(known: Known) -> Self {
        Self {
            app: AppId::stored(known.app),
            machine: MachineId::stored(known.machine),
            group: GroupId::stored(known.group),
            track: known.track,
            version: known.version,
            arch: Arch::from_number(known.arch).unwrap_or_default(),
            oem: known.oem,
            oem_version: known.oem_version,
            aleph_version: known.aleph_version,
            alias: known.alias,
            given_alias: known.given_alias,
            ip: known.ip,
            boot_id: known.boot_id,
            install_source: known.install_source,
            status: Status::from_number(known.status).unwrap_or_default(),
            status_since: time(known.status_since),
            update_version: known.update_version,
            granted_at: known.granted_at.map(time),
            error_code: known.error_code,
            event_type: known.event_type,
            event_result: known.event_result,
            pin: known.pin,
            first_seen: time(known.first_seen),
            last_seen: time(known.last_seen),
        }
    }
}

/// What is known of machines. They come as one text: as rows, each of their columns would be copied several times on its way
/// through the driver, which took longer than all the rest of a check.
pub(crate) async fn instances_of(
    tx: &mut Tx,
    kind: Kind,
    app: &AppId,
    machines: &BTreeSet<MachineId>,
) -> Result<Vec<Instance>, StoreError> {
    let machines: Vec<&MachineId> = machines.iter().collect();
    let mut found = Vec::with_capacity(machines.len());
    for list in List::all(&machines) {
        let select = match kind {
            Kind::Sqlite => format!("json_group_array(json_array({COLUMNS}))"),
            Kind::Postgres => {
                format!("COALESCE(json_agg(json_build_array({COLUMNS}))::TEXT, '[]')")
            }
        };
        let text = format!(
            "SELECT {select} AS found FROM instances WHERE app_id = $1 AND machine_id IN ({})",
            list.names(2)
        );
        let query = list.bind(sqlx::query(sqlx::AssertSqlSafe(text)).bind(app.as_str()));
        let known: Vec<Known> =
            single(query, &mut **tx, "read the instances").await?.json("found")?;
        found.extend(known.into_iter().map(Instance::from));
    }
    Ok(found)
}

/// The grants that machines hold.
pub(crate) async fn leases_of(
    tx: &mut Tx,
    app: &AppId,
    machines: &BTreeSet<MachineId>,
) -> Result<Vec<Lease>, StoreError> {
    let machines: Vec<&MachineId> = machines.iter().collect();
    let mut leases = Vec::new();
    for list in List::all(&machines) {
        let text = format!(
            "SELECT * FROM leases WHERE ended_at IS NULL AND app_id = $1 AND machine_id IN ({})",
            list.names(2)
        );
        let query = list.bind(sqlx::query(sqlx::AssertSqlSafe(text)).bind(app.as_str()));
        for row in all(query, &mut **tx, "read the grants").await? {
            leases.push(Lease::from_row(&row)?);
        }
    }
    Ok(leases)
}

/// Writes of machines that are known that they were seen, and nothing else.
pub(crate) async fn write_seen<'a>(
    tx: &mut Tx,
    instances: impl Iterator<Item = &'a Instance>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut machines: BTreeMap<&AppId, Vec<&MachineId>> = BTreeMap::new();
    for instance in instances {
        machines.entry(&instance.app).or_default().push(&instance.machine);
    }
    for (app, machines) in machines {
        for list in List::all(&machines) {
            let text = format!(
                "UPDATE instances SET last_seen = $1 WHERE app_id = $2 AND machine_id IN ({})",
                list.names(3)
            );
            let query: Query<'_> = sqlx::query(sqlx::AssertSqlSafe(text));
            let query = list.bind(query.bind(millis(now)).bind(app.as_str()));
            run(query, &mut **tx, "write when instances were seen").await?;
        }
    }
    Ok(())
}

/// Writes machines; what operators set (alias, pin) and when they were first seen stays as it is.
pub(crate) async fn write_instances(
    tx: &mut Tx,
    instances: &[&Instance],
) -> Result<(), StoreError> {
    for piece in in_pieces(instances) {
        let text = format!(
            "INSERT INTO instances ({COLUMNS}) VALUES {} ON CONFLICT (app_id, machine_id) DO UPDATE SET {UPDATES}",
            placeholders(piece.len(), 24)
        );
        let query: Query<'_> = sqlx::query(sqlx::AssertSqlSafe(text));
        let query = piece.iter().fold(query, |query, instance| bind_instance(query, instance));
        run(query, &mut **tx, "write the instances").await?;
    }
    Ok(())
}

fn bind_instance<'q>(query: Query<'q>, instance: &Instance) -> Query<'q> {
    query
        .bind(instance.app.as_str())
        .bind(instance.machine.as_str())
        .bind(instance.group.as_str())
        .bind(instance.track.as_str())
        .bind(instance.version.as_str())
        .bind(instance.arch.number())
        .bind(instance.oem.as_str())
        .bind(instance.oem_version.as_str())
        .bind(instance.aleph_version.as_str())
        .bind(instance.alias.as_str())
        .bind(instance.given_alias.as_str())
        .bind(instance.ip.as_str())
        .bind(instance.boot_id.as_str())
        .bind(instance.install_source.as_str())
        .bind(instance.status.number())
        .bind(millis(instance.status_since))
        .bind(instance.update_version.clone())
        .bind(instance.granted_at.map(millis))
        .bind(instance.error_code)
        .bind(instance.event_type)
        .bind(instance.event_result)
        .bind(instance.pin.clone())
        .bind(millis(instance.first_seen))
        .bind(millis(instance.last_seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_few_sizes() {
        let check = |rows: usize, expected: &[usize]| {
            let rows: Vec<usize> = (0..rows).collect();
            let sizes: Vec<usize> = in_pieces(&rows).map(<[usize]>::len).collect();
            assert_eq!(sizes, expected);
            let again: Vec<usize> = in_pieces(&rows).flatten().copied().collect();
            assert_eq!(again, rows);
        };
        check(0, &[]);
        check(3, &[1, 1, 1]);
        check(87, &[64, 16, 4, 1, 1, 1]);
        check(300, &[64, 64, 64, 64, 16, 16, 4, 4, 4]);
    }

    #[test]
    fn machines_are_asked_for_in_few_sizes() {
        let check = |count: usize, expected: &[(usize, usize)]| {
            let machines: Vec<MachineId> =
                (0..count).map(|number| MachineId::stored(number.to_string())).collect();
            let machines: Vec<&MachineId> = machines.iter().collect();
            let sizes: Vec<(usize, usize)> =
                List::all(&machines).map(|list| (list.machines.len(), list.size)).collect();
            assert_eq!(sizes, expected);
        };
        check(0, &[]);
        check(1, &[(1, 1)]);
        check(5, &[(5, 16)]);
        check(64, &[(64, 64)]);
        check(300, &[(256, 256), (44, 64)]);
    }

    #[test]
    fn lists_begin_where_they_are_told() {
        let machine = MachineId::stored("m".to_owned());
        let list = List { machines: &[&machine, &machine], size: 4 };
        assert_eq!(list.names(3), "$3,$4,$5,$6");
    }
}
