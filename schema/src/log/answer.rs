//! Answers the callers of a batch that failed.

use sqlx::Error;

use super::{
    append::AppendError,
    append_failure::{cloned_error, message},
    appender::Pending,
};
use crate::Position;

/// The log is halted, or is not the one that this process knows.
pub(super) fn halted(members: Vec<Pending>, error: &Error) {
    let reason = message(error);
    tracing::error!(reason, appends = members.len(), "append refused, log halted");
    for pending in members {
        // Fails only when the caller has dropped its future.
        let _ = pending.answer.send(Err(AppendError::Halted(reason.clone())));
    }
}

/// `beyond`: the position of an event past the head, which is the cause.
pub(super) fn fail(members: Vec<Pending>, error: Error, beyond: Option<Position>) {
    let streams: Vec<String> = members.iter().map(|pending| pending.append.stream.to_string()).take(10).collect();
    tracing::error!(%error, appends = members.len(), ?streams, "append failed");
    let mut error = Some(error);
    let count = members.len();
    for (index, pending) in members.into_iter().enumerate() {
        let each = match &error {
            Some(error) if index + 1 < count => cloned_error(error),
            _ => match error.take() {
                Some(error) => error,
                None => return,
            },
        };
        let _ = pending.answer.send(Err(beyond.map_or(AppendError::Database(each), AppendError::Beyond)));
    }
}
