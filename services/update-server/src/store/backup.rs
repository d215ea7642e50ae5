//! A copy of the database while the server runs.

use camino::Utf8Path;

use super::{
    Kind, Store, StoreError,
    sql::{run, sql},
};

impl Store {
    /// Writes a consistent copy of a SQLite database into a new file; it is a database that `serve` opens. For PostgreSQL there
    /// is `pg_dump`.
    ///
    /// # Errors
    /// [`StoreError::Backup`] if the file exists or cannot be written, or the database is PostgreSQL.
    pub async fn backup(&self, path: &Utf8Path) -> Result<(), StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Backup {
            path: path.to_string(),
            source,
        };
        if self.kind == Kind::Postgres {
            return Err(failed("PostgreSQL is backed up with `pg_dump`".into()));
        }
        if path.exists() {
            return Err(failed("the file exists".into()));
        }
        run(sql!("VACUUM INTO $1", path.as_str()), &self.pool, "write the backup")
            .await
            .map(drop)
            .map_err(|error| failed(error.into()))
    }
}
