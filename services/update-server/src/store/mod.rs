//! The database: one type over SQLite and PostgreSQL, with the same SQL for both.
//!
//! Concepts:
//! - [`Store`]: everything that is kept. Its methods are grouped by noun, one file each.
//! - [`By`]: who changes something, from where and when. Every change writes the audit log in the same transaction.
//! - Rows are plain typed values ([`Application`], [`Group`], [`Channel`], [`Package`], [`Instance`], …).
//! - [`Catalog`]: applications, groups, channels and packages as one immutable value in memory; the generation in the database
//!   says when it is stale, so that two servers on one database see each other's changes.
//!
//! Only this module knows SQL.

mod activity;
mod apps;
mod backup;
mod catalog;
mod channels;
mod checkpoint;
pub(crate) mod checks;
mod error;
mod groups;
mod instances;
mod leases;
pub(crate) mod machines;
mod migrate;
mod packages;
mod rows;
mod sessions;
mod sql;
mod stats;
mod upstreams;
mod users;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use jiff::Timestamp;
use sqlx::{AnyPool, Connection as _, any::AnyPoolOptions};

pub use activity::{Activity, ActivityClass, ActivityFilter, AuditEntry, NewActivity, Severity};
pub use catalog::{Catalog, CatalogApp, CatalogChannel, CatalogGroup};
pub use error::StoreError;
pub use instances::{InstanceFilter, InstanceSort, SortOrder};
pub use leases::Lease;
pub use rows::{
    Application, Arch, Channel, Event, Floor, Group, Instance, Origin, Package, PackageFile,
    PackageKind, Page, Paged, Status, Upstream,
};
pub use stats::{EventCount, Span, StatusCount, TimedCount, TimedEventCount, VersionCount};
pub use users::{NewToken, Principal, Role, Scope, Token, User};

pub(crate) use activity::note;
pub(crate) use groups::locked;
pub(crate) use sql::{Row, flag};

/// How long a request waits for a connection. A database that is away costs each request this long before it is refused.
const ACQUIRE: Duration = Duration::from_secs(5);

/// How long the database may take to say that it is there.
const PING: Duration = Duration::from_secs(2);

/// Everything that the server keeps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: AnyPool,
    pub(crate) kind: Kind,
    pub(crate) cached: Arc<catalog::Cache>,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, one server.
    Sqlite,
    /// A server of its own; any number of update servers.
    Postgres,
}

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// A user's name, or `system`.
    pub who: String,
    /// The address that the request came from; empty for the server itself.
    pub address: String,
    /// When.
    pub at: Timestamp,
}

impl By {
    /// The server itself.
    pub fn system(at: Timestamp) -> Self {
        Self { who: "system".to_owned(), address: String::new(), at }
    }
}

impl Store {
    /// Opens a database by its URL (`sqlite:FILE`, `sqlite::memory:` for tests, `postgres://…`), and brings its tables to the
    /// present form. Two servers that start at once do that one after the other.
    ///
    /// # Errors
    /// When the URL names no database that is known, or the database refuses.
    pub async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let kind = match url.split(':').next() {
            Some("sqlite") => Kind::Sqlite,
            Some("postgres" | "postgresql") => Kind::Postgres,
            _ => return Err(StoreError::Url),
        };
        let memory = kind == Kind::Sqlite && url.contains(":memory:");
        let pool = AnyPoolOptions::new()
            // A database in memory is one per connection.
            .max_connections(if memory { 1 } else { connections.max(2) })
            .min_connections(u32::from(memory))
            .idle_timeout(if memory { None } else { Some(Duration::from_secs(600)) })
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE)
            // A server may be gone since a connection was last used; a file is not.
            .test_before_acquire(kind == Kind::Postgres)
            // A commit that fails for want of room can leave a connection of SQLite inside a transaction that is none any more.
            // Nothing could begin on it again.
            .before_acquire(|connection, _| {
                let fine = !connection.is_in_transaction();
                Box::pin(async move { Ok(fine) })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move { prepare(connection, kind).await })
            })
            .connect(&with_create(url, kind))
            .await
            .map_err(StoreError::on("open the database"))?;
        let store = Self { pool, kind, cached: Arc::default() };
        migrate::run(&store).await?;
        Ok(store)
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the database answers, and soon: who asks for readiness does not wait as long as a request may.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = sqlx::query("SELECT 1").fetch_one(&self.pool);
        let asked =
            tokio::time::timeout(PING, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        asked.map(drop).map_err(StoreError::on("reach the database"))
    }

    /// Ends all connections; what is under way ends first.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that may write. SQLite takes its lock at once: a reader that becomes a writer could fail half-way.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let begun = match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        };
        begun.map_err(StoreError::on("begin a transaction"))
    }
}

/// A transaction; it is rolled back when it is dropped.
pub(crate) type Tx = sqlx::Transaction<'static, sqlx::Any>;

/// Ends a transaction: it is durable when this returns.
pub(crate) async fn commit(tx: Tx) -> Result<(), StoreError> {
    tx.commit().await.map_err(StoreError::on("commit"))
}

async fn prepare(connection: &mut sqlx::AnyConnection, kind: Kind) -> Result<(), sqlx::Error> {
    let settings = match kind {
        // FULL: a grant that was answered is on the disk, even when the power fails.
        Kind::Sqlite => format!(
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = {};",
            checkpoint::PAGES_OF_A_COMMIT
        ),
        Kind::Postgres => {
            "SET timezone = 'UTC'; SET lock_timeout = '10s'; SET statement_timeout = '30s';"
                .to_owned()
        }
    };
    // All of it is ours.
    sqlx::raw_sql(sqlx::AssertSqlSafe(settings)).execute(connection).await.map(drop)
}

fn with_create(url: &str, kind: Kind) -> String {
    match kind {
        Kind::Sqlite if !url.contains("mode=") && !url.contains(":memory:") => {
            format!("{url}{}mode=rwc", if url.contains('?') { "&" } else { "?" })
        }
        _ => url.to_owned(),
    }
}
