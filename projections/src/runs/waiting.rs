//! Why a run is not moving, as data. Computed when read: most of the reasons depend on the clock.

use luci_schema::{Actor, BlockId, FailureCode, Micros, Stage, event::PauseReason};
use serde::Serialize;
use time::OffsetDateTime;

use super::RunRow;
use crate::{counters::RunCounts, stages::StageSum, status::RunStatus};

/// A released block that no worker has begun for this long waits for a worker.
const NO_WORKER_MICROS: i64 = 10_000_000;
/// A begun block without an end for this long waits for its provider.
const PROVIDER_MICROS: i64 = 30_000_000;

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Waiting {
    /// Somebody paused it; `because` is there when its budget did, with how much that is short of.
    Paused { by: Actor, at: String, because: Option<PauseReason>, missing_micros: Option<u64> },
    /// The tenant's slots are taken by other runs.
    Slot { active: u64, limit: u64 },
    /// A failed block: tried again at `retryAt`, or waiting for somebody to retry or skip it.
    Block { block_id: BlockId, stage: Stage, block_number: u32, code: FailureCode, retry_at: Option<String> },
    /// What the provider lets be asked for is used up until then; the block goes on by itself.
    ProviderBudget { provider: String, stage: Stage, until: String },
    /// Released blocks of this stage that nobody has begun.
    Worker { stage: Stage, since: String },
    /// Begun blocks whose provider has not answered; `until` when the wait for what was handed over ends.
    Provider { provider: String, stage: Stage, since: String, until: Option<String> },
}

/// `counts`: the tenant's runs, when known; the past of a run does not know them.
pub(crate) fn of(run: &RunRow, counts: Option<&RunCounts>, now: OffsetDateTime) -> Option<Waiting> {
    match run.status {
        RunStatus::Queued => slot(run, counts?),
        RunStatus::Paused => run.pause.as_ref().map(|p| Waiting::Paused {
            by: p.by,
            at: p.at.rfc3339(),
            because: p.reason,
            missing_micros: p.missing_micros,
        }),
        RunStatus::Running => running(run, Micros::from(now)),
        RunStatus::Failed => failed(run),
        RunStatus::Completed | RunStatus::Cancelled => None,
    }
}

fn slot(run: &RunRow, counts: &RunCounts) -> Option<Waiting> {
    let limit = u64::try_from(run.active_runs).unwrap_or(0);
    (counts.active() >= limit).then(|| Waiting::Slot { active: counts.active(), limit })
}

fn failed(run: &RunRow) -> Option<Waiting> {
    let block = run.failed_block.as_ref()?;
    Some(Waiting::Block {
        block_id: block.block_id,
        stage: block.stage,
        block_number: block.block_number,
        code: block.code,
        retry_at: block.retry_at.map(Micros::rfc3339),
    })
}

fn running(run: &RunRow, now: Micros) -> Option<Waiting> {
    let begun = |sum: &StageSum| sum.blocks.running > 0;
    if let Some(sum) = run.stages.iter().find(|sum| begun(sum)) {
        // Slow only if no block of the run has begun or ended for as long.
        let moved = run.stages.iter().filter_map(|sum| sum.times.started.max(sum.times.settled)).max()?;
        let provider = sum.provider.clone()?;
        return (now.0 - moved.0 > PROVIDER_MICROS).then(|| Waiting::Provider {
            provider,
            stage: sum.stage,
            since: moved.rfc3339(),
            until: None,
        });
    }
    if let Some(sum) = run.stages.iter().find(|sum| sum.blocks.pending > 0) {
        let moved = run.stages.iter().filter_map(|sum| sum.times.queued.max(sum.times.settled)).max()?;
        return (now.0 - moved.0 > NO_WORKER_MICROS)
            .then(|| Waiting::Worker { stage: sum.stage, since: moved.rfc3339() });
    }
    budget(run).or_else(|| failed(run))
}

fn budget(run: &RunRow) -> Option<Waiting> {
    let block = run.failed_block.as_ref().filter(|block| block.code == FailureCode::RateLimit)?;
    let provider = run.stages.iter().find(|sum| sum.stage == block.stage)?.provider.clone()?;
    Some(Waiting::ProviderBudget { provider, stage: block.stage, until: block.retry_at?.rfc3339() })
}
