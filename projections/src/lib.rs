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
mod fold_error;
pub mod metrics;
mod numbers;
pub mod position;
pub mod projector;
mod query_error;
mod read_versions;
pub mod rebuild;
mod run_state;
pub mod runs;
mod shadow_copy;
pub mod snapshot;
pub mod status;

pub use cursor::BadCursor;
pub use fold::Projection;
pub use fold_error::{FoldError, ProjectorError};
pub use position::FOLLOWER;
pub use projector::Projector;
pub use query_error::QuestionError;
pub use read_versions::serving;
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
