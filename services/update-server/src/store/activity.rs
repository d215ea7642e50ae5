//! What happened that people should know (activity), and who changed what (audit).

use jiff::Timestamp;
use serde::Serialize;

use super::{
    By, Channel, Page, Paged, Row, Store, StoreError, Tx,
    sql::{all, maybe, millis, run, signed, single, sql},
};
use crate::ids::{AppId, GroupId, MachineId};

/// What kind of thing happened, with the numbers of Nebraska; 7 and 8 are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivityClass {
    /// A group has no package to give.
    PackageNotFound,
    /// The first machine was granted a version.
    RolloutStarted,
    /// All machines of a group have the version.
    RolloutFinished,
    /// A version failed too often.
    RolloutFailed,
    /// A machine's update failed.
    UpdateFailed,
    /// A channel points to another package.
    ChannelUpdated,
    /// A group stopped by itself.
    Stopped,
    /// Releases were imported, or could not be.
    Import,
}

/// How much it matters, with the numbers of Nebraska.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something went well.
    Success,
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Error,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Its number; later ones are higher.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: NewActivity,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewActivity {
    /// In which application.
    pub app: AppId,
    /// In which group.
    pub group: Option<GroupId>,
    /// In which channel, by its label.
    pub channel: Option<String>,
    /// To which machine.
    pub machine: Option<MachineId>,
    /// What kind of thing.
    pub class: ActivityClass,
    /// How much it matters.
    pub severity: Severity,
    /// Which version it is about; empty if none.
    pub version: String,
    /// A sentence for people.
    pub message: String,
}

/// Which activity. What is `None` does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    /// Of an application.
    pub app: Option<AppId>,
    /// Of a group.
    pub group: Option<GroupId>,
    /// Of a machine.
    pub machine: Option<MachineId>,
    /// That matters at least this much.
    pub severity: Option<Severity>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// A change that somebody made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its number; later ones are higher.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From which address.
    pub address: String,
    /// What was done, such as `group.update`.
    pub action: String,
    /// In which application.
    pub app: Option<AppId>,
    /// To what.
    pub target: String,
    /// What it is now.
    pub detail: serde_json::Value,
}

impl ActivityClass {
    const ALL: [Self; 8] = [
        Self::PackageNotFound,
        Self::RolloutStarted,
        Self::RolloutFinished,
        Self::RolloutFailed,
        Self::UpdateFailed,
        Self::ChannelUpdated,
        Self::Stopped,
        Self::Import,
    ];

    /// Its number with Nebraska.
    pub fn number(self) -> i64 {
        self as i64 + 1
    }

    fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|class| class.number() == number).unwrap_or(Self::Import)
    }
}

impl Severity {
    const ALL: [Self; 4] = [Self::Success, Self::Info, Self::Warning, Self::Error];

    /// Its number with Nebraska.
    pub fn number(self) -> i64 {
        self as i64 + 1
    }

    fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|severity| severity.number() == number).unwrap_or(Self::Info)
    }
}

impl Activity {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.number("id")?,
            at: row.time("at")?,
            what: NewActivity {
                app: AppId::stored(row.text("app_id")?),
                group: row.text_or_none("group_id")?.map(GroupId::stored),
                channel: row.text_or_none("channel")?,
                machine: row.text_or_none("machine_id")?.map(MachineId::stored),
                class: ActivityClass::from_number(row.number("class")?),
                severity: Severity::from_number(row.number("severity")?),
                version: row.text("version")?,
                message: row.text("message")?,
            },
        })
    }
}

const MATCHES: &str = "($1 = '' OR app_id = $1) AND ($2 = '' OR group_id = $2) AND ($3 = '' OR machine_id = $3) \
                       AND severity >= $4 AND at >= $5 AND at < $6";

