//! Projections: folds of the log into read tables, and the queries on those tables. Nothing here decides or appends: every
//! read table can be dropped and folded again.
//!
//! A new projection is a folder (`fold`, `table`, `query`), a migration that calls `read_add`, and its line in `all` (beside
//! its `mod`).

pub mod artifacts;
pub mod blocks;
mod column;
pub mod counters;
mod cursor;
pub mod drift;
mod fold;
pub mod metrics;
mod numbers;
pub mod position;
pub mod projector;
pub mod rebuild;
mod run_state;
pub mod runs;
mod shadow_copy;
pub mod status;

pub use cursor::BadCursor;
pub use fold::FoldError;
pub use projector::{Projector, ProjectorError};
pub use runs::{activity, costs, past};
pub use status::{BlockStatus, RunStatus};

/// Every projection, in the order in which a batch is loaded and written: a run's row says which of its blocks are new.
pub fn all() -> &'static [Projection] {
    &[
        runs::PROJECTION,      // pipeline_runs
        blocks::PROJECTION,    // block_executions
        artifacts::PROJECTION, // artifacts
        metrics::PROJECTION,   // run_metrics
        counters::PROJECTION,  // run_counters
    ]
}

/// A read table and the fold that keeps it. The table's key, columns and indexes are in its migration alone.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    /// As in the SQL table `read_tables`.
    pub table: &'static str,
    pub(crate) fold: fn() -> Box<dyn fold::Fold>,
}

/// The projector's name in `log.followers`.
pub const FOLLOWER: &str = "projector";

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
