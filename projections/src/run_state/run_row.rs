//! The row of a run, and how the events of its stream change it.

use luci_schema::{
    Actor, BlockEvent, BlockId, BlueprintId, CorrelationId, FailureCode, Micros, Recorded, RunEvent, RunId, SectorId,
    Stage, TenantId,
    event::{PauseReason, RunError, RunQueued, RunSummary, RunTotals, TriggerType},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::stages::{self, StageSum};
use crate::{column::bigint, status::RunStatus};

/// Who paused a run, when, and the reason where the engine did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    pub by: Actor,
    pub at: Micros,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PauseReason>,
    /// How much the budget lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_micros: Option<u64>,
}

/// A failed block that the run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedBlock {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub code: FailureCode,
    /// When the clock retries it; absent when a person must decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Micros>,
}

/// Why the run failed, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFailure {
    pub error: RunError,
    pub at: Micros,
}

/// A row of `pipeline_runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
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
    pub created_at: OffsetDateTime,
    pub started_at: Option<OffsetDateTime>,
    /// When it completed, failed or was cancelled.
    pub completed_at: Option<OffsetDateTime>,
    pub deleted_at: Option<OffsetDateTime>,
    pub triggered_by: Actor,
    pub trigger_type: TriggerType,
    pub correlation_id: CorrelationId,
    pub parent_run_id: Option<RunId>,
    pub replayed_from_run_id: Option<RunId>,
    pub cost_micros: u64,
    pub budget_micros: Option<u64>,
    pub error: Option<RunFailure>,
    pub pause: Option<Pause>,
    pub failed_block: Option<FailedBlock>,
    pub active_runs: i32,
    /// Sequence of the newest block; a block with a greater sequence is new.
    pub blocks: i32,
    pub stages: Vec<StageSum>,
    pub version: i64,
    pub position: i64,
}

impl RunRow {
    pub(crate) fn queued(run_id: RunId, r: &Recorded, e: &RunQueued) -> Self {
        Self {
            run_id,
            tenant_id: r.tenant_id,
            sector_id: e.sector_id,
            sector_name: e.sector_name.clone(),
            pipeline_name: e.pipeline_name.clone(),
            blueprint_id: e.blueprint_id,
            blueprint_version: i32::try_from(e.blueprint_version).unwrap_or(i32::MAX),
            status: RunStatus::Queued,
            progress: 0,
            current_stage: None,
            total_leads: e.total_leads,
            processed_leads: 0,
            created_at: r.recorded_at.date_time(),
            started_at: None,
            completed_at: None,
            deleted_at: None,
            triggered_by: e.triggered_by,
            trigger_type: e.trigger_type,
            correlation_id: r.correlation_id,
            parent_run_id: e.parent_run_id,
            replayed_from_run_id: e.replayed_from_run_id,
            cost_micros: 0,
            budget_micros: e.budget_micros,
            error: None,
            pause: None,
            failed_block: None,
            active_runs: i32::try_from(e.active_runs).unwrap_or(i32::MAX),
            blocks: 0,
            stages: e.stages.iter().map(StageSum::new).collect(),
            version: bigint(r.version.0),
            position: bigint(r.position.0),
        }
    }

    /// The status that it counts under in `run_counters`: none once it is deleted.
    pub(crate) fn counts_as(&self) -> Option<RunStatus> {
        self.deleted_at.is_none().then_some(self.status)
    }

    pub(crate) fn apply(&mut self, r: &Recorded, event: &RunEvent) {
        let at = r.recorded_at;
        match event {
            // `RunState` creates the row from it.
            RunEvent::Queued(_) => {}
            RunEvent::Started(_) => {
                self.status = RunStatus::Running;
                self.started_at = Some(at.date_time());
                self.current_stage = stages::current(&self.stages);
            }
            RunEvent::Paused(e) => {
                self.status = RunStatus::Paused;
                self.pause = Some(Pause { by: r.actor, at, reason: e.reason, missing_micros: e.missing_micros });
            }
            RunEvent::Resumed(e) => {
                self.status = RunStatus::Running;
                self.budget_micros = e.budget_micros.or(self.budget_micros);
                self.pause = None;
                self.error = None;
                self.completed_at = None;
            }
            RunEvent::Completed(e) => {
                self.ended(RunStatus::Completed, at, &e.summary);
                self.progress = 100;
            }
            RunEvent::Failed(e) => {
                self.ended(RunStatus::Failed, at, &e.summary);
                self.error = Some(RunFailure { error: e.error.clone(), at });
            }
            RunEvent::Cancelled(e) => self.ended(RunStatus::Cancelled, at, &e.summary),
            RunEvent::Deleted(_) => self.deleted_at = Some(at.date_time()),
        }
    }

    fn ended(&mut self, status: RunStatus, at: Micros, summary: &RunSummary) {
        self.status = status;
        self.completed_at = Some(at.date_time());
        self.pause = None;
        self.total_leads = summary.total_leads;
        self.processed_leads = summary.processed_leads;
        self.cost_micros = summary.cost_micros;
    }

    /// What a block's event changes in its run, beside the sums of the stage.
    pub(crate) fn apply_block(&mut self, event: &BlockEvent) {
        let id = event.block_id();
        if self.failed_block.as_ref().is_some_and(|failed| failed.block_id == id) {
            self.failed_block = None;
        }
        match event {
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) => {}
            BlockEvent::Completed(e) => self.totals(&e.totals),
            BlockEvent::Failed(e) => {
                self.totals(&e.totals);
                self.failed_block.get_or_insert(FailedBlock {
                    block_id: id,
                    stage: e.stage,
                    block_number: e.block_number,
                    code: e.failure.code,
                    retry_at: e.retry_at_micros,
                });
            }
            BlockEvent::Skipped(e) => self.totals(&e.totals),
            BlockEvent::Cancelled(e) => self.totals(&e.totals),
        }
        self.current_stage = stages::current(&self.stages);
    }

    fn totals(&mut self, totals: &RunTotals) {
        self.processed_leads = totals.processed_leads;
        self.progress = i16::from(totals.progress);
        self.cost_micros = totals.cost_micros;
    }
}