impl Store {
    /// What happened, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn activity(
        &self,
        filter: &ActivityFilter,
        page: Page,
    ) -> Result<Paged<Activity>, StoreError> {
        let query = |text: String| {
            sql!(
                sqlx::AssertSqlSafe(text),
                filter.app.clone().map(String::from).unwrap_or_default(),
                filter.group.clone().map(String::from).unwrap_or_default(),
                filter.machine.clone().map(String::from).unwrap_or_default(),
                filter.severity.map_or(0, Severity::number),
                filter.from.map_or(i64::MIN, millis),
                filter.until.map_or(i64::MAX, millis)
            )
        };
        let count = query(format!("SELECT COUNT(*) AS total FROM activity WHERE {MATCHES}"));
        let total = single(count, &self.pool, "count the activity").await?.number("total")?;
        let list = query(format!(
            "SELECT * FROM activity WHERE {MATCHES} ORDER BY at DESC, id DESC LIMIT {} OFFSET {}",
            signed(page.limit),
            signed(page.skip)
        ));
        let rows = all(list, &self.pool, "list the activity").await?;
        let items = rows.iter().map(Activity::from_row).collect::<Result<_, _>>()?;
        Ok(Paged { items, total: total.try_into().unwrap_or_default() })
    }

    /// Notes that something happened.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_activity(&self, at: Timestamp, what: &NewActivity) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        note(&mut tx, at, what).await?;
        super::commit(tx).await
    }

    /// Who changed what, the newest first; of one application if one is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_log(
        &self,
        app: Option<&AppId>,
        page: Page,
    ) -> Result<Paged<AuditEntry>, StoreError> {
        let app = app.map(AppId::as_str).unwrap_or_default();
        let count = sql!("SELECT COUNT(*) AS total FROM audit WHERE ($1 = '' OR app_id = $1)", app);
        let total = single(count, &self.pool, "count the audit log").await?.number("total")?;
        let list = sql!(
            "SELECT * FROM audit WHERE ($1 = '' OR app_id = $1) ORDER BY id DESC LIMIT $2 OFFSET $3",
            app,
            signed(page.limit),
            signed(page.skip)
        );
        let rows = all(list, &self.pool, "list the audit log").await?;
        let entry = |row: &Row| {
            Ok(AuditEntry {
                id: row.number("id")?,
                at: row.time("at")?,
                who: row.text("who")?,
                address: row.text("address")?,
                action: row.text("action")?,
                app: row.text_or_none("app_id")?.map(AppId::stored),
                target: row.text("target")?,
                detail: row.json("detail")?,
            })
        };
        let items = rows.iter().map(entry).collect::<Result<_, StoreError>>()?;
        Ok(Paged { items, total: total.try_into().unwrap_or_default() })
    }

    /// Notes in the audit log what is no change of a row, such as a backup or an upload.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_audit(
        &self,
        by: &By,
        action: &str,
        app: Option<&AppId>,
        target: &str,
        detail: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        audit(&mut tx, by, action, app, target, detail).await?;
        super::commit(tx).await
    }
}

/// Writes an entry of the audit log.
pub(super) async fn audit(
    tx: &mut Tx,
    by: &By,
    action: &str,
    app: Option<&AppId>,
    target: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    let query = sql!(
        "INSERT INTO audit (at, who, address, action, app_id, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        millis(by.at),
        by.who.as_str(),
        by.address.as_str(),
        action,
        app.cloned().map(String::from),
        target,
        detail.to_string()
    );
    run(query, &mut **tx, "write the audit log").await.map(drop)
}

/// Writes an activity entry.
pub(crate) async fn note(tx: &mut Tx, at: Timestamp, what: &NewActivity) -> Result<(), StoreError> {
    let query = sql!(
        "INSERT INTO activity (at, app_id, group_id, channel, machine_id, class, severity, version, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        millis(at),
        what.app.as_str(),
        what.group.clone().map(String::from),
        what.channel.clone(),
        what.machine.clone().map(String::from),
        what.class.number(),
        what.severity.number(),
        what.version.as_str(),
        what.message.as_str()
    );
    run(query, &mut **tx, "note an activity").await.map(drop)
}

pub(super) async fn channel_moved(
    tx: &mut Tx,
    by: &By,
    channel: &Channel,
) -> Result<(), StoreError> {
    let id = channel.package.clone().map(String::from).unwrap_or_default();
    let row =
        maybe(sql!("SELECT version FROM packages WHERE id = $1", id), &mut **tx, "read a package")
            .await?;
    let version = row.map(|row| row.text("version")).transpose()?.unwrap_or_default();
    let points = if version.is_empty() { "nothing".to_owned() } else { version.clone() };
    let what = NewActivity {
        app: channel.app.clone(),
        group: None,
        channel: Some(channel.label.clone()),
        machine: None,
        class: ActivityClass::ChannelUpdated,
        severity: Severity::Info,
        version,
        message: format!("channel {} points to {points}", channel.label),
    };
    note(tx, by.at, &what).await
}
