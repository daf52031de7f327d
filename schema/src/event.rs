//! The facts. An event's `data` is the RFC 8785 text of one struct of this file: camelCase, no floats, no personal data.
//!
//! Events are never rewritten: a new meaning is a new type, a new optional field is a new schema version.
//! What an event of a run carries beyond the bare fact (`totals`, `next`) was computed once by `decide`, so that
//! projections, dashboards and auditors need not compute it again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Actor, ActorId, ArtifactId, BlockId, BlueprintId, Counts, Failure, FailureCode, ImportId, KeyId, Micros, RunId,
    SectorId, Stage, json,
};

/// An event whose data does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("event {event_type} v{schema_version} cannot be read: {source}")]
pub struct DecodeError {
    pub event_type: String,
    pub schema_version: u16,
    source: serde_json::Error,
}

/// Any event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Run(RunEvent),
    Block(BlockEvent),
    Artifact(ArtifactEvent),
    Config(ConfigEvent),
    /// A type that this process does not know: a newer one wrote it.
    Unknown(String),
}

impl Event {
    /// `run:queued`
    pub fn type_name(&self) -> &str {
        match self {
            Self::Run(e) => e.type_name(),
            Self::Block(e) => e.type_name(),
            Self::Artifact(e) => e.type_name(),
            Self::Config(e) => e.type_name(),
            Self::Unknown(name) => name,
        }
    }

    /// Version of the shape of `data`, from 1.
    pub fn schema_version(&self) -> u16 {
        1
    }

    /// RFC 8785 text of the data.
    pub fn data(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Run(e) => e.data(),
            Self::Block(e) => e.data(),
            Self::Artifact(e) => e.data(),
            Self::Config(e) => e.data(),
            Self::Unknown(_) => Ok("{}".into()),
        }
    }

    /// Reads what `type_name` and `data` wrote.
    pub fn decode(event_type: &str, schema_version: u16, data: &str) -> Result<Self, DecodeError> {
        let known = RunEvent::decode(event_type, data)
            .map(|e| e.map(Self::Run))
            .or_else(|| BlockEvent::decode(event_type, data).map(|e| e.map(Self::Block)))
            .or_else(|| ArtifactEvent::decode(event_type, data).map(|e| e.map(Self::Artifact)))
            .or_else(|| ConfigEvent::decode(event_type, data).map(|e| e.map(Self::Config)));
        match known {
            Some(Ok(event)) => Ok(event),
            Some(Err(source)) => Err(DecodeError { event_type: event_type.into(), schema_version, source }),
            None => Ok(Self::Unknown(event_type.into())),
        }
    }

    /// The stage of a block event: the last token of its NATS subject.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Block(e) => Some(e.stage()),
            Self::Run(_) | Self::Artifact(_) | Self::Config(_) | Self::Unknown(_) => None,
        }
    }
}

macro_rules! events {
    ($(#[$doc:meta])* $group:ident { $($variant:ident($data:ty) = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $group { $($variant($data)),* }

        impl $group {
            /// Every type of this group.
            pub const TYPES: &[&str] = &[$($name),*];

            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),* }
            }
            /// RFC 8785 text of the data.
            pub fn data(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$variant(data) => json::canonical(data)),* }
            }
            fn decode(name: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                match name { $($name => Some(serde_json::from_str(data).map(Self::$variant)),)* _ => None }
            }
        }

        impl From<$group> for Event {
            fn from(event: $group) -> Self { Event::events_group(event) }
        }
    };
}

trait Group<T> {
    fn events_group(event: T) -> Self;
}
macro_rules! groups {
    ($($variant:ident($group:ty)),*) => {$(
        impl Group<$group> for Event { fn events_group(event: $group) -> Self { Self::$variant(event) } }
    )*};
}
groups!(Run(RunEvent), Block(BlockEvent), Artifact(ArtifactEvent), Config(ConfigEvent));

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

events! {
    /// What happened to one block of a run; the stream is the run's.
    BlockEvent {
        Queued(Box<BlockQueued>) = "block:queued",
        Started(BlockStarted) = "block:started",
        Completed(Box<BlockCompleted>) = "block:completed",
        Failed(Box<BlockFailed>) = "block:failed",
        Retried(BlockRetried) = "block:retried",
        Skipped(BlockSkipped) = "block:skipped",
        Cancelled(Box<BlockCancelled>) = "block:cancelled",
    }
}

events! {
    /// An artifact that no block made (a block's artifacts are in its completion).
    ArtifactEvent { Created(Box<Artifact>) = "artifact:created" }
}

events! {
    /// Changes of configuration, received webhooks and imports, each in the transaction of its table.
    ConfigEvent {
        TenantCreated(TenantCreated) = "tenant:created",
        TenantUpdated(TenantUpdated) = "tenant:updated",
        ActorCreated(ActorCreated) = "actor:created",
        KeyCreated(KeyCreated) = "key:created",
        KeyRevoked(KeyRevoked) = "key:revoked",
        ImportCompleted(Box<ImportCompleted>) = "import:completed",
        BlueprintPublished(BlueprintPublished) = "blueprint:published",
        SectorCreated(SectorCreated) = "sector:created",
    }
}

