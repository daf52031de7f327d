//! Loads and writes the rows of blocks.

use std::sync::Arc;

use luci_schema::Recorded;
use sqlx::PgConnection;

use super::table;
use crate::{
    fold::{Fold, TableFuture},
    run_state::RunState,
};

/// Loads and writes the blocks of `RunState`, which folds them.
#[derive(Debug)]
pub(super) struct BlockFold;

impl Fold for BlockFold {
    fn load<'a>(
        &'a mut self,
        c: &'a mut PgConnection,
        runs: &'a mut RunState,
        batch: &'a [Arc<Recorded>],
    ) -> TableFuture<'a> {
        Box::pin(async move {
            let missing = runs.missing_blocks(batch);
            if !missing.is_empty() {
                runs.blocks.extend(table::load(c, &missing).await?.into_iter().map(|row| (row.block_id, row)));
            }
            Ok(())
        })
    }

    fn write<'a>(&'a self, c: &'a mut PgConnection, runs: &'a RunState) -> TableFuture<'a> {
        Box::pin(async move {
            let changed = runs.changed_blocks();
            if changed.is_empty() { Ok(()) } else { table::write(c, &changed).await }
        })
    }
}
