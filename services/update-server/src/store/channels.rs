//! Channels, the versions that they may not skip, and those that they never give.

use serde_json::json;

use super::{
    Arch, By, Channel, Floor, Kind, Row, Store, StoreError, Tx,
    apps::{changed, found},
    commit, flag,
    sql::{all, maybe, millis, run, sql},
};
use crate::ids::{AppId, ChannelId, PackageId};

impl Channel {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ChannelId::stored(row.text("id")?),
            app: AppId::stored(row.text("app_id")?),
            label: row.text("label")?,
            arch: Arch::from_number(row.number("arch")?).unwrap_or_default(),
            color: row.text("color")?,
            package: row.text_or_none("package_id")?.map(PackageId::stored),
            publish: row.flag("publish")?,
            upstream: row.text("upstream")?,
            created_at: row.time("created_at")?,
            changed_at: row.time("changed_at")?,
        })
    }
}

impl Floor {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            channel: ChannelId::stored(row.text("channel_id")?),
            package: PackageId::stored(row.text("package_id")?),
            reason: row.text("reason")?,
        })
    }
}

impl Store {
    /// The channels of an application, by label and architecture.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn channels(&self, app: &AppId) -> Result<Vec<Channel>, StoreError> {
        let query =
            sql!("SELECT * FROM channels WHERE app_id = $1 ORDER BY label, arch", app.as_str());
        all(query, &self.pool, "list the channels").await?.iter().map(Channel::from_row).collect()
    }

    /// A channel by its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, StoreError> {
        let query = sql!("SELECT * FROM channels WHERE id = $1", id.as_str());
        maybe(query, &self.pool, "read a channel")
            .await?
            .as_ref()
            .map(Channel::from_row)
            .transpose()
    }

    /// A channel by its name; CoreUpdate's have the architecture [`Arch::All`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn channel_by_label(
        &self,
        app: &AppId,
        label: &str,
        arch: Arch,
    ) -> Result<Option<Channel>, StoreError> {
        let query = sql!(
            "SELECT * FROM channels WHERE app_id = $1 AND label = $2 AND arch = $3",
            app.as_str(),
            label,
            arch.number()
        );
        maybe(query, &self.pool, "read a channel")
            .await?
            .as_ref()
            .map(Channel::from_row)
            .transpose()
    }

    /// Adds a channel; both of its times are taken from `by`.
    ///
    /// # Errors
    /// [`StoreError::Exists`] for a label and architecture that are taken; [`StoreError::Conflict`] for a package of another
    /// application or architecture.
    pub async fn create_channel(&self, by: &By, channel: &Channel) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_package(&mut tx, channel).await?;
        sql!(
            "INSERT INTO channels (id, app_id, label, arch, color, package_id, publish, upstream, created_at, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            channel.id.as_str(),
            channel.app.as_str(),
            channel.label.as_str(),
            channel.arch.number(),
            channel.color.as_str(),
            channel.package.clone().map(String::from),
            flag(channel.publish),
            channel.upstream.as_str(),
            millis(by.at)
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert("add a channel", "channel", &channel.label))?;
        changed(&mut tx, by, "channel.create", Some(&channel.app), &channel.label, json!(channel))
            .await?;
        commit(tx).await
    }

    /// Changes a channel's label, colour, package, `publish` and `upstream`, by a function of the channel as it is then, under
    /// its lock: two people who change different things do not undo each other. A new package sets `changed_at`, and an
    /// activity entry says so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for a package that is blacklisted here, or of another application or
    /// architecture; or what the function says. Nothing is changed then.
    pub async fn change_channel<E: From<StoreError>>(
        &self,
        by: &By,
        id: &ChannelId,
        change: impl FnOnce(&mut Channel) -> Result<(), E> + Send,
    ) -> Result<Channel, E> {
        let mut tx = self.begin().await?;
        let before = self.locked_channel(&mut tx, id).await?;
        let mut channel = before.clone();
        change(&mut channel)?;
        let channel = replace(&mut tx, by, before, channel).await?;
        commit(tx).await?;
        Ok(channel)
    }

    /// A channel, which nobody else changes until the transaction ends.
    async fn locked_channel(&self, tx: &mut Tx, id: &ChannelId) -> Result<Channel, StoreError> {
        let statement = match self.kind {
            Kind::Sqlite => "SELECT * FROM channels WHERE id = $1",
            // Groups may go on to name it.
            Kind::Postgres => "SELECT * FROM channels WHERE id = $1 FOR NO KEY UPDATE",
        };
        let row = maybe(sql!(statement, id.as_str()), &mut **tx, "read a channel").await?;
        Channel::from_row(&row.ok_or_else(|| StoreError::not_found("channel", id))?)
    }

    /// Removes a channel.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] while a group takes its version from it.
    pub async fn delete_channel(&self, by: &By, id: &ChannelId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!("SELECT * FROM channels WHERE id = $1", id.as_str());
        let before = maybe(query, &mut *tx, "read a channel").await?;
        let before =
            Channel::from_row(&before.ok_or_else(|| StoreError::not_found("channel", id))?)?;
        sql!("DELETE FROM channels WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::on_delete("remove a channel", "channel", &before.label))?;
        changed(&mut tx, by, "channel.delete", Some(&before.app), &before.label, json!({})).await?;
        commit(tx).await
    }

    /// The floors of a channel. Sort them by the versions of their packages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn floors(&self, channel: &ChannelId) -> Result<Vec<Floor>, StoreError> {
        let query = sql!("SELECT * FROM channel_floors WHERE channel_id = $1", channel.as_str());
        all(query, &self.pool, "list the floors").await?.iter().map(Floor::from_row).collect()
    }

    /// The channels in which a package is a floor.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn floor_channels(&self, package: &PackageId) -> Result<Vec<Channel>, StoreError> {
        let query = sql!(
            "SELECT * FROM channels WHERE id IN (SELECT channel_id FROM channel_floors WHERE package_id = $1) ORDER BY label, arch",
            package.as_str()
        );
        all(query, &self.pool, "list the channels").await?.iter().map(Channel::from_row).collect()
    }

    /// Makes a package a floor of a channel, or changes the reason.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] if it is blacklisted there, or of another architecture.
    pub async fn set_floor(&self, by: &By, floor: &Floor) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let channel = suitable(&mut tx, &floor.channel, &floor.package).await?;
        if listed(
            &mut tx,
            "SELECT 1 AS one FROM channel_blacklist WHERE channel_id = $1 AND package_id = $2",
            floor,
        )
        .await?
        {
            return Err(conflict(
                &floor.package,
                "is blacklisted in this channel, so it cannot be a floor",
            ));
        }
        let query = sql!(
            "INSERT INTO channel_floors (channel_id, package_id, reason) VALUES ($1, $2, $3) \
             ON CONFLICT (channel_id, package_id) DO UPDATE SET reason = excluded.reason",
            floor.channel.as_str(),
            floor.package.as_str(),
            floor.reason.as_str()
        );
        run(query, &mut *tx, "set a floor").await?;
        changed(&mut tx, by, "channel.floor", Some(&channel.app), &channel.label, json!(floor))
            .await?;
        commit(tx).await
    }

    /// Takes a floor away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_floor(
        &self,
        by: &By,
        channel: &ChannelId,
        package: &PackageId,
    ) -> Result<(), StoreError> {
        let statement = "DELETE FROM channel_floors WHERE channel_id = $1 AND package_id = $2";
        self.unlist(by, statement, "channel.unfloor", channel, package).await
    }

    /// The packages that a channel never gives.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn blacklist(&self, channel: &ChannelId) -> Result<Vec<PackageId>, StoreError> {
        let query = sql!(
            "SELECT package_id FROM channel_blacklist WHERE channel_id = $1 ORDER BY package_id",
            channel.as_str()
        );
        let rows = all(query, &self.pool, "list the blacklist").await?;
        rows.iter().map(|row| Ok(PackageId::stored(row.text("package_id")?))).collect()
    }

    /// Forbids a package in a channel.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] if it is a floor, or what the channel points to.
    pub async fn blacklist_package(
        &self,
        by: &By,
        channel: &ChannelId,
        package: &PackageId,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = suitable(&mut tx, channel, package).await?;
        if row.package.as_ref() == Some(package) {
            return Err(conflict(
                package,
                "is what the channel points to; point it elsewhere first",
            ));
        }
        let floor =
            Floor { channel: channel.clone(), package: package.clone(), reason: String::new() };
        if listed(
            &mut tx,
            "SELECT 1 AS one FROM channel_floors WHERE channel_id = $1 AND package_id = $2",
            &floor,
        )
        .await?
        {
            return Err(conflict(
                package,
                "is a floor of this channel, so it cannot be blacklisted",
            ));
        }
        let query = sql!(
            "INSERT INTO channel_blacklist (channel_id, package_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            channel.as_str(),
            package.as_str()
        );
        run(query, &mut *tx, "blacklist a package").await?;
        changed(
            &mut tx,
            by,
            "channel.blacklist",
            Some(&row.app),
            &row.label,
            json!({ "package": package }),
        )
        .await?;
        commit(tx).await
    }

    /// Allows a package in a channel again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn unblacklist_package(
        &self,
        by: &By,
        channel: &ChannelId,
        package: &PackageId,
    ) -> Result<(), StoreError> {
        let statement = "DELETE FROM channel_blacklist WHERE channel_id = $1 AND package_id = $2";
        self.unlist(by, statement, "channel.unblacklist", channel, package).await
    }

    async fn unlist(
        &self,
        by: &By,
        statement: &'static str,
        action: &'static str,
        channel: &ChannelId,
        package: &PackageId,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = suitable(&mut tx, channel, package).await?;
        let done =
            run(sql!(statement, channel.as_str(), package.as_str()), &mut *tx, "change a channel")
                .await?;
        found(done, "entry for package", package)?;
        changed(&mut tx, by, action, Some(&row.app), &row.label, json!({ "package": package }))
            .await?;
        commit(tx).await
    }
}

