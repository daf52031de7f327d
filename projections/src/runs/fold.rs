//! Loads and writes the rows of runs.

use std::sync::Arc;

use luci_schema::Recorded;
use sqlx::PgConnection;

use super::table;
use crate::{
    fold::{Fold, TableFuture},
    run_state::RunState,
};

/// Loads and writes the runs of `RunState`, which folds them.
#[derive(Debug)]
pub(super) struct RunFold;

impl Fold for RunFold {
    fn load<'a>(
        &'a mut self,
        c: &'a mut PgConnection,
        runs: &'a mut RunState,
        batch: &'a [Arc<Recorded>],
    ) -> TableFuture<'a> {
        Box::pin(async move {
            let missing = runs.missing_runs(batch);
            if !missing.is_empty() {
                runs.runs.extend(table::load(c, &missing).await?.into_iter().map(|row| (row.run_id, row)));
            }
            Ok(())
        })
    }

    fn write<'a>(&'a self, c: &'a mut PgConnection, runs: &'a RunState) -> TableFuture<'a> {
        Box::pin(async move {
            let changed = runs.changed_runs();
            if changed.is_empty() { Ok(()) } else { table::write(c, &changed).await }
        })
    }
}
