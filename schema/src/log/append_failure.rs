//! Classifies the errors of the append statement.

use std::{borrow::Cow, time::Duration};

use sqlx::{Error, PgConnection};

use super::{
    head,
    statement::{OTHER_HISTORY, RECEIPT_KEY, REFUSED},
};
use crate::Position;

/// `lock_timeout`.
const LOCK_TIMEOUT: &str = "55P03";
/// `statement_timeout`.
const QUERY_CANCELLED: &str = "57014";

/// After this time the connection counts as lost, even if TCP has not noticed.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AppendFailure {
    /// Another process was first: reload and decide again.
    Conflict,
    /// The events' partition does not exist yet.
    NoPartition,
    /// The connection is lost; the append may be in the log.
    Disconnected,
    /// Another session held a lock for too long; nothing was appended.
    Blocked,
    /// The log is halted, or was restored to an earlier state under this process.
    Halted,
    /// Postgres rejects it because of a member of the batch.
    Rejected,
}

/// Whether the database is or was unreachable; the same statement may succeed later.
pub fn is_disconnected(error: &Error) -> bool {
    append_failure(error) == AppendFailure::Disconnected
}

/// Whether Postgres gave up because another session held a lock, or because the statement took too long.
pub fn is_blocked(error: &Error) -> bool {
    append_failure(error) == AppendFailure::Blocked
}

pub(super) fn append_failure(error: &Error) -> AppendFailure {
    let Some(database) = error.as_database_error() else {
        return match error {
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::WorkerCrashed
            | Error::PoolClosed
            | Error::PoolTimedOut => AppendFailure::Disconnected,
            _ => AppendFailure::Rejected,
        };
    };
    match database.code().as_deref().unwrap_or_default() {
        OTHER_HISTORY => AppendFailure::Halted,
        REFUSED | "40001" | "40P01" => AppendFailure::Conflict,
        "23505" if database.constraint().is_some_and(is_conflict) => AppendFailure::Conflict,
        "23514" if database.constraint().is_none() => AppendFailure::NoPartition,
        LOCK_TIMEOUT | QUERY_CANCELLED => AppendFailure::Blocked,
        // Shutdown, crash, startup, read-only standby; class 08 is connection exceptions.
        "57P01" | "57P02" | "57P03" | "25006" => AppendFailure::Disconnected,
        code if code.starts_with("08") => AppendFailure::Disconnected,
        _ => AppendFailure::Rejected,
    }
}

/// Whether an append ran into an event past the head. Postgres does not name its position: row-level security hides the values
/// of a key.
pub(super) fn is_past_head(error: &Error) -> bool {
    let key = error.as_database_error().and_then(|database| database.constraint());
    key.is_some_and(|key| key.starts_with("events_") && key.ends_with("_pkey"))
}

/// What Postgres says, without its code.
pub(super) fn message(error: &Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |database| database.message().to_owned())
}

/// The position of the event that an append ran into.
pub(super) async fn past_head(c: Option<&mut PgConnection>, error: &Error) -> Option<Position> {
    if is_past_head(error) { head::beyond_head(c?).await.ok().flatten() } else { None }
}

/// The receipts' key or a partition's (stream, version): another process was first.
fn is_conflict(constraint: &str) -> bool {
    constraint == RECEIPT_KEY || constraint.ends_with("_stream")
}

/// The result of a statement, or a lost connection when it takes too long.
pub(super) async fn with_timeout<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
    }
}

/// A copy with the same text and class, since `sqlx::Error` is not `Clone`.
pub(super) fn cloned_error(error: &Error) -> Error {
    match append_failure(error) {
        AppendFailure::Blocked => Error::Database(Box::new(Blocked(error.to_string()))),
        AppendFailure::Disconnected => Error::Io(std::io::Error::other(error.to_string())),
        AppendFailure::Conflict | AppendFailure::NoPartition | AppendFailure::Halted | AppendFailure::Rejected => {
            Error::Protocol(error.to_string())
        }
    }
}

/// A copy of a lock timeout.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Blocked(String);

impl sqlx::error::DatabaseError for Blocked {
    fn message(&self) -> &str {
        &self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(LOCK_TIMEOUT.into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
}