async fn listed(tx: &mut Tx, statement: &'static str, floor: &Floor) -> Result<bool, StoreError> {
    let query = sql!(statement, floor.channel.as_str(), floor.package.as_str());
    Ok(maybe(query, &mut **tx, "read a channel").await?.is_some())
}

/// The channel, if the package is of its application and suits its architecture.
async fn suitable(
    tx: &mut Tx,
    channel: &ChannelId,
    package: &PackageId,
) -> Result<Channel, StoreError> {
    let query = sql!("SELECT * FROM channels WHERE id = $1", channel.as_str());
    let row = maybe(query, &mut **tx, "read a channel").await?;
    let row = Channel::from_row(&row.ok_or_else(|| StoreError::not_found("channel", channel))?)?;
    check_package(tx, &Channel { package: Some(package.clone()), ..row.clone() }).await?;
    Ok(row)
}

/// Puts a channel in the place of what it was before, as it was read in the same transaction; gives what is kept.
async fn replace(
    tx: &mut Tx,
    by: &By,
    before: Channel,
    channel: Channel,
) -> Result<Channel, StoreError> {
    let Channel { label, color, package, publish, upstream, .. } = channel;
    let moved = before.package != package;
    let changed_at = if moved { by.at } else { before.changed_at };
    let channel = Channel { label, color, package, publish, upstream, changed_at, ..before };
    check_package(tx, &channel).await?;
    if moved {
        check_allowed(tx, &channel).await?;
    }
    sql!(
        "UPDATE channels SET label = $2, color = $3, package_id = $4, publish = $5, upstream = $6, changed_at = $7 \
         WHERE id = $1",
        channel.id.as_str(),
        channel.label.as_str(),
        channel.color.as_str(),
        channel.package.clone().map(String::from),
        flag(channel.publish),
        channel.upstream.as_str(),
        millis(channel.changed_at)
    )
    .execute(&mut **tx)
    .await
    .map_err(StoreError::on_insert("change a channel", "channel", &channel.label))?;
    if moved {
        super::activity::channel_moved(tx, by, &channel).await?;
    }
    changed(tx, by, "channel.update", Some(&channel.app), &channel.label, json!(channel)).await?;
    Ok(channel)
}

