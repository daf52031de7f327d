//! A run folded from its events: only what a later decision needs, so that a run of a million leads stays small.
//!
//! Kept: open blocks, failed blocks, completed blocks with failed leads, sums per stage. Not kept: other completed blocks,
//! their artifacts, counts by reason; these are in the log and in the read models.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use luci_schema::{
    Actor, BlockId, CorrelationId, Counts, Failure, Micros, Position, Recorded, Stage, TraceContext, Version,
    event::{BlockInput, Cursor, Event, PauseReason, RunError, RunEvent, RunQueued, RunTotals, StageSpec},
};
use serde::{Deserialize, Serialize};

use crate::core::{CorruptStream, RunStatus, StreamFault, evolve::fold, retryable_blocks::RetryableBlocks, shared};

/// A folded run. The default is the run before its `run:queued`. Its serialised form is that of stored states: see `RUN_FOLD`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Run {
    pub(super) version: Version,
    #[serde(with = "shared::optional")]
    pub(super) pinned: Option<Arc<RunQueued>>,
    pub(super) status: RunStatus,
    pub(super) deleted: bool,
    pub(super) totals: RunTotals,
    pub(super) stages: Vec<StageState>,
    pub(super) source: SourceState,
    /// Blocks created so far.
    pub(super) sequence: u32,
    /// Waiting, pending and running blocks.
    pub(super) open: BTreeMap<BlockId, Block>,
    pub(super) retryable: RetryableBlocks,
    /// Retryable blocks that the clock will retry.
    pub(super) due: BTreeSet<BlockId>,
    #[serde(with = "shared")]
    pub(super) skipped: Arc<BTreeSet<BlockId>>,
    pub(super) pause_reason: Option<PauseReason>,
    /// By how much the budget was too small when it paused the run.
    pub(super) missing_micros: u64,
    /// Micro-dollars that may be spent, as last set by `run:queued` or `run:resumed`.
    pub(super) budget: Option<u64>,
    pub(super) error: Option<RunError>,
    pub(super) envelope: Envelope,
}

/// State that comes from the envelopes of a run's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub position: Position,
    pub correlation: Option<CorrelationId>,
    /// Of `run:queued`: commands that come from no request belong to the trace of the one that queued the run.
    pub trace: Option<TraceContext>,
    pub queued_at: Micros,
    pub started_at: Option<Micros>,
    pub paused_by: Option<Actor>,
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageState {
    pub stage: Stage,
    /// Over all blocks that are completed or skipped.
    pub sums: Counts,
    /// Over all attempts.
    pub cost_micros: u64,
    /// Input leads of all attempts that reported, for the average cost.
    pub sent: u64,
    /// Blocks created so far.
    pub numbered: u32,
    /// Blocks that are failed now, including those due for an automatic retry.
    pub failed: u32,
    /// Output of the previous stage that no block of this stage has taken.
    pub ready: VecDeque<Ready>,
}

/// Input for which no block was created yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    pub input: BlockInput,
    pub retry_of: Option<BlockId>,
}

/// How far IMPORT has read its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceState {
    /// The next block starts here.
    Next(Cursor),
    /// A block is reading; its completion says where the next one starts.
    Reading,
    Drained,
}

impl Default for SourceState {
    fn default() -> Self {
        Self::Next(Cursor::default())
    }
}

/// A block that is open, failed, or has failed leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub stage: Stage,
    pub number: u32,
    pub sequence: u32,
    /// The newest attempt that started; older ones are fenced.
    pub attempt: u32,
    pub retry_count: u32,
    pub retry_of: Option<BlockId>,
    /// The input of its current or next attempt.
    pub input: BlockInput,
    /// Version of its newest `block:queued`; older deliveries are fenced.
    pub queued: Version,
    pub state: BlockState,
    /// Counts over its completed attempts; all 0 when none completed.
    pub(super) merged: Counts,
    /// Micro-dollars that failed attempts on the current input have spent.
    pub(super) paid: u64,
    /// Automatic retries scheduled so far.
    pub(super) auto_retries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockState {
    /// Retried but not queued yet: the window is full or the run is paused.
    Waiting,
    Pending,
    Running,
    Failed(Box<FailedBlock>),
    /// Completed, with failed leads that can be retried.
    Completed,
}

/// The result of a failed block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedBlock {
    pub failure: Failure,
    /// Every lead accounted for; these counts apply when the block is skipped.
    pub counts: Counts,
    /// What was done before the failure; it goes to the next stage when the block is skipped.
    pub output: Option<BlockInput>,
    pub next: Option<Cursor>,
    pub retry_at: Option<Micros>,
}

