//! Classifies the errors of the append statement.

use sqlx::{Error, PgConnection};

use super::statement::{self, RECEIPT_KEY, REFUSED};
use crate::Position;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AppendFailure {
    /// Another process was first: reload and decide again.
    Conflict,
    /// The events' partition does not exist yet.
    NoPartition,
    /// The connection is lost; the append may be in the log.
    Disconnected,
    /// Postgres rejects it because of a member of the batch.
    Rejected,
}

/// Whether the database is or was unreachable; the same statement may succeed later.
pub fn is_disconnected(error: &Error) -> bool {
    append_failure(error) == AppendFailure::Disconnected
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
        REFUSED | "40001" | "40P01" => AppendFailure::Conflict,
        "23505" if database.constraint().is_some_and(is_conflict) => AppendFailure::Conflict,
        "23514" if database.constraint().is_none() => AppendFailure::NoPartition,
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

/// The position of the event that an append ran into.
pub(super) async fn past_head(c: Option<&mut PgConnection>, error: &Error) -> Option<Position> {
    if is_past_head(error) { statement::beyond_head(c?).await.ok().flatten() } else { None }
}

/// The receipts' key or a partition's (stream, version): another process was first.
fn is_conflict(constraint: &str) -> bool {
    constraint == RECEIPT_KEY || constraint.ends_with("_stream")
}

/// A copy with the same text and class, since `sqlx::Error` is not `Clone`.
pub(super) fn cloned_error(error: &Error) -> Error {
    match append_failure(error) {
        AppendFailure::Disconnected => Error::Io(std::io::Error::other(error.to_string())),
        AppendFailure::Conflict | AppendFailure::NoPartition | AppendFailure::Rejected => {
            Error::Protocol(error.to_string())
        }
    }
}