/// Fails for a package that is blacklisted in the channel that shall point to it.
async fn check_allowed(tx: &mut Tx, channel: &Channel) -> Result<(), StoreError> {
    let Some(package) = channel.package.clone() else { return Ok(()) };
    let entry = Floor { channel: channel.id.clone(), package, reason: String::new() };
    let statement =
        "SELECT 1 AS one FROM channel_blacklist WHERE channel_id = $1 AND package_id = $2";
    if listed(tx, statement, &entry).await? {
        let problem = "is blacklisted in this channel; allow it there first";
        return Err(conflict(&entry.package, problem));
    }
    Ok(())
}

async fn check_package(tx: &mut Tx, channel: &Channel) -> Result<(), StoreError> {
    let Some(package) = &channel.package else { return Ok(()) };
    let query = sql!("SELECT app_id, arch FROM packages WHERE id = $1", package.as_str());
    let row = maybe(query, &mut **tx, "read a package").await?;
    let row = row.ok_or_else(|| StoreError::not_found("package", package))?;
    if row.text("app_id")? != channel.app.as_str() {
        return Err(conflict(package, "is of another application"));
    }
    if row.number("arch")? != channel.arch.number() {
        return Err(conflict(package, "is for another architecture than the channel"));
    }
    Ok(())
}

fn conflict(package: &PackageId, problem: &'static str) -> StoreError {
    StoreError::Conflict { kind: "package", name: package.to_string(), problem }
}
