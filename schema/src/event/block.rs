//! Events of blocks, and their artifacts and reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::events;
use crate::{ArtifactId, BlockId, Counts, Failure, FailureCode, Micros, ObjectDigest, Stage};

events! {
    /// Events of a block, in the stream of its run.
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
    /// An artifact that no block made; a block's artifacts are in its completion.
    ArtifactEvent { Created(Box<Artifact>) = "artifact:created" }
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

/// Where the next IMPORT block starts in its source; interpreted only by the IMPORT block kind.
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

/// The input of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum BlockInput {
    /// IMPORT: up to `block_size` leads of the run's input, from the cursor on.
    Source { cursor: Cursor },
    /// The leads of an artifact: an earlier block's output, or a block's own failed leads when it is retried.
    Artifact {
        artifact_id: ArtifactId,
        object_path: String,
        leads: u64,
        /// Of the object; absent in events of older releases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<ObjectDigest>,
    },
}

impl BlockInput {
    /// Whether both mean the same leads; one of them may be without a digest.
    pub fn same_leads(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Artifact { artifact_id, object_path, leads, digest },
                Self::Artifact { artifact_id: id, object_path: path, leads: number, digest: of_other },
            ) => {
                let same_digest = digest.is_none() || of_other.is_none() || digest == of_other;
                artifact_id == id && object_path == path && leads == number && same_digest
            }
            (Self::Source { .. } | Self::Artifact { .. }, _) => self == other,
        }
    }
}

impl Artifact {
    pub fn digest(&self) -> ObjectDigest {
        ObjectDigest { size_bytes: self.size_bytes, checksum: self.checksum.clone() }
    }
}

/// A block was queued; the published event is the work item of the stage's workers.
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
    /// The newest attempt so far; 0 when the block never started.
    pub attempt: u32,
    pub retry_count: u32,
    /// For the extra blocks that take a retried block's new output: the retried block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<BlockId>,
    pub input: BlockInput,
    /// Id and time in the keys of the block's artifacts. The keys also have the content's hash, so that an attempt that was
    /// superseded cannot overwrite the object of another.
    pub artifact_id: ArtifactId,
    pub unix: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockStarted {
    pub block_id: BlockId,
    pub stage: Stage,
    pub block_number: u32,
    /// Fences every smaller attempt.
    pub attempt: u32,
    pub provider: String,
}

/// The run's totals after this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunTotals {
    /// Leads that have left the pipeline, through the last stage or failed in one.
    pub processed_leads: u64,
    /// 0..=100, never falls, 100 only when completed.
    pub progress: u8,
    pub cost_micros: u64,
}

/// An immutable object of a run. `checksum` is SHA-256 in lower hex; NDJSON artifacts have one lead per line.
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

/// The report of one attempt of a block.
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
    /// The output artifact (of the stage's type) is the input of the next stage; `failed` and `rejected` are not.
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
    /// When the clock retries the block; absent when a person must decide.
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

/// The block was cancelled; a running one reports what was done and spent until it stopped.
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
