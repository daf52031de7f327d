//! What a block kind is given, what it answers, and the registry's shape. Kinds live in `blocks`, the worker drives them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::future::BoxFuture;
use luci_schema::{
    Failure, FailureCode, Micros, RunId, Stage, TenantId, Version,
    event::{BlockQueued, BlockReport, RunQueued, StageSpec},
    log::Log,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    place::Place,
    provider::{Asking, Providers},
    storage::Storage,
    telemetry::Telemetry,
};

/// One delivery of one block to one worker.
pub struct Task {
    pub tenant: TenantId,
    pub run_id: RunId,
    pub run: Arc<RunQueued>,
    /// The run's pinned entry for this block's stage.
    pub spec: StageSpec,
    pub block: BlockQueued,
    /// Version of the `block:queued` event that was delivered: what fences this delivery.
    pub queued: Version,
    pub run_started_at: Micros,
    /// Known for kinds that call the outside world; the others get theirs with the completion.
    pub attempt: Option<u32>,
    /// The run was cancelled or the attempt was fenced: finish the lead in hand and report what was done.
    pub stop: CancellationToken,
    pub spent: Spent,
    pub place: Place,
}

impl Task {
    /// As what the block asks providers.
    pub fn asking(&self) -> Asking<'_> {
        Asking {
            tenant: self.tenant,
            root_run: self.run.root_run_id,
            release: self.block.artifact_id,
            prices: &self.run.prices,
        }
    }
}

/// Micro-dollars that an attempt has to report, known also when its code breaks. Clones share the sum.
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

impl Task {
    /// Whether ASSIGN comes behind this stage. It writes its leads with all that the stages before have added, so that these
    /// need not: until then that is in their artifacts and in the stored answers.
    pub fn booked_later(&self) -> bool {
        let stages = || self.run.stages.iter().map(|spec| spec.stage);
        stages().skip_while(|stage| *stage != self.block.stage).skip(1).any(|stage| stage == Stage::Assign)
    }
}

/// What every kind may use.
#[derive(Clone)]
pub struct Tools {
    /// Role `luci_engine`.
    pub pool: PgPool,
    pub log: Log,
    pub storage: Storage,
    pub providers: Arc<Providers>,
}

/// The code of one stage.
pub trait BlockKind: Send + Sync {
    fn stage(&self) -> Stage;

    /// `internal`, or the outside provider that this task will be sent to.
    fn provider(&self, task: &Task) -> String;

    /// Whether the work reaches outside LUCI: then `block:started` is recorded, and older attempts fenced, before it begins.
    fn outside(&self) -> bool;

    /// Whether a blueprint may give the stage these settings; what is wrong with them if not.
    fn check(&self, _config: &serde_json::Value) -> Result<(), String> {
        Ok(())
    }

    /// Does the work. Called again with the same task after a crash: writes must be repeatable.
    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>>;
}

/// The stage could not be carried out.
#[derive(Debug, Clone)]
pub struct BlockFault {
    pub failure: Failure,
    /// What was done and spent until then.
    pub report: Box<BlockReport>,
}

impl BlockFault {
    /// A fault before anything was done.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(code, message), report: Box::new(nothing_done()) }
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

/// How far a block is, for those who watch. Never stored, never waited for.
#[derive(Default)]
pub struct Progress {
    line: Option<Line>,
    sent_at: AtomicU64,
}

struct Line {
    telemetry: Telemetry,
    tenant: TenantId,
    run: RunId,
    block: luci_schema::BlockId,
    stage: Stage,
}

/// Microseconds between two messages of one block.
const QUIET: u64 = 1_000_000;

impl Progress {
    /// Heard by nobody: for tests and for work outside a run.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Sent as `block:progress` of the task's block.
    pub fn of(task: &Task, telemetry: Telemetry) -> Self {
        let line = Line {
            telemetry,
            tenant: task.tenant,
            run: task.run_id,
            block: task.block.block_id,
            stage: task.block.stage,
        };
        // The first second is quiet too: a block that is over by then needs no progress.
        Self { line: Some(line), sent_at: AtomicU64::new(now()) }
    }

    /// Leads done of the block's leads; cheap enough to call for each lead, sent at most once a second.
    pub fn set(&self, processed: u64, total: u64) {
        let Some(line) = &self.line else { return };
        let (at, last) = (now(), self.sent_at.load(Ordering::Relaxed));
        if at < last.saturating_add(QUIET) {
            return;
        }
        if self.sent_at.compare_exchange(last, at, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            line.telemetry.block(line.tenant, line.run, line.block, line.stage, processed, total);
        }
    }
}

fn now() -> u64 {
    Micros::now().0.unsigned_abs()
}
