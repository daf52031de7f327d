//! Projection `block_executions`: one row a block, from its release on.

use std::collections::BTreeMap;

use luci_schema::{
    ArtifactId, BlockEvent, BlockId, Counts, FailureCode, Recorded, RunId, Stage, TenantId,
    event::{BlockCancelled, BlockCompleted, BlockFailed, BlockInput, BlockQueued, BlockReport},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::status::BlockStatus;

mod page;
mod shape;
mod table;

pub use page::{BlockFilter, BlockPage, page};
pub use shape::{Block, BlockFault, BlockMetrics};
pub(crate) use table::{PROJECTION, load, notable, recent_completions, write};

/// What few blocks have; the column is null when all of it is empty.
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
    /// When the clock retries it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<luci_schema::Micros>,
    /// What a failed retry of a completed block did: it counts when the block is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Counts>,
    /// A failed IMPORT block said where the next one starts, so skipping it does not end the input.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reads_on: bool,
}

/// A row of `block_executions`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// `input` is known at the release; the others when the block is settled. Over all attempts.
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

fn small(n: u32) -> i32 {
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
            block_number: small(e.block_number),
            total_blocks: e.total_blocks.map(small),
            sequence: small(e.sequence),
            stage: e.stage,
            provider: None,
            status: BlockStatus::Pending,
            attempt: small(e.attempt),
            retry_count: small(e.retry_count),
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

    /// Whether its counts belong to the stage's sums: a block that was never carried out has an input only.
    pub(crate) fn counted(&self) -> bool {
        self.completed_once || (self.status.settled() && self.counts.balanced())
    }

    pub(crate) fn apply(&mut self, r: &Recorded, event: &BlockEvent) {
        let at = r.recorded_at.date_time();
        match event {
            BlockEvent::Queued(e) => self.queued_again(at, e),
            BlockEvent::Started(e) => {
                self.status = BlockStatus::Running;
                self.attempt = small(e.attempt);
                self.provider = Some(e.provider.clone());
                self.started_at = Some(at);
                self.completed_at = None;
            }
            BlockEvent::Completed(e) => self.completed(at, e),
            BlockEvent::Failed(e) => self.failed(at, e),
            BlockEvent::Retried(e) => {
                self.retry_count = small(e.retry_count);
                self.waits_again();
            }
            BlockEvent::Skipped(_) => {
                self.status = BlockStatus::Skipped;
                self.completed_at = Some(at);
                self.detail.retry_at = None;
                if let Some(retried) = self.detail.broken.take() {
                    self.merge(retried);
                }
            }
            BlockEvent::Cancelled(e) => self.cancelled(at, e),
        }
        self.version = i64::try_from(r.version.0).unwrap_or(i64::MAX);
        self.position = i64::try_from(r.position.0).unwrap_or(i64::MAX);
    }

    fn queued_again(&mut self, at: OffsetDateTime, e: &BlockQueued) {
        self.queued_at = at;
        self.attempt = self.attempt.max(small(e.attempt));
        self.retry_count = small(e.retry_count);
        self.total_blocks = e.total_blocks.map(small).or(self.total_blocks);
        self.waits_again();
    }

    fn waits_again(&mut self) {
        self.status = BlockStatus::Pending;
        self.started_at = None;
        self.completed_at = None;
        self.error = None;
        self.detail.retry_at = None;
        self.detail.broken = None;
        // What a failed attempt did is done over; a completed block keeps its counts and only adds to them.
        if !self.completed_once {
            self.counts = Counts { input: self.counts.input, ..Counts::default() };
            self.detail.failures.clear();
            self.detail.reasons.clear();
            self.detail.warnings.clear();
        }
    }

    fn completed(&mut self, at: OffsetDateTime, e: &BlockCompleted) {
        self.status = BlockStatus::Completed;
        self.attempt = small(e.attempt);
        self.provider = Some(e.provider.clone());
        self.started_at = Some(e.started_at_micros.date_time());
        self.completed_at = Some(at);
        self.error = None;
        self.detail.retry_at = None;
        self.counts = e.merged;
        self.detail.broken = None;
        self.detail.reads_on = false;
        self.reported(&e.report);
        self.completed_once = true;
    }

    fn failed(&mut self, at: OffsetDateTime, e: &BlockFailed) {
        self.status = BlockStatus::Failed;
        self.attempt = small(e.attempt);
        self.provider = Some(e.provider.clone());
        self.started_at = Some(e.started_at_micros.date_time());
        self.completed_at = Some(at);
        self.error = Some(BlockFault::from(&e.failure));
        self.detail.retry_at = e.retry_at_micros;
        self.detail.reads_on = e.report.next.is_some();
        if self.completed_once {
            self.cost_micros += e.report.cost_micros;
            self.detail.broken = Some(e.report.counts);
        } else {
            self.counts = e.report.counts;
            self.reported(&e.report);
        }
    }

    /// The leads that were sent again leave `failed`.
    fn merge(&mut self, retried: Counts) {
        self.counts.success += retried.success;
        self.counts.no_match += retried.no_match;
        self.counts.failed = self.counts.failed.saturating_sub(retried.input) + retried.failed;
        self.counts.skipped += retried.skipped;
    }

    fn cancelled(&mut self, at: OffsetDateTime, e: &BlockCancelled) {
        self.status = BlockStatus::Cancelled;
        self.attempt = small(e.attempt);
        self.completed_at = Some(at);
        self.detail.retry_at = None;
        if let Some(report) = &e.report {
            if self.completed_once {
                self.cost_micros += report.cost_micros;
            } else {
                self.counts = report.counts;
                self.reported(report);
            }
        }
    }

    fn reported(&mut self, report: &BlockReport) {
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

    /// Makes `artifact` the newest of its type. Answers its version, and the one that it replaces.
    pub(crate) fn take_artifact(&mut self, artifact_type: &str, artifact: ArtifactId) -> (i32, Option<ArtifactId>) {
        if artifact_type == self.stage.artifact_type() {
            self.output_version += 1;
            let before = self.output_artifact_id.replace(artifact);
            // The second output of a completed block holds other leads than the first: both are valid.
            let replaced = if self.completed_once { None } else { before };
            return (self.output_version, replaced.filter(|old| *old != artifact));
        }
        let before = self.detail.heads.get(artifact_type).copied();
        let version = before.map_or(1, |(_, version)| version + 1);
        self.detail.heads.insert(artifact_type.into(), (artifact, version));
        (version, before.map(|(old, _)| old).filter(|old| *old != artifact))
    }
}
