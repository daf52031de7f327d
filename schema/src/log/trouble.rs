//! What a failed append statement means: who is to try again, and who is to blame.

use sqlx::Error;

use super::statement::{RECEIPT_KEY, REFUSED};

/// Four ways to fail, four ways to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Somebody else was first: look again and decide again.
    Overtaken,
    /// The partition that the events belong to is not made yet.
    NoPartition,
    /// The connection is gone, and whether the append is in the log is not known.
    Disconnected,
    /// Postgres will not have it: a member of the batch is at fault.
    Refused,
}

/// Whether the database went away, or was not there: what was asked of it may be asked again soon.
pub fn is_disconnected(error: &Error) -> bool {
    trouble(error) == Trouble::Disconnected
}

pub(super) fn trouble(error: &Error) -> Trouble {
    let Some(database) = error.as_database_error() else {
        return match error {
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::WorkerCrashed
            | Error::PoolClosed
            | Error::PoolTimedOut => Trouble::Disconnected,
            _ => Trouble::Refused,
        };
    };
    match database.code().as_deref().unwrap_or_default() {
        REFUSED | "40001" | "40P01" => Trouble::Overtaken,
        "23505" if database.constraint().is_some_and(overtaken) => Trouble::Overtaken,
        "23514" if database.constraint().is_none() => Trouble::NoPartition,
        // Shutdown, crash, starting up; connection exceptions.
        "57P01" | "57P02" | "57P03" | "25006" => Trouble::Disconnected,
        code if code.starts_with("08") => Trouble::Disconnected,
        _ => Trouble::Refused,
    }
}

/// The receipt's key, or a partition's (stream, version): both say that another process was first.
fn overtaken(constraint: &str) -> bool {
    constraint == RECEIPT_KEY || constraint.ends_with("_stream")
}

/// An error for each of many: `sqlx::Error` cannot be cloned, its text and its being a connection's can.
pub(super) fn repeated(error: &Error) -> Error {
    match trouble(error) {
        Trouble::Disconnected => Error::Io(std::io::Error::other(error.to_string())),
        Trouble::Overtaken | Trouble::NoPartition | Trouble::Refused => Error::Protocol(error.to_string()),
    }
}
