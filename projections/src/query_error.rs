//! Why a query was not answered.

use crate::cursor::BadCursor;

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    #[error("an offset is at most {most}: use `cursor` beyond")]
    Offset { most: u32 },
    #[error(
        "more than {most} runs match: narrow the filter, or sort by created, started, completed, status, sector or name"
    )]
    TooManyToSort { most: u32 },
    #[error("read tables: database error: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] luci_schema::log::LogError),
}
