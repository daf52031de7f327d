//! Problems for errors of the log and of Postgres.

use http::{StatusCode, header};
use luci_schema::log::{AppendError, LogError, is_blocked, is_disconnected};

use super::Problem;

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_disconnected(&error) {
            tracing::warn!(%error, "database unreachable");
            return Self::unavailable("The database does not respond.");
        }
        if is_blocked(&error) {
            tracing::warn!(%error, "database blocked");
            return Self::unavailable("The database is busy: another session holds a lock for too long.");
        }
        Self::internal(&error)
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { actual } => Self::version_mismatch(actual),
            AppendError::NotFound => Self::not_found("entity"),
            AppendError::AlreadyDone(_) => {
                Self::new(StatusCode::CONFLICT, "carried-out-now", "The same command was executed concurrently")
                    .detail("Retry to receive its response.")
                    .header(header::RETRY_AFTER, "1")
            }
            damage @ AppendError::Beyond(_) => {
                tracing::error!(error = %damage, "append refused");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "log-damaged", "The log is damaged")
                    .detail(format!("{damage}; nothing can be recorded before it is removed."))
            }
            AppendError::Halted(reason) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "log-halted", "Nothing can be recorded now")
                    .detail(format!("An operator must decide first: {reason}."))
            }
            AppendError::Database(error) => error.into(),
            AppendError::TooLarge { bytes, most, .. } => Self::event_too_large(bytes, most),
            error => Self::internal(&error),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            damage if damage.is_damage() => Self::damaged(&damage),
            LogError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