impl BlockEvent {
    pub fn stage(&self) -> Stage {
        match self {
            Self::Queued(e) => e.stage,
            Self::Started(e) => e.stage,
            Self::Completed(e) => e.stage,
            Self::Failed(e) => e.stage,
            Self::Retried(e) => e.stage,
            Self::Skipped(e) => e.stage,
            Self::Cancelled(e) => e.stage,
        }
    }

    pub fn block_id(&self) -> BlockId {
        match self {
            Self::Queued(e) => e.block_id,
            Self::Started(e) => e.block_id,
            Self::Completed(e) => e.block_id,
            Self::Failed(e) => e.block_id,
            Self::Retried(e) => e.block_id,
            Self::Skipped(e) => e.block_id,
            Self::Cancelled(e) => e.block_id,
        }
    }
}

// ---- runs ----

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
}

/// A paused run goes on, or a failed one was taken up again by a retry or skip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResumed {}

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

// ---- blocks ----

/// Where the next IMPORT block starts in its source. Opaque to all but the IMPORT block kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// CSV: byte offset of the next row in the object. Other sources: leads or artifacts read so far.
    pub offset: u64,
    /// CSV: 1-based line of the next row in the file. 0 elsewhere.
    pub line: u64,
    /// Leads read so far; the next lead is row `rows + 1`.
    pub rows: u64,
    /// Sector: the last lead id read. Artifacts: the last artifact id read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a block works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum BlockInput {
    /// IMPORT: up to `block_size` leads of the run's input from the cursor on.
    Source { cursor: Cursor },
    /// The leads of an artifact: an earlier block's output, or a block's own failed leads when it is retried.
    Artifact { artifact_id: ArtifactId, object_path: String, leads: u64 },
}

/// A block was released: this event, published, is the work item of the stage's workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockQueued {
    pub block_id: BlockId,
    pub stage: Stage,
    /// From 1 within the stage.
    pub block_number: u32,
    /// From 1 within the run.
    pub sequence: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_blocks: Option<u32>,
    /// The attempt that starts it will be greater; 0 when it never started.
    pub attempt: u32,
    pub retry_count: u32,
    /// For the extra blocks that carry a retried block's new successes on: the block that was retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<BlockId>,
    pub input: BlockInput,
    /// Id and time that the attempt's artifacts are named by, so that a repeated delivery writes the same keys.
    pub artifact_id: ArtifactId,
    pub unix: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockStarted {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    /// Fences every smaller one.
    pub attempt: u32,
    pub provider: String,
}

/// The run's sums after this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunTotals {
    /// Leads that have left the pipeline, through the last stage or failed in one.
    pub processed_leads: u64,
    /// 0..=100, never falls, 100 only when completed.
    pub progress: u8,
    pub cost_micros: u64,
}

/// An immutable object that a run made. `checksum` is SHA-256 in lower hex; NDJSON artifacts hold one lead a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    pub artifact_id: ArtifactId,
    /// `parsed`, `validated`, `rejected`, `enriched`, `skip-traced`, `scored`, `assigned`, `pushed` or `failed`.
    pub artifact_type: String,
    pub object_path: String,
    pub mime_type: String,
    pub size_bytes: u64,
    pub checksum: String,
    pub leads: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_artifact_ids: Vec<ArtifactId>,
}

/// What one attempt of a block did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockReport {
    /// Counts of this attempt alone.
    pub counts: Counts,
    /// Failed leads by code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureCode, u64>,
    /// Failed and skipped leads by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Leads by warning (`duplicate_existing`, `suppressed` …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    pub cost_micros: u64,
    /// Sum of the leads' scores (SCORE only), for the average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_sum: Option<u64>,
    /// The output artifact (of the stage's type) goes on to the next stage; `failed` and `rejected` do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// IMPORT only: where the next block starts; absent at the end of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockCompleted {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub attempt: u32,
    pub provider: String,
    pub started_at_micros: Micros,
    #[serde(flatten)]
    pub report: BlockReport,
    /// Counts over all attempts of the block.
    pub merged: Counts,
    pub totals: RunTotals,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockFailed {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub attempt: u32,
    pub provider: String,
    pub started_at_micros: Micros,
    pub failure: Failure,
    #[serde(flatten)]
    pub report: BlockReport,
    pub totals: RunTotals,
    /// When the clock retries it by itself; absent when a person must decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_micros: Option<Micros>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockRetried {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub retry_count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockSkipped {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub totals: RunTotals,
}

/// The block will not be carried out; a running one records what was done and spent until it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockCancelled {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<BlockReport>,
    pub totals: RunTotals,
}

// ---- configuration ----

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantCreated {
    pub name: String,
    pub slug: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantUpdated {
    pub active_runs: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorCreated {
    pub actor_id: ActorId,
    pub kind: String,
    pub role: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCreated {
    pub key_id: KeyId,
    pub actor_id: ActorId,
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_micros: Option<Micros>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRevoked {
    pub key_id: KeyId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportCompleted {
    pub import_id: ImportId,
    pub object_path: String,
    pub size_bytes: u64,
    pub checksum: String,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintPublished {
    pub blueprint_id: BlueprintId,
    pub name: String,
    pub version: u32,
    pub stages: Vec<StageSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorCreated {
    pub sector_id: SectorId,
    pub slug: String,
}
