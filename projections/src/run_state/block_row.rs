//! The row of a block, and how its events change it.

use std::collections::BTreeMap;

use luci_schema::{
    ArtifactId, BlockEvent, BlockId, Counts, Failure, FailureCode, Recorded, RunId, Stage, TenantId,
    event::{BlockCancelled, BlockCompleted, BlockFailed, BlockInput, BlockQueued, BlockReport},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::artifact_version::ArtifactVersion;
use crate::{column::bigint, status::BlockStatus};

/// Why a block failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockFault {
    pub code: FailureCode,
    pub message: String,
    pub retryable: bool,
}

impl From<&Failure> for BlockFault {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code, message: failure.message.clone(), retryable: failure.retryable }
    }
}

/// What only some blocks have; the column is null when all of it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockDetail {
    /// Failed leads by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureCode, u64>,
    /// Failed and skipped leads of the newest attempt by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    pub score_sum: u64,
    /// Newest artifact and version of each type but the output's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<String, (ArtifactId, i32)>,
    /// When the clock retries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<luci_schema::Micros>,
    /// Counts of a failed retry of a completed block: they are merged when the block is skipped.
    #[serde(rename = "broken", skip_serializing_if = "Option::is_none")]
    pub failed_retry: Option<Counts>,
    /// A failed IMPORT block reported where the next one starts, so skipping it does not end the input.
    #[serde(rename = "readsOn", skip_serializing_if = "std::ops::Not::not")]
    pub has_next: bool,
}

/// A row of `block_executions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRow {
    pub block_id: BlockId,
    pub tenant_id: TenantId,
    pub run_id: RunId,
    pub block_number: i32,
    pub total_blocks: Option<i32>,
    pub sequence: i32,
    pub stage: Stage,
    pub provider: Option<String>,
    pub status: BlockStatus,
    pub attempt: i32,
    pub retry_count: i32,
    pub retry_of: Option<BlockId>,
    /// `input` is set when the block is queued, the others when it is settled. Over all attempts.
    pub counts: Counts,
    /// Over all attempts.
    pub cost_micros: u64,
    pub input_artifact_id: Option<ArtifactId>,
    pub output_artifact_id: Option<ArtifactId>,
    pub output_version: i32,
    pub completed_once: bool,
    pub queued_at: OffsetDateTime,
    pub started_at: Option<OffsetDateTime>,
    pub completed_at: Option<OffsetDateTime>,
    pub error: Option<BlockFault>,
    pub detail: BlockDetail,
    pub version: i64,
    pub position: i64,
}

fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl BlockRow {
    pub(crate) fn queued(run_id: RunId, r: &Recorded, e: &BlockQueued) -> Self {
        let (input_artifact_id, input) = match &e.input {
            BlockInput::Source { .. } => (None, 0),
            BlockInput::Artifact { artifact_id, leads, .. } => (Some(*artifact_id), *leads),
        };
        Self {
            block_id: e.block_id,
            tenant_id: r.tenant_id,
            run_id,
            block_number: int(e.block_number),
            total_blocks: e.total_blocks.map(int),
            sequence: int(e.sequence),
            stage: e.stage,
            provider: None,
            status: BlockStatus::Pending,
            attempt: int(e.attempt),
            retry_count: int(e.retry_count),
            retry_of: e.retry_of,
            counts: Counts { input, ..Counts::default() },
            cost_micros: 0,
            input_artifact_id,
            output_artifact_id: None,
            output_version: 0,
            completed_once: false,
            queued_at: r.recorded_at.date_time(),
            started_at: None,
            completed_at: None,
            error: None,
            detail: BlockDetail::default(),
            version: 0,
            position: 0,
        }
    }

    /// Whether its counts belong to the sums of its stage: a block that was never executed has an input only.
    pub(crate) fn counted(&self) -> bool {
        self.completed_once || (self.status.settled() && self.counts.balanced())
    }

    pub(crate) fn apply(&mut self, r: &Recorded, event: &BlockEvent) {
        let at = r.recorded_at.date_time();
        match event {
            BlockEvent::Queued(e) => self.requeue(at, e),
            BlockEvent::Started(e) => {
                self.status = BlockStatus::Running;
                self.attempt = int(e.attempt);
                self.provider = Some(e.provider.clone());
                self.started_at = Some(at);
                self.completed_at = None;
            }
            BlockEvent::Completed(e) => self.completed(at, e),
            BlockEvent::Failed(e) => self.failed(at, e),
            BlockEvent::Retried(e) => {
                self.retry_count = int(e.retry_count);
                self.reset();
            }
            BlockEvent::Skipped(_) => {
                self.status = BlockStatus::Skipped;
                self.completed_at = Some(at);
                self.detail.retry_at = None;
                if let Some(retried) = self.detail.failed_retry.take() {
                    self.merge(retried);
                }
            }
            BlockEvent::Cancelled(e) => self.cancelled(at, e),
        }
        self.version = bigint(r.version.0);
        self.position = bigint(r.position.0);
    }

    fn requeue(&mut self, at: OffsetDateTime, e: &BlockQueued) {
        self.queued_at = at;
        self.attempt = self.attempt.max(int(e.attempt));
        self.retry_count = int(e.retry_count);
        self.total_blocks = e.total_blocks.map(int).or(self.total_blocks);
        self.reset();
    }

    fn reset(&mut self) {
        self.status = BlockStatus::Pending;
        self.started_at = None;
        self.completed_at = None;
        self.error = None;
        self.detail.retry_at = None;
        self.detail.failed_retry = None;
        // A retry repeats all of a failed attempt; a completed block keeps its counts, and a retry adds to them.
        if !self.completed_once {
            self.counts = Counts { input: self.counts.input, ..Counts::default() };
            self.detail.failures.clear();
            self.detail.reasons.clear();
            self.detail.warnings.clear();
        }
    }

    fn completed(&mut self, at: OffsetDateTime, e: &BlockCompleted) {
        self.status = BlockStatus::Completed;
        self.attempt = int(e.attempt);
        self.provider = Some(e.provider.clone());
        self.started_at = Some(e.started_at_micros.date_time());
        self.completed_at = Some(at);
        self.error = None;
        self.detail.retry_at = None;
        self.counts = e.merged;
        self.detail.failed_retry = None;
        self.detail.has_next = false;
        self.report(&e.report);
        self.completed_once = true;
    }

    fn failed(&mut self, at: OffsetDateTime, e: &BlockFailed) {
        self.status = BlockStatus::Failed;
        self.attempt = int(e.attempt);
        self.provider = Some(e.provider.clone());
        self.started_at = Some(e.started_at_micros.date_time());
        self.completed_at = Some(at);
        self.error = Some(BlockFault::from(&e.failure));
        self.detail.retry_at = e.retry_at_micros;
        self.detail.has_next = e.report.next.is_some();
        if self.completed_once {
            self.cost_micros += e.report.cost_micros;
            self.detail.failed_retry = Some(e.report.counts);
        } else {
            self.counts = e.report.counts;
            self.report(&e.report);
        }
    }

    /// The leads of the retry leave `failed`. As the run core merges them, saturating included.
    fn merge(&mut self, retried: Counts) {
        self.counts.success += retried.success;
        self.counts.no_match += retried.no_match;
        self.counts.failed = self.counts.failed.saturating_sub(retried.input) + retried.failed;
        self.counts.skipped += retried.skipped;
    }

    fn cancelled(&mut self, at: OffsetDateTime, e: &BlockCancelled) {
        self.status = BlockStatus::Cancelled;
        self.attempt = int(e.attempt);
        self.completed_at = Some(at);
        self.detail.retry_at = None;
        if let Some(report) = &e.report {
            if self.completed_once {
                self.cost_micros += report.cost_micros;
            } else {
                self.counts = report.counts;
                self.report(report);
            }
        }
    }

    fn report(&mut self, report: &BlockReport) {
        self.cost_micros += report.cost_micros;
        self.detail.failures.clone_from(&report.failures);
        self.detail.reasons.clone_from(&report.reasons);
        if self.completed_once {
            for (warning, n) in &report.warnings {
                *self.detail.warnings.entry(warning.clone()).or_default() += n;
            }
            self.detail.score_sum += report.score_sum.unwrap_or(0);
        } else {
            self.detail.warnings.clone_from(&report.warnings);
            self.detail.score_sum = report.score_sum.unwrap_or(0);
        }
    }

    /// Makes `artifact` the newest of its type. Called before `apply` of the event that brings it.
    pub(crate) fn add_artifact(&mut self, artifact_type: &str, artifact: ArtifactId) -> ArtifactVersion {
        if artifact_type == self.stage.artifact_type() {
            self.output_version += 1;
            let before = self.output_artifact_id.replace(artifact);
            // The second output of a completed block holds other leads than the first: both are valid.
            let supersedes = if self.completed_once { None } else { before };
            return ArtifactVersion {
                number: self.output_version,
                supersedes: supersedes.filter(|older| *older != artifact),
            };
        }
        let before = self.detail.heads.get(artifact_type).copied();
        let number = before.map_or(1, |(_, version)| version + 1);
        self.detail.heads.insert(artifact_type.into(), (artifact, number));
        ArtifactVersion { number, supersedes: before.map(|(older, _)| older).filter(|older| *older != artifact) }
    }
}
