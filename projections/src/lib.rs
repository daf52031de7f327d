//! Folds the log into tables, and answers from them. Nothing here decides, and nothing here writes a fact: any of the
//! tables can be dropped and folded again.
//!
//! A new projection is a file with its fold and its questions, its tables in `schema/migrations/02xx`, and a line in `all`.

pub mod artifacts;
mod batch;
pub mod blocks;
mod column;
mod copy;
pub mod costs;
pub mod counters;
mod cursor;
pub mod drift;
mod fold;
pub mod metrics;
pub mod past;
pub mod position;
pub mod projector;
pub mod rebuild;
pub mod runs;
mod shape;
mod stage_times;
pub mod stages;
pub mod status;

pub use cursor::BadCursor;
pub use fold::FoldError;
pub use projector::{Projector, ProjectorError};
pub use status::{BlockStatus, RunStatus};

/// The projector's name among the log's followers.
pub const FOLLOWER: &str = "projector";

/// A table that is folded from the log, and how two versions of it are compared.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    pub table: &'static str,
    /// Key, fresh and stored of rows where the temporary table and the serving one differ; $1 is a tenant or null.
    pub(crate) differences: &'static str,
}

macro_rules! projection {
    ($table:literal, $key:literal) => {
        crate::Projection {
            table: $table,
            differences: concat!(
                "with fresh as (select ",
                $key,
                " as key, to_jsonb(t) as row from pg_temp.",
                $table,
                " t),
                 stored as (select ",
                $key,
                " as key, to_jsonb(t) as row from public.",
                $table,
                " t
                            where $1::text is null or tenant_id = $1)
                 select key, fresh.row as fresh, stored.row as stored from fresh full join stored using (key)
                 where fresh.row is distinct from stored.row order by key limit 100"
            ),
        }
    };
}
pub(crate) use projection;

/// Every projection.
pub fn all() -> [Projection; 5] {
    [runs::PROJECTION, blocks::PROJECTION, artifacts::PROJECTION, metrics::PROJECTION, counters::PROJECTION]
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    #[error("an offset goes up to {most}: use `cursor` beyond")]
    Offset { most: u32 },
    #[error(
        "more than {most} runs match: narrow the filter, or sort by created, started, completed, status, sector or name"
    )]
    TooManyToSort { most: u32 },
    #[error("the read tables' database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] luci_schema::log::LogError),
}