impl BlockState {
    /// Queued or running: counts against the window.
    pub const fn in_flight(&self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

impl Block {
    /// Leads of the current attempt; `None` for IMPORT, which learns their number by reading.
    pub const fn leads(&self) -> Option<u64> {
        match &self.input {
            BlockInput::Source { .. } => None,
            BlockInput::Artifact { leads, .. } => Some(*leads),
        }
    }

    /// `retry_of` of the blocks that take its output: the block itself when it had completed before, else its own.
    pub(super) fn lineage(&self, id: BlockId) -> Option<BlockId> {
        if self.merged.input > 0 { Some(id) } else { self.retry_of }
    }
}

impl Run {
    /// Folds a recorded event and its envelope.
    ///
    /// # Errors
    /// `CorruptStream` when the event is not the next version or cannot follow the state; the run must be dropped then.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), CorruptStream> {
        let expected = Version(self.version.0 + 1);
        if recorded.version != expected {
            return Err(CorruptStream::recorded(recorded, StreamFault::VersionGap { expected }));
        }
        fold(self, &recorded.event).map_err(|fault| CorruptStream::recorded(recorded, fault))?;
        let envelope = &mut self.envelope;
        envelope.position = recorded.position;
        envelope.correlation.get_or_insert(recorded.correlation_id);
        match &recorded.event {
            Event::Run(RunEvent::Queued(_)) => {
                (envelope.queued_at, envelope.trace) = (recorded.recorded_at, recorded.trace());
            }
            Event::Run(RunEvent::Started(_)) => envelope.started_at = Some(recorded.recorded_at),
            Event::Run(RunEvent::Paused(_)) => envelope.paused_by = Some(recorded.actor),
            Event::Run(_) | Event::Block(_) | Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
        }
        Ok(())
    }

    /// Whether `run:queued` was folded.
    pub fn exists(&self) -> bool {
        self.pinned.is_some()
    }

    /// The pinned blueprint, input and options.
    ///
    /// # Panics
    /// On a run that does not exist; every run that `Issuer` returns does.
    #[allow(clippy::expect_used)]
    pub fn queued(&self) -> &Arc<RunQueued> {
        self.pinned.as_ref().expect("a run that exists was queued")
    }

    pub const fn status(&self) -> RunStatus {
        self.status
    }

    pub const fn deleted(&self) -> bool {
        self.deleted
    }

    /// Version of the newest folded event.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Position of the newest folded event.
    pub const fn position(&self) -> Position {
        self.envelope.position
    }

    pub const fn totals(&self) -> RunTotals {
        self.totals
    }

    /// Why the run failed; absent in any other status.
    pub const fn error(&self) -> Option<&RunError> {
        self.error.as_ref()
    }

    pub const fn queued_at(&self) -> Micros {
        self.envelope.queued_at
    }

    /// When the run started: the "today" of all its blocks, so that a repeated block gives the same result.
    pub const fn started_at(&self) -> Option<Micros> {
        self.envelope.started_at
    }

    pub const fn correlation(&self) -> Option<CorrelationId> {
        self.envelope.correlation
    }

    /// The trace of the command that queued it.
    pub const fn trace(&self) -> Option<TraceContext> {
        self.envelope.trace
    }

    /// In blueprint order.
    pub fn stages(&self) -> &[StageState] {
        &self.stages
    }

    pub const fn source(&self) -> &SourceState {
        &self.source
    }

    pub fn spec(&self, stage: Stage) -> Option<&StageSpec> {
        self.pinned.as_ref()?.stages.iter().find(|spec| spec.stage == stage)
    }

    /// A waiting, pending or running block.
    pub fn open_block(&self, id: BlockId) -> Option<&Block> {
        self.open.get(&id)
    }

    pub fn open_blocks(&self) -> impl Iterator<Item = (BlockId, &Block)> {
        self.open.iter().map(|(id, block)| (*id, block))
    }

    /// A failed block, or a completed one with failed leads.
    pub fn retryable_block(&self, id: BlockId) -> Option<&Block> {
        self.retryable.get(id)
    }

    pub fn retryable_blocks(&self) -> impl Iterator<Item = (BlockId, &Block)> {
        self.retryable.iter()
    }

    /// Blocks queued or running.
    pub fn in_flight(&self) -> usize {
        self.open.values().filter(|block| block.state.in_flight()).count()
    }

    pub(super) fn window(&self) -> usize {
        self.pinned.as_ref().map_or(1, |pinned| pinned.options.window.max(1) as usize)
    }

    pub(super) fn index(&self, stage: Stage) -> Option<usize> {
        self.stages.iter().position(|state| state.stage == stage)
    }

    pub(super) fn failed_blocks(&self) -> u32 {
        self.stages.iter().map(|stage| stage.failed).sum()
    }
}
