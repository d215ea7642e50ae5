//! Groups.

use jiff::Timestamp;
use serde_json::json;

use super::{
    By, Group, Row, Store, StoreError, Tx,
    apps::{changed, found},
    commit,
    sql::{all, maybe, millis, run, sql},
};
use crate::{
    ids::{AppId, ChannelId, GroupId},
    policy::Policy,
};

impl Group {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            app: AppId::stored(row.text("app_id")?),
            id: GroupId::stored(row.text("id")?),
            label: row.text("label")?,
            description: row.text("description")?,
            track: row.text("track")?,
            channel: row.text_or_none("channel_id")?.map(ChannelId::stored),
            policy: row.json("policy")?,
            stopped_reason: row.text_or_none("stopped_reason")?,
            resumed_at: row.time("resumed_at")?,
            rolling_version: row.text_or_none("rolling_version")?,
            rolling_since: row.time_or_none("rolling_since")?,
            created_at: row.time("created_at")?,
        })
    }

    /// A group with the default policy and no channel; for `..Group::new(…)`.
    pub fn new(app: AppId, id: GroupId, label: &str) -> Self {
        Self {
            app,
            track: id.to_string(),
            id,
            label: label.to_owned(),
            description: String::new(),
            channel: None,
            policy: Policy::default(),
            stopped_reason: None,
            resumed_at: Timestamp::UNIX_EPOCH,
            rolling_version: None,
            rolling_since: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

impl Store {
    /// The groups of an application, by label.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups(&self, app: &AppId) -> Result<Vec<Group>, StoreError> {
        let query = sql!("SELECT * FROM groups WHERE app_id = $1 ORDER BY label, id", app.as_str());
        all(query, &self.pool, "list the groups").await?.iter().map(Group::from_row).collect()
    }

    /// A group by its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn group(&self, app: &AppId, id: &GroupId) -> Result<Option<Group>, StoreError> {
        let query =
            sql!("SELECT * FROM groups WHERE app_id = $1 AND id = $2", app.as_str(), id.as_str());
        maybe(query, &self.pool, "read a group").await?.as_ref().map(Group::from_row).transpose()
    }

    /// Adds a group; its times are taken from `by`, what the server notes about rollouts is ignored.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Policy`], or [`StoreError::Conflict`] for a channel that is not there.
    pub async fn create_group(&self, by: &By, group: &Group) -> Result<(), StoreError> {
        group.policy.check().map_err(|source| StoreError::Policy { source })?;
        let mut tx = self.begin().await?;
        check_channel(&mut tx, group).await?;
        sql!(
            "INSERT INTO groups (app_id, id, label, description, track, channel_id, policy, resumed_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            group.app.as_str(),
            group.id.as_str(),
            group.label.as_str(),
            group.description.as_str(),
            group.track.as_str(),
            group.channel.clone().map(String::from),
            json!(group.policy).to_string(),
            millis(by.at)
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert("add a group", "group", group.id.as_str()))?;
        changed(&mut tx, by, "group.create", Some(&group.app), group.id.as_str(), json!(group))
            .await?;
        commit(tx).await
    }

    /// Changes label, description, track, channel and policy, by a function of the group as it is then, under its lock: two
    /// people who change different things do not undo each other. Updates that are switched on again after they were off, or
    /// a group that had stopped by itself: earlier attempts no longer count for the automatic stop, and the reason is forgotten.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Policy`], [`StoreError::Conflict`] for a channel of another application, or what
    /// the function says; nothing is changed then.
    pub async fn change_group<E: From<StoreError>>(
        &self,
        by: &By,
        app: &AppId,
        id: &GroupId,
        change: impl FnOnce(&mut Group) -> Result<(), E> + Send,
    ) -> Result<Group, E> {
        let mut tx = self.begin().await?;
        let before = locked(&mut tx, self, app, id).await?;
        let mut group = before.clone();
        change(&mut group)?;
        let group = replace(&mut tx, by, before, group).await?;
        commit(tx).await?;
        Ok(group)
    }

    /// Changes only the policy, by a function of the present one. The rules of [`Self::change_group`] hold.
    ///
    /// # Errors
    /// As [`Self::change_group`].
    pub async fn change_policy(
        &self,
        by: &By,
        app: &AppId,
        id: &GroupId,
        change: impl FnOnce(&mut Policy) + Send,
    ) -> Result<Group, StoreError> {
        let change = |group: &mut Group| {
            change(&mut group.policy);
            Ok(())
        };
        self.change_group(by, app, id, change).await
    }

    /// Removes a group. Its machines stay, and ask in vain.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_group(&self, by: &By, app: &AppId, id: &GroupId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query =
            sql!("DELETE FROM groups WHERE app_id = $1 AND id = $2", app.as_str(), id.as_str());
        found(run(query, &mut *tx, "remove a group").await?, "group", id)?;
        changed(&mut tx, by, "group.delete", Some(app), id.as_str(), json!({})).await?;
        commit(tx).await
    }
}

