//! One run with its stages, newest blocks and newest artifacts: as it is now, or as it was after an earlier event.

use luci_schema::{Position, Recorded, RunId, TenantId};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{PastRun, Run, StageAnswer, answer::stage_answers};
use crate::{
    artifacts::{self, Artifact, ArtifactFilter},
    blocks::{self, Block},
    counters,
    fold_error::FoldError,
    numbers, position,
    query_error::QuestionError,
    run_state::{BlockRow, RunRow},
    runs::table,
};

/// Most failed and running blocks of an answer; more are on the pages of `blocks::page`.
pub(super) const OPEN: usize = 200;
/// Most other blocks.
pub(super) const OTHERS: usize = 100;
/// Most artifacts.
pub(super) const ARTIFACTS: usize = 50;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    pub run: Run,
    pub stages: Vec<StageAnswer>,
    /// Newest first.
    pub blocks: Vec<Block>,
    /// Newest first.
    pub artifacts: Vec<Artifact>,
    /// The position that the answer reflects.
    pub position: Position,
}

/// A run of the tenant, also when it is deleted. `None`: no such run of this tenant.
pub async fn get(c: &mut PgConnection, tenant: TenantId, run: RunId) -> Result<Option<RunDetail>, QuestionError> {
    let position = position::current(c).await?;
    let Some(row) = table::find(c, tenant, run).await? else { return Ok(None) };
    let counts = counters::get(c, tenant).await?;
    let open: u32 = row.stages.iter().map(|sum| sum.blocks.failed + sum.blocks.running).sum();
    let open = i64::from(open).min(i64::try_from(OPEN).unwrap_or(i64::MAX));
    let blocks = blocks::open_and_newest(c, tenant, run, open, i64::try_from(OTHERS).unwrap_or(i64::MAX)).await?;
    let newest = ArtifactFilter { limit: u32::try_from(ARTIFACTS).unwrap_or(0), ..ArtifactFilter::default() };
    let artifacts = artifacts::page(c, tenant, run, &newest).await?.artifacts;
    Ok(Some(detail(row, Some(&counts), blocks, artifacts, position, numbers::now())))
}

/// The run as it was after the last of `events`, which are its stream from version 1 on, in order.
/// `None`: there are no events.
pub fn as_of(events: &[impl AsRef<Recorded>]) -> Result<Option<RunDetail>, FoldError> {
    let mut past = PastRun::default();
    events.iter().try_for_each(|event| past.apply(event.as_ref()))?;
    Ok(past.detail())
}

pub(super) fn detail(
    row: RunRow,
    counts: Option<&counters::RunCounts>,
    blocks: Vec<BlockRow>,
    artifacts: Vec<Artifact>,
    position: Position,
    now: OffsetDateTime,
) -> RunDetail {
    let stages = stage_answers(&row.stages);
    let total = |block: &Block| stages.iter().find(|s| s.stage == block.stage_name).and_then(|s| s.total_blocks);
    let mut blocks: Vec<Block> = blocks.into_iter().map(|block| Block::new(block, now)).collect();
    for block in &mut blocks {
        block.total_blocks = block.total_blocks.or_else(|| i32::try_from(total(block)?).ok());
    }
    RunDetail { run: Run::new(row, counts, now), stages, blocks, artifacts, position }
}
