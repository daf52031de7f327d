//! One run with its stages, newest blocks and newest artifacts: as it is now, or as it was after an earlier event.

use luci_schema::{Position, Recorded, RunId, TenantId};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Run, StageAnswer, answer::stage_answers};
use crate::{
    artifacts::{self, Artifact, ArtifactFilter, ArtifactFold},
    blocks::{self, Block},
    counters,
    fold::Fold as _,
    fold_error::FoldError,
    numbers, position,
    query_error::QuestionError,
    run_state::{BlockRow, RunRow, RunState},
    runs::table,
    status::BlockStatus,
};

/// Most failed and running blocks of an answer; more are on the pages of `blocks::page`.
const OPEN: usize = 200;
/// Most other blocks.
const OTHERS: usize = 100;
/// Most artifacts.
const ARTIFACTS: usize = 50;

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
/// `None`: there are no events. A run of the past never waits for a slot: the tenant's other runs are not folded.
pub fn as_of(events: &[impl AsRef<Recorded>]) -> Result<Option<RunDetail>, FoldError> {
    let Some(last) = events.last().map(AsRef::as_ref) else { return Ok(None) };
    let (mut state, mut fold) = (RunState::default(), ArtifactFold::default());
    for event in events.iter().map(AsRef::as_ref) {
        let change = state.apply(event)?;
        fold.apply(event, change.as_ref())?;
    }
    let Some(row) = state.runs.into_values().next() else { return Ok(None) };
    let mut blocks: Vec<BlockRow> = state.blocks.into_values().collect();
    blocks.sort_by_key(|block| std::cmp::Reverse(block.sequence));
    let (mut open, mut others) = (0, 0);
    blocks.retain(|block| {
        let is_open = matches!(block.status, BlockStatus::Failed | BlockStatus::Running);
        let (taken, most) = if is_open { (&mut open, OPEN) } else { (&mut others, OTHERS) };
        *taken += 1;
        *taken <= most
    });
    let mut artifacts = fold.created;
    for (older, newer) in fold.superseded {
        if let Some(artifact) = artifacts.iter_mut().find(|a| a.artifact_id == older) {
            artifact.superseded_by = Some(newer);
        }
    }
    artifacts.sort_by_key(|a| std::cmp::Reverse(a.artifact_id));
    artifacts.truncate(ARTIFACTS);
    Ok(Some(detail(row, None, blocks, artifacts, last.position, last.recorded_at.date_time())))
}

fn detail(
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
