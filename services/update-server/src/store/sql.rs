//! Small helpers around rows and statements.

use jiff::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use super::StoreError;
use crate::clock::time;

/// A statement with its values.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        sqlx::query($text)$(.bind($value))*
    };
}
pub(crate) use sql;

/// A statement with its values, before it has run.
pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// All rows of a query.
pub(crate) async fn all<'c, E>(
    query: Query<'_>,
    on: E,
    what: &'static str,
) -> Result<Vec<Row>, StoreError>
where
    E: sqlx::Executor<'c, Database = sqlx::Any>,
{
    let rows = query.fetch_all(on).await.map_err(StoreError::on(what))?;
    Ok(rows.into_iter().map(Row).collect())
}

/// The row of a query, if there is one.
pub(crate) async fn maybe<'c, E>(
    query: Query<'_>,
    on: E,
    what: &'static str,
) -> Result<Option<Row>, StoreError>
where
    E: sqlx::Executor<'c, Database = sqlx::Any>,
{
    Ok(query.fetch_optional(on).await.map_err(StoreError::on(what))?.map(Row))
}

/// The row of a query that always has one, such as a count.
pub(crate) async fn single<'c, E>(
    query: Query<'_>,
    on: E,
    what: &'static str,
) -> Result<Row, StoreError>
where
    E: sqlx::Executor<'c, Database = sqlx::Any>,
{
    query.fetch_one(on).await.map(Row).map_err(StoreError::on(what))
}

/// Runs a statement; how many rows it changed.
pub(crate) async fn run<'c, E>(
    query: Query<'_>,
    on: E,
    what: &'static str,
) -> Result<u64, StoreError>
where
    E: sqlx::Executor<'c, Database = sqlx::Any>,
{
    query.execute(on).await.map(|done| done.rows_affected()).map_err(StoreError::on(what))
}

/// Typed access to the columns of a row.
pub(crate) struct Row(pub(crate) AnyRow);

impl Row {
    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.0.try_get(column).map_err(StoreError::on("read a row"))
    }

    pub(crate) fn text_or_none(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.0.try_get(column).map_err(StoreError::on("read a row"))
    }

    pub(crate) fn number(&self, column: &'static str) -> Result<i64, StoreError> {
        self.0.try_get(column).map_err(StoreError::on("read a row"))
    }

    pub(crate) fn number_or_none(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.0.try_get(column).map_err(StoreError::on("read a row"))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.number(column)? != 0)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(time(self.number(column)?))
    }

    pub(crate) fn time_or_none(
        &self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.number_or_none(column)?.map(time))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|source| StoreError::Corrupt { column, source: source.into() })
    }
}

/// A truth value as the database holds it.
pub(crate) fn flag(value: bool) -> i64 {
    i64::from(value)
}

/// A time as the database holds it.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A number of bytes or seconds as the database holds it.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `$1, $2, …` in rows of `width`: the values of an insert of several rows.
pub(crate) fn placeholders(rows: usize, width: usize) -> String {
    let mut text = String::with_capacity(rows * width * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(row * width + column + 1).to_string());
        }
        text.push(')');
    }
    text
}

/// The rows that a text search shall find: `%` and `_` of the text mean themselves.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.to_lowercase().chars() {
        if matches!(char, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_over_all_rows() {
        assert_eq!(placeholders(2, 3), "($1,$2,$3), ($4,$5,$6)");
    }

    #[test]
    fn a_search_means_its_text() {
        assert_eq!(containing("Rack_7%"), "%rack!_7!%%");
    }
}
