//! What happens to a run as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events;
use crate::{Actor, ArtifactId, BlockId, BlueprintId, Counts, FailureCode, ImportId, RunId, SectorId, Stage};

events! {
    /// What happened to a run as a whole.
    RunEvent {
        Queued(Box<RunQueued>) = "run:queued",
        Started(RunStarted) = "run:started",
        Paused(RunPaused) = "run:paused",
        Resumed(RunResumed) = "run:resumed",
        Completed(RunCompleted) = "run:completed",
        Failed(RunFailed) = "run:failed",
        Cancelled(RunCancelled) = "run:cancelled",
        Deleted(RunDeleted) = "run:deleted",
    }
}

/// One entry of a blueprint: a name of the tenant's own, the stage, and the stage's settings (an object).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSpec {
    pub name: String,
    pub stage: Stage,
    #[serde(default)]
    pub config: Value,
}

/// Where a run's leads come from; read by its IMPORT stage only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RunInput {
    /// An uploaded CSV; `rows` were counted when the upload completed.
    Import { import_id: ImportId, object_path: String, size_bytes: u64, rows: u64 },
    /// The members of a sector that are not dnc, in lead-id order.
    Sector { sector_id: SectorId },
    /// The output artifacts that an earlier run recorded for a stage, in block order.
    Artifacts { run_id: RunId, stage: Stage },
    /// Leads that an API call brought, a lead a line.
    Leads { import_id: ImportId, object_path: String, leads: u64 },
    /// One artifact that a block of an earlier run put out.
    Artifact { run_id: RunId, artifact_id: ArtifactId, object_path: String, leads: u64 },
}

/// What to do with a row whose key another input's lead holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExisting {
    #[default]
    Attach,
    Skip,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunOptions {
    /// Leads a block at most, 1..=1000.
    pub block_size: u32,
    /// Blocks queued or running at once.
    pub window: u32,
    /// Leads the run takes at most; more is refused at the start, never cut.
    pub max_leads: u64,
    pub on_existing: OnExisting,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { block_size: 250, window: 8, max_leads: 2_000, on_existing: OnExisting::Attach }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerType {
    Manual,
    Automation,
    Webhook,
    Scheduled,
    Replay,
}

/// What the providers charged when the run was queued.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunPrices {
    /// Micro-dollars by `provider/unit`, for example `apollo/person_match`.
    pub units: BTreeMap<String, u64>,
    /// The most micro-dollars that one lead can cost in a stage; a stage that is not named costs nothing.
    pub most_per_lead: BTreeMap<Stage, u64>,
}

impl RunPrices {
    /// Whether none were pinned: runs that were queued before prices were.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.most_per_lead.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunQueued {
    pub pipeline_name: String,
    pub blueprint_id: BlueprintId,
    pub blueprint_version: u32,
    /// The pinned blueprint's stages that this run goes through, in order; the first is always IMPORT.
    pub stages: Vec<StageSpec>,
    pub input: RunInput,
    /// The import or sector at the root of the lineage: leads' ids derive from it, and its rows never count as existing.
    pub root_input_id: String,
    /// The first run of the lineage: the default campaign of its sends.
    pub root_run_id: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_name: Option<String>,
    /// Leads to read.
    pub total_leads: u64,
    pub options: RunOptions,
    /// Runs of this tenant that may be active at once, as set when this one was queued.
    pub active_runs: u32,
    pub triggered_by: Actor,
    pub trigger_type: TriggerType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_from_run_id: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
    #[serde(default, skip_serializing_if = "RunPrices::is_empty")]
    pub prices: RunPrices,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStarted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
}

/// Why a run was paused when no person asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The next block would have spent more than the run's budget.
    Budget,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPaused {
    /// Absent when an actor asked for the pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PauseReason>,
    /// Budget only: by how many micro-dollars what is spent, what blocks in flight may spend and what the next block may
    /// spend are over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_micros: Option<u64>,
}

/// A paused run goes on, or a failed one was taken up again by a retry or skip.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResumed {
    /// The run's budget from here on; absent when it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
}

/// A run's sums when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    pub total_leads: u64,
    pub processed_leads: u64,
    pub cost_micros: u64,
    pub stages: BTreeMap<Stage, Counts>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCompleted {
    pub summary: RunSummary,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunError {
    pub code: FailureCode,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_id: Option<BlockId>,
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFailed {
    pub error: RunError,
    pub summary: RunSummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCancelled {
    pub summary: RunSummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDeleted {}
