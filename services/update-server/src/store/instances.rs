//! Machines, what happened to them, and how to find one among many.

use jiff::Timestamp;

use super::{
    By, Event, Instance, Page, Paged, Status, Store, StoreError,
    apps::found,
    commit,
    sql::{Query, all, containing, maybe, millis, run, signed, single, sql},
};
use crate::ids::{AppId, GroupId, MachineId};

/// Which machines. What is `None` does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// Of an application.
    pub app: Option<AppId>,
    /// Of a group.
    pub group: Option<GroupId>,
    /// Which do this.
    pub status: Option<Status>,
    /// Which run this version.
    pub version: Option<String>,
    /// Of a platform.
    pub oem: Option<String>,
    /// By id.
    pub machine: Option<MachineId>,
    /// Whose id, alias, given alias or address contains this text, in any case.
    pub search: Option<String>,
    /// Seen at or after.
    pub seen_from: Option<Timestamp>,
    /// Seen before.
    pub seen_until: Option<Timestamp>,
    /// Whose last event was of this type.
    pub event_type: Option<i64>,
    /// Whose last event had this result.
    pub event_result: Option<i64>,
}

/// By what to sort machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstanceSort {
    /// When it was seen last.
    #[default]
    LastSeen,
    /// Its id.
    Machine,
    /// Its alias.
    Alias,
    /// Its version, as text.
    Version,
    /// What it does.
    Status,
    /// Its address.
    Ip,
}

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest or oldest first.
    Ascending,
    /// Largest or newest first.
    #[default]
    Descending,
}

/// A condition and its values, numbered from 1.
struct Condition {
    text: String,
    texts: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
}

impl Condition {
    fn of(filter: &InstanceFilter) -> Self {
        let mut condition = Self { text: "1 = 1".to_owned(), texts: Vec::new() };
        let text = |value: &dyn ToString| Value::Text(value.to_string());
        condition.and("app_id =", filter.app.as_ref().map(|value| text(value)));
        condition.and("group_id =", filter.group.as_ref().map(|value| text(value)));
        condition.and("machine_id =", filter.machine.as_ref().map(|value| text(value)));
        condition.and("version =", filter.version.as_ref().map(|value| text(value)));
        condition.and("oem =", filter.oem.as_ref().map(|value| text(value)));
        condition.and("status =", filter.status.map(|value| Value::Number(value.number())));
        condition.and("last_seen >=", filter.seen_from.map(|value| Value::Number(millis(value))));
        condition.and("last_seen <", filter.seen_until.map(|value| Value::Number(millis(value))));
        condition.and("event_type =", filter.event_type.map(Value::Number));
        condition.and("event_result =", filter.event_result.map(Value::Number));
        if let Some(search) = filter.search.as_ref().filter(|search| !search.is_empty()) {
            condition.texts.push(Value::Text(containing(search)));
            let number = condition.texts.len();
            let like = |column: &str| format!("LOWER({column}) LIKE ${number} ESCAPE '!'");
            let any = ["machine_id", "alias", "given_alias", "ip"].map(like).join(" OR ");
            condition.text.extend([" AND (", &any, ")"]);
        }
        condition
    }

    fn and(&mut self, comparison: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.texts.push(value);
            let number = self.texts.len().to_string();
            self.text.extend([" AND ", comparison, " $", &number]);
        }
    }

    /// A statement with `{WHERE}` replaced. Only column names and numbers of values come into its text.
    fn query(&self, statement: &str) -> Query<'static> {
        let text = statement.replace("{WHERE}", &self.text);
        self.texts.iter().fold(sqlx::query(sqlx::AssertSqlSafe(text)), |query, value| match value {
            Value::Text(text) => query.bind(text.clone()),
            Value::Number(number) => query.bind(*number),
        })
    }
}

