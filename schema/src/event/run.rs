//! Events of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ObjectDigest, events};
use crate::{Actor, ArtifactId, BlockId, BlueprintId, Counts, FailureCode, ImportId, RunId, SectorId, Stage};

events! {
    /// Events of a run as a whole.
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

/// One entry of a blueprint: the tenant's own name, the stage, and the stage's settings (an object).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSpec {
    pub name: String,
    pub stage: Stage,
    #[serde(default)]
    pub config: Value,
}

/// The source of a run's leads; read only by its IMPORT stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RunInput {
    /// An uploaded CSV file; `rows` were counted when the upload completed.
    Import {
        import_id: ImportId,
        object_path: String,
        size_bytes: u64,
        rows: u64,
        /// SHA-256 of the file, lower hex; absent in events of older releases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checksum: Option<String>,
    },
    /// The members of a sector that are not dnc, in lead-id order.
    Sector { sector_id: SectorId },
    /// The output artifacts that an earlier run recorded for a stage, in block order.
    Artifacts { run_id: RunId, stage: Stage },
    /// Leads of an API call, one per line.
    Leads {
        import_id: ImportId,
        object_path: String,
        leads: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<ObjectDigest>,
    },
    /// One output artifact of an earlier run's block.
    Artifact {
        run_id: RunId,
        artifact_id: ArtifactId,
        object_path: String,
        leads: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<ObjectDigest>,
    },
}

/// What to do with a row whose key a lead of another input already has.
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
    /// Leads the run takes at most; a larger input is refused, never truncated.
    pub max_leads: u64,
    pub on_existing: OnExisting,
    #[serde(skip_serializing_if = "OnMissingProvider::is_refuse")]
    pub on_missing_provider: OnMissingProvider,
}

/// What happens when a stage's provider has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissingProvider {
    /// The run does not start. Without a key by the time a block asks, the block fails.
    #[default]
    Refuse,
    /// Its leads go on as skipped, with the reason `not_configured`.
    Skip,
}

impl OnMissingProvider {
    pub fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            block_size: 250,
            window: 8,
            max_leads: 2_000,
            on_existing: OnExisting::Attach,
            on_missing_provider: OnMissingProvider::Refuse,
        }
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

/// The providers' prices when the run was queued.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunPrices {
    /// Micro-dollars by `provider/unit`, for example `apollo/person_match`.
    pub units: BTreeMap<String, u64>,
    /// The most micro-dollars that one lead can cost in a stage; a stage that is not named costs nothing.
    pub most_per_lead: BTreeMap<Stage, u64>,
}

impl RunPrices {
    /// No prices are pinned, as in runs queued before prices were part of the event.
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
    /// The stages of this run, from the pinned blueprint, in order; the first is always IMPORT.
    pub stages: Vec<StageSpec>,
    pub input: RunInput,
    /// The import or sector at the root of the lineage: lead ids derive from it, and its rows never count as existing leads.
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
    /// The tenant's limit of active runs when this one was queued.
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

/// Why a run was paused without a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The next block could have exceeded the run's budget.
    Budget,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPaused {
    /// Absent when an actor paused the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PauseReason>,
    /// Budget only: micro-dollars by which the cost so far, what blocks in flight may spend and what the next block may spend
    /// together exceed the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_micros: Option<u64>,
}

/// A paused run was resumed, or a failed one by a retry or skip.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResumed {
    /// The run's new budget; absent when it is unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
}

/// A run's totals when it ended.
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
