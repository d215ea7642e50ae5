//! What can go wrong with what is kept.

use std::sync::Arc;

/// A reason why the store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL of the database is of no kind that is known. It is not shown: it may hold a password.
    #[error("the database URL begins with neither `sqlite:` nor `postgres:`")]
    Url,
    /// The database refused or could not be reached.
    #[error("cannot {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The disk of the database is full.
    #[error("cannot {what}: the disk of the database is full")]
    Full {
        /// What was tried.
        what: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The database was made by a newer server.
    #[error("the database has form {found}, and this server knows {known}; start a newer server")]
    TooNew {
        /// The form that was found.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// Something is not there.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// What it would be.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Something is there already.
    #[error("there is a {kind} `{name}` already")]
    Exists {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A change that would contradict something else.
    #[error("{kind} `{name}` {problem}")]
    Conflict {
        /// What should change.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why it cannot.
        problem: &'static str,
    },
    /// A value that makes no sense.
    #[error("`{value}` is no {what}")]
    Invalid {
        /// What it should be.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A policy that contradicts itself.
    #[error("the policy does not hold together")]
    Policy {
        /// Why.
        source: crate::policy::PolicyError,
    },
    /// The database holds something that this server did not write.
    #[error("the column `{column}` of the database holds what it should not")]
    Corrupt {
        /// Which column.
        column: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What several had asked for together went wrong.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// A backup could not be written.
    #[error("cannot write the backup `{path}`")]
    Backup {
        /// Where to.
        path: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What databases say when there is no room: `SQLITE_FULL`, `SQLITE_IOERR_SHMSIZE` (no room for the index of the log), and
/// `disk_full` of PostgreSQL.
const FULL: [&str; 3] = ["13", "4874", "53100"];

impl StoreError {
    pub(crate) fn on(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::failed(what, source)
    }

    fn failed(what: &'static str, source: sqlx::Error) -> Self {
        match &source {
            sqlx::Error::Database(error)
                if error.code().is_some_and(|code| FULL.contains(&code.as_ref())) =>
            {
                Self::Full { what, source }
            }
            _ => Self::Database { what, source },
        }
    }

    pub(crate) fn not_found(kind: &'static str, name: impl ToString) -> Self {
        Self::NotFound { kind, name: name.to_string() }
    }

    /// For an insert: a unique index that refuses means that the thing exists.
    pub(crate) fn on_insert(
        what: &'static str,
        kind: &'static str,
        name: &str,
    ) -> impl FnOnce(sqlx::Error) -> Self {
        let name = name.to_owned();
        move |source| match &source {
            sqlx::Error::Database(error) if error.is_unique_violation() => {
                Self::Exists { kind, name }
            }
            sqlx::Error::Database(error) if error.is_foreign_key_violation() => {
                Self::Conflict { kind, name, problem: "names something that does not exist" }
            }
            _ => Self::failed(what, source),
        }
    }

    /// For a deletion: a foreign key that refuses means that the thing is in use.
    pub(crate) fn on_delete(
        what: &'static str,
        kind: &'static str,
        name: &str,
    ) -> impl FnOnce(sqlx::Error) -> Self {
        let name = name.to_owned();
        move |source| match &source {
            sqlx::Error::Database(error) if error.is_foreign_key_violation() => {
                Self::Conflict { kind, name, problem: "is in use" }
            }
            _ => Self::failed(what, source),
        }
    }

    /// Whether there is no room on the disk of the database.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Shared(source) => source.is_full(),
            _ => matches!(self, Self::Full { .. }),
        }
    }

    /// Whether trying again later may help: the database is away or busy, or its disk is full. Nothing was kept.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Shared(source) => source.is_temporary(),
            _ => matches!(self, Self::Database { .. } | Self::Full { .. }),
        }
    }
}