/// Puts a group in the place of what it was before, as it was read in the same transaction; gives what is kept.
async fn replace(tx: &mut Tx, by: &By, before: Group, group: Group) -> Result<Group, StoreError> {
    let Group { label, description, track, channel, policy, .. } = group;
    let resumed = policy.updates_enabled
        && (!before.policy.updates_enabled || before.stopped_reason.is_some());
    let mut group = Group { label, description, track, channel, policy, ..before };
    if resumed {
        group.resumed_at = by.at;
        group.stopped_reason = None;
    }
    group.policy.check().map_err(|source| StoreError::Policy { source })?;
    check_channel(tx, &group).await?;
    let query = sql!(
        "UPDATE groups SET label = $3, description = $4, track = $5, channel_id = $6, policy = $7, resumed_at = $8, \
         stopped_reason = $9 WHERE app_id = $1 AND id = $2",
        group.app.as_str(),
        group.id.as_str(),
        group.label.as_str(),
        group.description.as_str(),
        group.track.as_str(),
        group.channel.clone().map(String::from),
        json!(group.policy).to_string(),
        millis(group.resumed_at),
        group.stopped_reason.clone()
    );
    found(run(query, &mut **tx, "change a group").await?, "group", &group.id)?;
    if resumed {
        let statement =
            "UPDATE tallies SET failed = 0, missing = 0 WHERE app_id = $1 AND group_id = $2";
        run(sql!(statement, group.app.as_str(), group.id.as_str()), &mut **tx, "change a group")
            .await?;
    }
    changed(tx, by, "group.update", Some(&group.app), group.id.as_str(), json!(group)).await?;
    Ok(group)
}

/// A group, which nobody else changes until the transaction ends.
pub(crate) async fn locked(
    tx: &mut Tx,
    store: &Store,
    app: &AppId,
    id: &GroupId,
) -> Result<Group, StoreError> {
    let statement = match store.kind {
        super::Kind::Sqlite => "SELECT * FROM groups WHERE app_id = $1 AND id = $2",
        super::Kind::Postgres => "SELECT * FROM groups WHERE app_id = $1 AND id = $2 FOR UPDATE",
    };
    let row = maybe(sql!(statement, app.as_str(), id.as_str()), &mut **tx, "read a group").await?;
    Group::from_row(&row.ok_or_else(|| StoreError::not_found("group", id))?)
}

async fn check_channel(tx: &mut Tx, group: &Group) -> Result<(), StoreError> {
    let Some(channel) = &group.channel else { return Ok(()) };
    let query = sql!("SELECT app_id FROM channels WHERE id = $1", channel.as_str());
    let row = maybe(query, &mut **tx, "read a channel").await?;
    let row = row.ok_or_else(|| StoreError::not_found("channel", channel))?;
    if row.text("app_id")? == group.app.as_str() {
        return Ok(());
    }
    let problem = "cannot take its version from a channel of another application";
    Err(StoreError::Conflict { kind: "group", name: group.id.to_string(), problem })
}
