//! Why events could not be folded.

use luci_schema::{BlockId, Position, Recorded, RunId, StreamId, log::LogError};

/// Why the read tables could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error("read tables: database error: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}

impl ProjectorError {
    /// Whether a retry must fail too: the event itself cannot be folded or written.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Fold(_) | Self::Log(LogError::Hole { .. } | LogError::Beyond { .. } | LogError::Corrupt(_)) => true,
            Self::Log(error) if error.is_damage() => true,
            Self::Log(LogError::Database(_) | LogError::Fenced { .. }) => false,
            // Data that does not fit its column, or breaks a constraint.
            Self::Database(error) => {
                let code = error.as_database_error().and_then(|e| e.code());
                code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
        }
    }
}

/// An event that cannot be folded. The projector stops before it: going on would make the tables wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error("position {at}: {event_type} of {run} comes before its run:queued")]
    NoRun { at: Position, run: RunId, event_type: String },
    #[error("position {at}: {event_type} of {block} comes before its block:queued")]
    NoBlock { at: Position, block: BlockId, event_type: String },
    #[error("position {at}: {event_type} at version {found} of {run} must be the first event of its stream")]
    NotFirst { at: Position, run: RunId, event_type: String, found: u64 },
    #[error("position {at}: version {found} of {run} follows version {before}")]
    Version { at: Position, run: RunId, before: i64, found: u64 },
    #[error("position {at}: {event_type} of {stream} is of an unknown type: a newer process wrote it")]
    Unknown { at: Position, stream: StreamId, event_type: String },
    #[error("position {at}: {event_type} cannot be an event of {stream}")]
    Stream { at: Position, stream: StreamId, event_type: String },
    #[error("position {at}: {event_type} of {run} names a stage that its blueprint does not have")]
    NoStage { at: Position, run: RunId, event_type: String },
    #[error("position {at}: {event_type} of {stream} makes {count} negative")]
    Negative { at: Position, stream: StreamId, event_type: String, count: &'static str },
}

impl FoldError {
    pub(crate) fn unknown(r: &Recorded) -> Self {
        Self::Unknown { at: r.position, stream: r.stream_id, event_type: r.event_type.clone() }
    }

    /// `count` says which count, as in "a count of run_counters".
    pub(crate) fn negative(r: &Recorded, count: &'static str) -> Self {
        Self::Negative { at: r.position, stream: r.stream_id, event_type: r.event_type.clone(), count }
    }
}
