//! One batch into the tables: load the rows that memory lacks, fold, write each changed row once. The caller opened the
//! transaction and set `search_path` to the version that is meant.

use luci_schema::Recorded;
use sqlx::PgConnection;

use crate::{
    artifacts, blocks,
    fold::Fold,
    metrics::{self, MetricsRow},
    projector::ProjectorError,
    runs,
};

pub(crate) async fn fold_into(
    c: &mut PgConnection,
    fold: &mut Fold,
    events: &[impl AsRef<Recorded>],
) -> Result<(), ProjectorError> {
    load(c, fold, events).await?;
    for event in events {
        fold.apply(event.as_ref())?;
    }
    Ok(write(c, fold).await?)
}

async fn load(c: &mut PgConnection, fold: &mut Fold, events: &[impl AsRef<Recorded>]) -> Result<(), sqlx::Error> {
    let missing = fold.missing_runs(events);
    if !missing.is_empty() {
        let rows = runs::load(&mut *c, &missing).await?;
        fold.runs.extend(rows.into_iter().map(|row| (row.run_id, row)));
    }
    let missing = fold.missing_blocks(events);
    if !missing.is_empty() {
        let rows = blocks::load(&mut *c, &missing).await?;
        fold.blocks.extend(rows.into_iter().map(|row| (row.block_id, row)));
    }
    let missing = fold.missing_tenants(events);
    if !missing.is_empty() {
        fold.counters.load(&mut *c, &missing).await?;
    }
    Ok(())
}

async fn write(c: &mut PgConnection, fold: &Fold) -> Result<(), sqlx::Error> {
    let changed: Vec<_> = fold.changed_runs.iter().filter_map(|id| fold.runs.get(id)).collect();
    if !changed.is_empty() {
        runs::write(&mut *c, &changed).await?;
        let metrics: Vec<_> = changed.iter().map(|run| MetricsRow::of(run)).collect();
        metrics::write(&mut *c, &metrics).await?;
    }
    let changed: Vec<_> = fold.changed_blocks.iter().filter_map(|id| fold.blocks.get(id)).collect();
    if !changed.is_empty() {
        blocks::write(&mut *c, &changed).await?;
    }
    if !fold.artifacts.is_empty() {
        artifacts::write(&mut *c, &fold.artifacts).await?;
    }
    if !fold.superseded.is_empty() {
        artifacts::supersede(&mut *c, &fold.superseded).await?;
    }
    fold.counters.write(c).await
}
