//! The fold of all projections over a batch of events: load the rows that memory lacks, apply each event, write each
//! changed row once. No clock, no other input: the projector, a rebuild and the drift check give the same rows.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use luci_schema::{BlockId, Position, Recorded, RunId, StreamId};
use sqlx::PgConnection;

use crate::{
    Projection, all,
    projector::ProjectorError,
    run_state::{RunChange, RunState},
};

/// Reads or writes of a `Fold`. The connection's `search_path` is the version of the read tables that is meant.
pub(crate) type TableFuture<'a> = BoxFuture<'a, Result<(), sqlx::Error>>;

/// One projection's fold: its rows in memory, and which of them the current batch changed.
pub(crate) trait Fold: fmt::Debug + Send + Sync {
    /// Loads the rows that the batch needs and memory lacks.
    fn load<'a>(
        &'a mut self,
        _c: &'a mut PgConnection,
        _runs: &'a mut RunState,
        _batch: &'a [Arc<Recorded>],
    ) -> TableFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Folds one event; every event of the log comes here. `run` is what it did to its run, absent for an event of another
    /// stream. The default is for tables whose rows `RunState` holds.
    fn apply(&mut self, _event: &Recorded, _run: Option<&RunChange<'_>>) -> Result<(), FoldError> {
        Ok(())
    }

    /// Writes the rows that the batch changed.
    fn write<'a>(&'a self, c: &'a mut PgConnection, runs: &'a RunState) -> TableFuture<'a>;

    /// After the commit: forgets which rows changed, and rows that will hardly be needed again.
    fn settle(&mut self) {}
}

/// The folds of a list of projections, and the rows of runs and blocks that they share.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    runs: RunState,
    folds: Vec<Box<dyn Fold>>,
}

impl Folds {
    /// Of every projection, for an empty copy of the read tables.
    pub(crate) fn all() -> Self {
        Self::of(all().iter())
    }

    /// Of the projections whose serving table is complete. A table that was added to a log with history is not: it stays
    /// empty until a rebuild, since folding on from the middle would give wrong rows.
    pub(crate) async fn of_complete(c: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let complete = complete_tables(c).await?;
        Ok(Self::of(all().iter().filter(|projection| complete.iter().any(|table| table == projection.table))))
    }

    fn of<'a>(projections: impl Iterator<Item = &'a Projection>) -> Self {
        Self { runs: RunState::default(), folds: projections.map(|projection| (projection.fold)()).collect() }
    }

    /// Folds one batch inside the caller's transaction. After an error the folds hold rows of an unfinished batch: drop them.
    pub(crate) async fn fold(&mut self, c: &mut PgConnection, batch: &[Arc<Recorded>]) -> Result<(), ProjectorError> {
        for fold in &mut self.folds {
            fold.load(c, &mut self.runs, batch).await?;
        }
        for event in batch {
            let change = self.runs.apply(event)?;
            for fold in &mut self.folds {
                fold.apply(event, change.as_ref())?;
            }
        }
        for fold in &self.folds {
            fold.write(c, &self.runs).await?;
        }
        Ok(())
    }

    /// After the batch was committed.
    pub(crate) fn settle(&mut self) {
        self.runs.settle();
        self.folds.iter_mut().for_each(|fold| fold.settle());
    }
}

/// Read tables whose serving version holds every event since position 1, see migration 0500.
pub(crate) async fn complete_tables(c: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select name from public.read_tables where complete").fetch_all(c).await
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
