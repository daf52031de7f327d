//! The fold of all projections over a batch of events: load the rows that memory lacks, apply each event, write each
//! changed row once. No clock, no other input: the projector, a rebuild and the drift check give the same rows.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use luci_schema::Recorded;
use sqlx::PgConnection;

use crate::{
    fold_error::{FoldError, ProjectorError},
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

    /// After the commit: clears the list of changed rows, and drops rows that will hardly be needed again.
    fn settle(&mut self) {}
}

/// A read table and the fold that keeps it. The table's key, columns and indexes are in its migration alone.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    /// As in the SQL table `read_tables`.
    pub table: &'static str,
    pub(crate) fold: fn() -> Box<dyn Fold>,
}

/// The folds of a list of projections, and the rows of runs and blocks that they share.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    runs: RunState,
    folds: Vec<Box<dyn Fold>>,
}

impl Folds {
    /// Of every projection, for an empty copy of the read tables.
    pub(crate) fn all(projections: &[Projection]) -> Self {
        Self::of(projections.iter())
    }

    /// Of the projections whose serving table is complete. A table that was added to a log with history is not: it stays
    /// empty until a rebuild, since folding on from the middle would give wrong rows.
    pub(crate) async fn of_complete(c: &mut PgConnection, projections: &[Projection]) -> Result<Self, sqlx::Error> {
        let complete = complete_tables(c).await?;
        Ok(Self::of(projections.iter().filter(|projection| complete.iter().any(|table| table == projection.table))))
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
