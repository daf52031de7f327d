//! A run and the sums of its stages as the API shows them.

use luci_schema::{
    Actor, BlockId, BlueprintId, CorrelationId, FailureCode, RunId, SectorId, Stage, TenantId, event::TriggerType,
};
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

use super::{Waiting, waiting};
use crate::{
    blocks::BlockMetrics,
    counters::RunCounts,
    numbers,
    run_state::{
        RunFailure, RunRow,
        stages::{self, BlockTally, StageSum},
    },
    status::RunStatus,
};

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFault {
    pub code: FailureCode,
    pub message: String,
    pub stage: Option<Stage>,
    pub block_id: Option<BlockId>,
    pub retryable: bool,
    pub details: BTreeMap<String, u64>,
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
}

impl From<RunFailure> for RunFault {
    fn from(failure: RunFailure) -> Self {
        let error = failure.error;
        Self {
            code: error.code,
            message: error.message,
            stage: error.stage,
            block_id: error.block_id,
            retryable: error.retryable,
            details: error.details,
            occurred_at: failure.at.date_time(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub run_id: RunId,
    pub tenant_id: TenantId,
    pub sector_id: Option<SectorId>,
    pub sector_name: Option<String>,
    pub pipeline_name: String,
    pub blueprint_id: BlueprintId,
    pub blueprint_version: i32,
    pub status: RunStatus,
    /// 0..=100
    pub progress: i16,
    pub current_stage: Option<Stage>,
    pub total_leads: u64,
    pub processed_leads: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
    pub duration_ms: Option<i64>,
    pub triggered_by: Actor,
    pub trigger_type: TriggerType,
    pub correlation_id: CorrelationId,
    pub parent_run_id: Option<RunId>,
    pub replayed_from_run_id: Option<RunId>,
    pub cost_micros: u64,
    pub budget_micros: Option<u64>,
    #[serde(serialize_with = "Waiting::serialize")]
    pub waiting_for: Option<Waiting>,
    pub error: Option<RunFault>,
    /// How far each stage is, in order: what a list draws without asking for the run.
    pub stages: Vec<StageStrip>,
    /// Version of the newest folded event in the run's stream, for `If-Match`.
    pub version: i64,
    /// Position of that event in the log.
    pub position: i64,
}

impl Run {
    pub(crate) fn new(row: RunRow, counts: Option<&RunCounts>, now: OffsetDateTime) -> Self {
        let waiting_for = waiting::of(&row, counts, now);
        Self {
            run_id: row.run_id,
            tenant_id: row.tenant_id,
            sector_id: row.sector_id,
            sector_name: row.sector_name,
            pipeline_name: row.pipeline_name,
            blueprint_id: row.blueprint_id,
            blueprint_version: row.blueprint_version,
            status: row.status,
            progress: row.progress,
            current_stage: row.current_stage,
            total_leads: row.total_leads,
            processed_leads: row.processed_leads,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            deleted_at: row.deleted_at,
            duration_ms: numbers::duration_ms(row.started_at, row.completed_at, now),
            triggered_by: row.triggered_by,
            trigger_type: row.trigger_type,
            correlation_id: row.correlation_id,
            parent_run_id: row.parent_run_id,
            replayed_from_run_id: row.replayed_from_run_id,
            cost_micros: row.cost_micros,
            budget_micros: row.budget_micros,
            waiting_for,
            error: row.error.map(RunFault::from),
            stages: strip(&row.stages),
            version: row.version,
            position: row.position,
        }
    }
}

/// One stage of a run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageStrip {
    pub stage: Stage,
    /// `pending`, `running`, `failed` (a block waits for a decision) or `completed`.
    pub status: &'static str,
    /// Leads of settled blocks.
    pub input: u64,
    pub output: u64,
    pub failed: u64,
}

fn strip(sums: &[StageSum]) -> Vec<StageStrip> {
    let of = |(sum, (_, finished)): (&StageSum, (_, bool))| StageStrip {
        stage: sum.stage,
        status: match (finished, sum.blocks.failed, sum.blocks.total()) {
            (true, ..) => "completed",
            (false, 0, 0) => "pending",
            (false, 0, _) => "running",
            (false, ..) => "failed",
        },
        input: sum.counts.input,
        output: sum.counts.output(),
        failed: sum.counts.failed,
    };
    sums.iter().zip(stages::totals(sums)).map(of).collect()
}

/// The sums of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageAnswer {
    pub stage: Stage,
    /// The blueprint's own name for it.
    pub name: String,
    /// Of the block that started last; absent before the first.
    pub provider: Option<String>,
    /// Absent until the stage before is finished.
    pub total_blocks: Option<u32>,
    pub blocks: BlockTally,
    /// All of its blocks are settled, and none can follow.
    pub finished: bool,
    pub metrics: BlockMetrics,
    pub output_count: u64,
    pub cost_micros: u64,
    /// Failed leads by code.
    pub failures: BTreeMap<FailureCode, u64>,
    /// Leads by warning.
    pub warnings: BTreeMap<String, u64>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
}

pub(crate) fn stage_answers(sums: &[StageSum]) -> Vec<StageAnswer> {
    let answer = |(sum, (total_blocks, finished)): (&StageSum, (Option<u32>, bool))| StageAnswer {
        stage: sum.stage,
        name: sum.name.clone(),
        provider: sum.provider.clone(),
        total_blocks,
        blocks: sum.blocks,
        finished,
        metrics: BlockMetrics::from(&sum.counts),
        output_count: sum.counts.output(),
        cost_micros: sum.cost_micros,
        failures: sum.failures.clone(),
        warnings: sum.warnings.clone(),
        started_at: sum.times.first_started.map(luci_schema::Micros::date_time),
        completed_at: sum.times.settled.filter(|_| finished).map(luci_schema::Micros::date_time),
    };
    sums.iter().zip(stages::totals(sums)).map(answer).collect()
}
