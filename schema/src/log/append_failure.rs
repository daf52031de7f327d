//! Classifies the errors of the append statement.

use sqlx::{Error, postgres::PgDatabaseError};

use super::{
    AppendError,
    statement::{RECEIPT_KEY, REFUSED},
};
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

/// The error for the caller of an append.
pub(super) fn append_error(error: Error) -> AppendError {
    match taken_position(&error) {
        Some(position) => AppendError::Beyond(position),
        None => AppendError::Database(error),
    }
}

/// The position that is taken already, although positions are given out by the head alone.
fn taken_position(error: &Error) -> Option<Position> {
    let database = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let key = database.constraint().filter(|key| key.starts_with("events_") && key.ends_with("_pkey"));
    key.filter(|_| database.code() == "23505")?;
    // Key ("position")=(124) already exists.
    let position = database.detail()?.rsplit_once("=(")?.1.split_once(')')?.0;
    position.parse().ok().map(Position)
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
