//! The interface between the worker and block kinds: a task in, a report or a fault out.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::future::BoxFuture;
use luci_schema::{
    Failure, FailureCode, Micros, RunId, Stage, TenantId, Version,
    event::{BlockQueued, BlockReport, RunQueued, StageSpec},
};
use tokio_util::sync::CancellationToken;

use crate::{telemetry::Telemetry, worker_permit::WorkerPermit};

/// One delivery of one block to one worker.
pub struct Task {
    pub tenant: TenantId,
    pub run_id: RunId,
    pub run: Arc<RunQueued>,
    /// The run's pinned entry for this block's stage.
    pub spec: StageSpec,
    pub block: BlockQueued,
    /// Version of the delivered `block:queued` event; a newer one fences this delivery.
    pub queued: Version,
    pub run_started_at: Micros,
    /// Set for kinds that call outside; the others get an attempt with their completion.
    pub attempt: Option<u32>,
    /// Cancelled when the run was cancelled or the attempt was fenced: finish the current lead and report what was done.
    pub stop: CancellationToken,
    pub spent: Spent,
    pub permit: WorkerPermit,
}

/// Micro-dollars that an attempt has spent, known even when its code panics. Clones share the sum.
#[derive(Debug, Clone, Default)]
pub struct Spent(Arc<AtomicU64>);

impl Spent {
    pub fn add(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The code of a stage.
pub trait BlockKind: Send + Sync {
    fn stage(&self) -> Stage;

    /// `internal`, or the name of the outside provider that this task calls.
    fn provider(&self, task: &Task) -> String;

    /// Whether the work calls outside LUCI: `block:started` is then recorded first, which fences older attempts.
    fn calls_outside(&self) -> bool;

    /// Whether what every block needs is there; else the block is not started and delivered again later.
    fn ready(&self) -> BoxFuture<'_, bool> {
        futures::FutureExt::boxed(std::future::ready(true))
    }

    /// Does the work. Runs again with the same task after a crash, so its writes must be idempotent.
    fn run<'a>(&'a self, task: &'a Task, progress: &'a Progress) -> BoxFuture<'a, Result<BlockReport, BlockFault>>;
}

/// The block failed.
#[derive(Debug, Clone)]
pub struct BlockFault {
    pub failure: Failure,
    /// What was done and spent before the failure.
    pub report: Box<BlockReport>,
    pub handling: FaultHandling,
}

/// How a failed block is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultHandling {
    /// Its failure is recorded.
    #[default]
    Recorded,
    /// Nothing is recorded; the block is delivered again until what it needs is back.
    DeliveredAgain,
}

impl BlockFault {
    /// A failure before anything was done.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Failure::new(code, message).into()
    }

    /// Something that every block needs is unavailable.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { handling: FaultHandling::DeliveredAgain, ..Self::new(FailureCode::Internal, message) }
    }
}

impl From<Failure> for BlockFault {
    fn from(failure: Failure) -> Self {
        Self { failure, report: Box::new(nothing_done()), handling: FaultHandling::Recorded }
    }
}

fn nothing_done() -> BlockReport {
    BlockReport {
        counts: luci_schema::Counts::default(),
        failures: Default::default(),
        reasons: Default::default(),
        warnings: Default::default(),
        cost_micros: 0,
        score_sum: None,
        artifacts: Vec::new(),
        next: None,
    }
}

/// Publishes a block's progress as telemetry.
#[derive(Default)]
pub struct Progress {
    target: Option<ProgressTarget>,
    sent_at: AtomicU64,
}

struct ProgressTarget {
    telemetry: Telemetry,
    tenant: TenantId,
    run: RunId,
    block: luci_schema::BlockId,
    stage: Stage,
}

/// Microseconds between two messages of one block.
const MIN_INTERVAL_MICROS: u64 = 1_000_000;

impl Progress {
    /// Publishes nothing: for tests and for work outside a run.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Publishes `block:progress` of the task's block.
    pub fn of(task: &Task, telemetry: Telemetry) -> Self {
        let target = ProgressTarget {
            telemetry,
            tenant: task.tenant,
            run: task.run_id,
            block: task.block.block_id,
            stage: task.block.stage,
        };
        // Nothing in the first second: most blocks are done by then.
        Self { target: Some(target), sent_at: AtomicU64::new(now()) }
    }

    /// `processed` of `total` leads; cheap enough to call for each lead, published at most once a second.
    pub fn set(&self, processed: u64, total: u64) {
        let Some(target) = &self.target else { return };
        let (at, last) = (now(), self.sent_at.load(Ordering::Relaxed));
        if at < last.saturating_add(MIN_INTERVAL_MICROS) {
            return;
        }
        if self.sent_at.compare_exchange(last, at, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            target.telemetry.block(target.tenant, target.run, target.block, target.stage, processed, total);
        }
    }
}

fn now() -> u64 {
    Micros::now().0.unsigned_abs()
}
