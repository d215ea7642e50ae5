//! SQLite's log: commits append to it, and from time to time what it holds is moved to its place in the database.
//!
//! SQLite does that in the commit that finds the log long enough, which waits for it, and with it the checks of a batch. So
//! somebody else does it beside them ([`Store::checkpoint`]), and a commit only when nobody does.

use super::{
    Kind, Store, StoreError,
    sql::{single, sql},
};

/// A commit that finds so many pages in the log moves them itself; 64 MiB.
pub(super) const PAGES_OF_A_COMMIT: u32 = 16_384;

/// A log of so many pages is begun anew; 16 MiB.
const LONG: i64 = 4096;

/// Commits wait while the last pages are moved and the log is begun anew; it should be so few.
const FEW: i64 = 512;

/// How often the log is moved, with more coming in the meantime, until what is left is taken for few.
const ROUNDS: u32 = 4;

impl Store {
    /// Moves what SQLite has logged to its place, beside commits that go on. Nothing is to be done for PostgreSQL.
    ///
    /// # Errors
    /// When the database does not do it. Nothing is lost: the log grows until it can be moved.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        if self.kind != Kind::Sqlite {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            let (pages, left) = self.move_log("PRAGMA wal_checkpoint(PASSIVE)").await?;
            if pages < LONG {
                return Ok(());
            }
            if left <= FEW {
                break;
            }
        }
        self.move_log("PRAGMA wal_checkpoint(RESTART)").await.map(drop)
    }

    /// How many pages the log has, and how many of them are not in their place yet.
    async fn move_log(&self, statement: &'static str) -> Result<(i64, i64), StoreError> {
        let row = single(sql!(statement), &self.pool, "move the log to its place").await?;
        let pages = row.number("log")?;
        Ok((pages, pages - row.number("checkpointed")?))
    }
}
