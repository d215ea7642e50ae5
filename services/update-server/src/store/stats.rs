//! Counts, for pages and charts.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Row, Status, Store, StoreError,
    sql::{all, millis, signed, sql},
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
        let query = sql!(
            "SELECT version, COUNT(*) AS count FROM instances WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND last_seen >= $3 \
             GROUP BY version ORDER BY COUNT(*) DESC, version",
            app.as_str(),
            group.map(GroupId::as_str).unwrap_or_default(),
            millis(seen_from)
        );
        let rows = all(query, &self.pool, "count the versions").await?;
        rows.iter()
            .map(|row| Ok(VersionCount { version: row.text("version")?, count: count(row)? }))
            .collect()
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
        let query = sql!(
            "SELECT status, COUNT(*) AS count FROM instances WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND last_seen >= $3 \
             GROUP BY status ORDER BY status",
            app.as_str(),
            group.map(GroupId::as_str).unwrap_or_default(),
            millis(seen_from)
        );
        let rows = all(query, &self.pool, "count the instances").await?;
        let status = |row: &Row| Ok(Status::from_number(row.number("status")?).unwrap_or_default());
        rows.iter()
            .map(|row| Ok(StatusCount { status: status(row)?, count: count(row)? }))
            .collect()
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
        let resolution: i64 = if span.step >= 3600 { 3600 } else { 60 };
        let query = sql!(
            "SELECT at - at % $6 AS step, version, CAST(SUM(count) AS BIGINT) AS count FROM checks \
             WHERE app_id = $1 AND group_id = $2 AND resolution = $3 AND at >= $4 AND at < $5 GROUP BY 1, 2 ORDER BY 1, 2",
            app.as_str(),
            group.as_str(),
            resolution,
            millis(span.from),
            millis(span.until),
            span.step_millis()
        );
        let rows = all(query, &self.pool, "count the checks").await?;
        let timed = |row: &Row| {
            Ok(TimedCount {
                at: row.time("step")?,
                version: row.text("version")?,
                count: count(row)?,
            })
        };
        rows.iter().map(timed).collect()
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
        let query = sql!(
            "SELECT at - at % $5 AS step, version, event_type, event_result, COUNT(*) AS count FROM events \
             WHERE app_id = $1 AND group_id = $2 AND at >= $3 AND at < $4 AND event_type IS NOT NULL AND event_result IS NOT NULL \
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            app.as_str(),
            group.as_str(),
            millis(span.from),
            millis(span.until),
            span.step_millis()
        );
        let rows = all(query, &self.pool, "count the events").await?;
        let timed = |row: &Row| {
            Ok(TimedEventCount {
                at: row.time("step")?,
                version: row.text("version")?,
                event_type: row.number("event_type")?,
                event_result: row.number("event_result")?,
                count: count(row)?,
            })
        };
        rows.iter().map(timed).collect()
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
        let query = sql!(
            "SELECT at - at % $5 AS step, status, COUNT(*) AS count FROM events \
             WHERE app_id = $1 AND group_id = $2 AND at >= $3 AND at < $4 GROUP BY 1, 2 ORDER BY 1, 2",
            app.as_str(),
            group.as_str(),
            millis(span.from),
            millis(span.until),
            span.step_millis()
        );
        let rows = all(query, &self.pool, "count the events").await?;
        let timed = |row: &Row| {
            let status = Status::from_number(row.number("status")?).unwrap_or_default();
            Ok(TimedCount {
                at: row.time("step")?,
                version: status.to_string(),
                count: count(row)?,
            })
        };
        rows.iter().map(timed).collect()
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
        let query = sql!(
            "SELECT error_code, COUNT(*) AS count FROM events WHERE app_id = $1 AND ($2 = '' OR group_id = $2) AND at >= $3 \
             AND error_code IS NOT NULL GROUP BY error_code ORDER BY COUNT(*) DESC, error_code",
            app.as_str(),
            group.map(GroupId::as_str).unwrap_or_default(),
            millis(from)
        );
        let rows = all(query, &self.pool, "count the errors").await?;
        rows.iter()
            .map(|row| Ok(EventCount { error_code: row.number("error_code")?, count: count(row)? }))
            .collect()
    }
}