impl Store {
    /// Machines that a filter lets through, a page of them and how many there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn instances(
        &self,
        filter: &InstanceFilter,
        sort: InstanceSort,
        order: SortOrder,
        page: Page,
    ) -> Result<Paged<Instance>, StoreError> {
        let condition = Condition::of(filter);
        let total = self.count_instances(filter).await?;
        let column = match sort {
            InstanceSort::LastSeen => "last_seen",
            InstanceSort::Machine => "machine_id",
            InstanceSort::Alias => "CASE WHEN given_alias <> '' THEN given_alias ELSE alias END",
            InstanceSort::Version => "version",
            InstanceSort::Status => "status",
            InstanceSort::Ip => "ip",
        };
        let way = match order {
            SortOrder::Ascending => "ASC",
            SortOrder::Descending => "DESC",
        };
        let statement = format!(
            "SELECT * FROM instances WHERE {{WHERE}} ORDER BY {column} {way}, machine_id {way} LIMIT {} OFFSET {}",
            signed(page.limit),
            signed(page.skip)
        );
        let rows = all(condition.query(&statement), &self.pool, "list the instances").await?;
        let items = rows.iter().map(Instance::from_row).collect::<Result<_, _>>()?;
        Ok(Paged { items, total })
    }

    /// How many machines a filter lets through.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_instances(&self, filter: &InstanceFilter) -> Result<u64, StoreError> {
        let query =
            Condition::of(filter).query("SELECT COUNT(*) AS total FROM instances WHERE {WHERE}");
        let row = single(query, &self.pool, "count the instances").await?;
        Ok(row.number("total")?.try_into().unwrap_or_default())
    }

    /// A machine.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn instance(
        &self,
        app: &AppId,
        machine: &MachineId,
    ) -> Result<Option<Instance>, StoreError> {
        let query = sql!(
            "SELECT * FROM instances WHERE app_id = $1 AND machine_id = $2",
            app.as_str(),
            machine.as_str()
        );
        maybe(query, &self.pool, "read an instance")
            .await?
            .as_ref()
            .map(Instance::from_row)
            .transpose()
    }

    /// Gives a machine an alias, in one application or in all of them; an empty one takes it away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_alias(
        &self,
        by: &By,
        app: Option<&AppId>,
        machine: &MachineId,
        alias: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!(
            "UPDATE instances SET given_alias = $2 WHERE machine_id = $1 AND ($3 = '' OR app_id = $3)",
            machine.as_str(),
            alias,
            app.map(AppId::as_str).unwrap_or_default()
        );
        found(run(query, &mut *tx, "change an instance").await?, "instance", machine)?;
        let detail = serde_json::json!({ "alias": alias });
        super::activity::audit(&mut tx, by, "instance.alias", app, machine.as_str(), &detail)
            .await?;
        commit(tx).await
    }

    /// Pins a machine to a version, or lets it go.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Invalid`] for what is no version.
    pub async fn set_pin(
        &self,
        by: &By,
        app: &AppId,
        machine: &MachineId,
        version: Option<&str>,
    ) -> Result<(), StoreError> {
        if let Some(version) = version.filter(|version| semver::Version::parse(version).is_err()) {
            let value = version.chars().take(64).collect();
            return Err(StoreError::Invalid {
                what: "version of three numbers, such as `4001.2.0`",
                value,
            });
        }
        let mut tx = self.begin().await?;
        let query = sql!(
            "UPDATE instances SET pin = $3 WHERE app_id = $1 AND machine_id = $2",
            app.as_str(),
            machine.as_str(),
            version.map(str::to_owned)
        );
        found(run(query, &mut *tx, "change an instance").await?, "instance", machine)?;
        let detail = serde_json::json!({ "pin": version });
        super::activity::audit(&mut tx, by, "instance.pin", Some(app), machine.as_str(), &detail)
            .await?;
        commit(tx).await
    }

    /// What happened to a machine, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(
        &self,
        app: &AppId,
        machine: &MachineId,
        page: Page,
    ) -> Result<Vec<Event>, StoreError> {
        let query = sql!(
            "SELECT * FROM events WHERE app_id = $1 AND machine_id = $2 ORDER BY at DESC, id DESC LIMIT $3 OFFSET $4",
            app.as_str(),
            machine.as_str(),
            signed(page.limit),
            signed(page.skip)
        );
        all(query, &self.pool, "list the events").await?.iter().map(Event::from_row).collect()
    }

    /// What happened to a machine in all applications, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn machine_history(
        &self,
        machine: &MachineId,
        page: Page,
    ) -> Result<Vec<Event>, StoreError> {
        let query = sql!(
            "SELECT * FROM events WHERE machine_id = $1 AND app_id IN (SELECT id FROM applications) \
             ORDER BY at DESC, id DESC LIMIT $2 OFFSET $3",
            machine.as_str(),
            signed(page.limit),
            signed(page.skip)
        );
        all(query, &self.pool, "list the events").await?.iter().map(Event::from_row).collect()
    }

    /// Events after a number, the oldest first: for pages that show what happens.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_after(
        &self,
        app: &AppId,
        group: Option<&GroupId>,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let query = sql!(
            "SELECT * FROM events WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND id > $3 ORDER BY id LIMIT $4",
            app.as_str(),
            group.map(GroupId::as_str).unwrap_or_default(),
            after,
            signed(limit)
        );
        all(query, &self.pool, "list the events").await?.iter().map(Event::from_row).collect()
    }

    /// Forgets events, attempts and ended sessions before a time, and machines that were not seen since another; how many rows went.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(
        &self,
        events_before: Timestamp,
        machines_before: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        for (statement, before) in [
            ("DELETE FROM events WHERE at < $1", events_before),
            ("DELETE FROM leases WHERE ended_at IS NOT NULL AND granted_at < $1", events_before),
            ("DELETE FROM checks WHERE at < $1", events_before),
            ("DELETE FROM activity WHERE at < $1", events_before),
            ("DELETE FROM tokens WHERE session = 1 AND expires_at < $1", events_before),
            ("DELETE FROM instances WHERE last_seen < $1", machines_before),
        ] {
            gone += run(sql!(statement, millis(before)), &self.pool, "forget what is old").await?;
        }
        Ok(gone)
    }
}
