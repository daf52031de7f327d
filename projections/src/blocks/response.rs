//! A block as the API shows it.

use luci_schema::{ArtifactId, BlockId, RunId, Stage};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    run_state::{BlockFault, BlockRow},
    status::BlockStatus,
};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMetrics {
    pub input_count: u64,
    pub processed_count: u64,
    pub success_count: u64,
    pub no_match_count: u64,
    pub failed_count: u64,
    pub skipped_count: u64,
    /// Success over processed in percent, one decimal.
    pub hit_rate: f64,
}

impl From<&luci_schema::Counts> for BlockMetrics {
    fn from(counts: &luci_schema::Counts) -> Self {
        Self {
            input_count: counts.input,
            processed_count: counts.processed(),
            success_count: counts.success,
            no_match_count: counts.no_match,
            failed_count: counts.failed,
            skipped_count: counts.skipped,
            hit_rate: crate::numbers::tenths(counts.hit_rate_tenths()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    pub block_id: BlockId,
    pub run_id: RunId,
    pub block_number: i32,
    /// Absent until the stage before is finished.
    pub total_blocks: Option<i32>,
    pub sequence: i32,
    pub stage_name: Stage,
    pub provider: Option<String>,
    pub status: BlockStatus,
    pub attempt: i32,
    pub retry_count: i32,
    pub retry_of: Option<BlockId>,
    pub metrics: BlockMetrics,
    pub output_count: u64,
    pub cost_micros: u64,
    pub input_artifact_id: Option<ArtifactId>,
    pub output_artifact_id: Option<ArtifactId>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    pub duration_ms: Option<i64>,
    /// Seconds, one decimal.
    pub duration: Option<f64>,
    pub error: Option<BlockFault>,
}

impl Block {
    pub(crate) fn new(row: BlockRow, now: OffsetDateTime) -> Self {
        let duration_ms = crate::numbers::duration_ms(row.started_at, row.completed_at, now);
        Self {
            metrics: BlockMetrics::from(&row.counts),
            output_count: if row.counted() { row.counts.output() } else { 0 },
            block_id: row.block_id,
            run_id: row.run_id,
            block_number: row.block_number,
            total_blocks: row.total_blocks,
            sequence: row.sequence,
            stage_name: row.stage,
            provider: row.provider,
            status: row.status,
            attempt: row.attempt,
            retry_count: row.retry_count,
            retry_of: row.retry_of,
            cost_micros: row.cost_micros,
            input_artifact_id: row.input_artifact_id,
            output_artifact_id: row.output_artifact_id,
            started_at: row.started_at,
            completed_at: row.completed_at,
            duration_ms,
            duration: duration_ms.map(crate::numbers::seconds),
            error: row.error,
        }
    }
}
