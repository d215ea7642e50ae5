//! Grants: each is a lease that ends, by what the machine says or by time.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Row, Store, StoreError,
    sql::{all, signed, sql},
};
use crate::ids::{AppId, GroupId, MachineId};

/// An update that a machine was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// Its number.
    pub id: i64,
    /// Which application.
    pub app: AppId,
    /// Which group.
    pub group: GroupId,
    /// Which machine.
    pub machine: MachineId,
    /// To which version.
    pub version: String,
    /// When.
    pub granted_at: Timestamp,
    /// Until when the machine must have reported that it is done.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How: `complete`, `failed`, `missing` or `replaced`.
    pub outcome: Option<String>,
}

impl Lease {
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.number("id")?,
            app: AppId::stored(row.text("app_id")?),
            group: GroupId::stored(row.text("group_id")?),
            machine: MachineId::stored(row.text("machine_id")?),
            version: row.text("version")?,
            granted_at: row.time("granted_at")?,
            expires_at: row.time("expires_at")?,
            ended_at: row.time_or_none("ended_at")?,
            outcome: row.text_or_none("outcome")?,
        })
    }
}

impl Store {
    /// The updates of a group that are under way, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_leases(
        &self,
        app: &AppId,
        group: &GroupId,
        limit: u64,
    ) -> Result<Vec<Lease>, StoreError> {
        let query = sql!(
            "SELECT * FROM leases WHERE app_id = $1 AND group_id = $2 AND ended_at IS NULL ORDER BY granted_at, id LIMIT $3",
            app.as_str(),
            group.as_str(),
            signed(limit)
        );
        all(query, &self.pool, "list the grants").await?.iter().map(Lease::from_row).collect()
    }
}
