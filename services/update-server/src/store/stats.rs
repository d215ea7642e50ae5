//! Counts, for pages and charts.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Kind, Row, Status, Store, StoreError,
    sql::{all, millis, signed, single, sql},
};
use crate::ids::{AppId, GroupId};

/// From when to when, in steps of how many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after.
    pub until: Timestamp,
    /// The length of a step in seconds; 60, 3600 and 86400 are common.
    pub step: u64,
}

/// How many machines run a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionCount {
    /// Which version.
    pub version: String,
    /// How many.
    pub count: u64,
}

/// How many machines do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusCount {
    /// What.
    pub status: Status,
    /// How many.
    pub count: u64,
}

/// How many checks came from machines of a version in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimedCount {
    /// When the step began.
    pub at: Timestamp,
    /// Which version.
    pub version: String,
    /// How many.
    pub count: u64,
}

/// How many events of a kind came in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimedEventCount {
    /// When the step began.
    pub at: Timestamp,
    /// From machines of which version.
    pub version: String,
    /// The Omaha event type.
    pub event_type: i64,
    /// The Omaha event result.
    pub event_result: i64,
    /// How many.
    pub count: u64,
}

/// How many updates failed with an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// The error, without flag bits.
    pub error_code: i64,
    /// How many.
    pub count: u64,
}

fn count(row: &Row) -> Result<u64, StoreError> {
    Ok(row.number("count")?.try_into().unwrap_or_default())
}

fn status(row: &Row) -> Result<Status, StoreError> {
    Ok(Status::from_number(row.number("status")?).unwrap_or_default())
}

impl Span {
    fn step_millis(self) -> i64 {
        signed(self.step.max(1)).saturating_mul(1000)
    }
}

impl Store {
    /// Machines by version, seen at or after a time; the most frequent first. All groups if none is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn version_counts(
        &self,
        app: &AppId,
        group: Option<&GroupId>,
        seen_from: Timestamp,
    ) -> Result<Vec<VersionCount>, StoreError> {
        let statement = "SELECT version, COUNT(*) AS count FROM instances WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND last_seen >= $3 \
                         GROUP BY version ORDER BY COUNT(*) DESC, version";
        let read =
            |row: &Row| Ok(VersionCount { version: row.text("version")?, count: count(row)? });
        self.counted(statement, app, group, seen_from, read).await
    }

    /// Machines by what they do, seen at or after a time. All groups if none is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status_counts(
        &self,
        app: &AppId,
        group: Option<&GroupId>,
        seen_from: Timestamp,
    ) -> Result<Vec<StatusCount>, StoreError> {
        let statement = "SELECT status, COUNT(*) AS count FROM instances WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND last_seen >= $3 \
                         GROUP BY status ORDER BY status";
        let read = |row: &Row| Ok(StatusCount { status: status(row)?, count: count(row)? });
        self.counted(statement, app, group, seen_from, read).await
    }

    /// Failed updates of a group by error, the most frequent first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn error_counts(
        &self,
        app: &AppId,
        group: Option<&GroupId>,
        from: Timestamp,
    ) -> Result<Vec<EventCount>, StoreError> {
        let statement = "SELECT error_code, COUNT(*) AS count FROM events WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND at >= $3 \
                         AND error_code IS NOT NULL GROUP BY error_code ORDER BY COUNT(*) DESC, error_code";
        let read = |row: &Row| {
            Ok(EventCount { error_code: row.number("error_code")?, count: count(row)? })
        };
        self.counted(statement, app, group, from, read).await
    }

    /// Update checks by version over time. Steps below an hour go back two days.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn checks_over_time(
        &self,
        app: &AppId,
        group: &GroupId,
        span: Span,
    ) -> Result<Vec<TimedCount>, StoreError> {
        // Hours are kept beside minutes, for longer.
        let statement = "SELECT at - at % $5 AS step, version, CAST(SUM(count) AS BIGINT) AS count FROM checks \
                         WHERE app_id = $1 AND group_id = $2 AND at >= $3 AND at < $4 \
                         AND resolution = CASE WHEN $5 >= 3600000 THEN 3600 ELSE 60 END GROUP BY 1, 2 ORDER BY 1, 2";
        let read = |row: &Row| {
            let (at, version) = (row.time("step")?, row.text("version")?);
            Ok(TimedCount { at, version, count: count(row)? })
        };
        self.over_time(statement, app, group, span, read).await
    }

    /// Events over time, by version, type and result.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_over_time(
        &self,
        app: &AppId,
        group: &GroupId,
        span: Span,
    ) -> Result<Vec<TimedEventCount>, StoreError> {
        let statement = "SELECT at - at % $5 AS step, version, event_type, event_result, COUNT(*) AS count FROM events \
                         WHERE app_id = $1 AND group_id = $2 AND at >= $3 AND at < $4 AND event_type IS NOT NULL \
                         AND event_result IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
        let read = |row: &Row| {
            Ok(TimedEventCount {
                at: row.time("step")?,
                version: row.text("version")?,
                event_type: row.number("event_type")?,
                event_result: row.number("event_result")?,
                count: count(row)?,
            })
        };
        self.over_time(statement, app, group, span, read).await
    }

    /// What machines of a group came to do over time: how many came into each status per step (`version` is the status's name).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statuses_over_time(
        &self,
        app: &AppId,
        group: &GroupId,
        span: Span,
    ) -> Result<Vec<TimedCount>, StoreError> {
        let statement = "SELECT at - at % $5 AS step, status, COUNT(*) AS count FROM events \
                         WHERE app_id = $1 AND group_id = $2 AND at >= $3 AND at < $4 GROUP BY 1, 2 ORDER BY 1, 2";
        let read = |row: &Row| {
            let (at, version) = (row.time("step")?, status(row)?.to_string());
            Ok(TimedCount { at, version, count: count(row)? })
        };
        self.over_time(statement, app, group, span, read).await
    }

    /// How many bytes the database takes; with SQLite without its log, which is written over again and again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn size(&self) -> Result<u64, StoreError> {
        let statement = match self.kind {
            Kind::Sqlite => {
                "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()"
            }
            Kind::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
        };
        let row = single(sql!(statement), &self.pool, "measure the database").await?;
        Ok(row.number("bytes")?.try_into().unwrap_or_default())
    }

    /// Counts of an application or a group (`$1`, `$2`) since a time (`$3`).
    async fn counted<T>(
        &self,
        statement: &'static str,
        app: &AppId,
        group: Option<&GroupId>,
        from: Timestamp,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let group = group.map(GroupId::as_str).unwrap_or_default();
        let query = sql!(statement, app.as_str(), group, millis(from));
        all(query, &self.pool, "count").await?.iter().map(read).collect()
    }

    /// Counts of a group (`$1`, `$2`) from a time (`$3`) until another (`$4`) in steps (`$5`).
    async fn over_time<T>(
        &self,
        statement: &'static str,
        app: &AppId,
        group: &GroupId,
        span: Span,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (from, until) = (millis(span.from), millis(span.until));
        let query = sql!(statement, app.as_str(), group.as_str(), from, until, span.step_millis());
        all(query, &self.pool, "count over time").await?.iter().map(read).collect()
    }
}
