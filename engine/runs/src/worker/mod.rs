//! Workers pull queued blocks from EVT, execute them and record the results.
//!
//! The published log is the work queue. A delivery is acknowledged only after its result is in the log (or it turned out to
//! be superseded), so a process killed at any point loses nothing: the broker delivers again, attempts are fenced, and a
//! result is recorded once. Absent on purpose: state between deliveries, and a table of work.

mod block_locks;
mod delivery;
mod delivery_status;
mod execute;
mod handle;
mod lost_deliveries;
mod pull;
mod settle;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::Client;
use luci_schema::{Stage, log::Log};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    block::BlockKind, broker::BrokerError, issue::Issuer, telemetry::Telemetry, worker::block_locks::BlockLocks,
};

pub use crate::worker::lost_deliveries::{SweepError, redeliver_lost};
pub use crate::worker::pull::consumer_name;

#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Blocks of one stage that this process executes at once, and the size of a pull.
    pub concurrency: usize,
    /// Exceptions to `concurrency`.
    pub concurrency_of: HashMap<Stage, usize>,
    /// How long the broker waits for a heartbeat before it delivers again.
    pub ack_wait: Duration,
    /// Interval of heartbeats, and of checks whether the run was cancelled.
    pub heartbeat: Duration,
    /// The start of an internal block is recorded only when the block takes longer than this.
    pub record_start_after: Duration,
    /// How long blocks in progress may continue after a stop.
    pub drain: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            concurrency_of: HashMap::new(),
            ack_wait: Duration::from_secs(5),
            heartbeat: Duration::from_millis(1_250),
            record_start_after: Duration::from_millis(100),
            drain: Duration::from_secs(10),
        }
    }
}

impl WorkerOptions {
    fn concurrency_of(&self, stage: Stage) -> usize {
        self.concurrency_of.get(&stage).copied().unwrap_or(self.concurrency).max(1)
    }
}

/// The worker of one stage, shared by its deliveries.
struct Worker {
    options: WorkerOptions,
    kind: Arc<dyn BlockKind>,
    issuer: Issuer,
    log: Log,
    telemetry: Telemetry,
    client: Client,
    locks: BlockLocks,
    /// Permits of blocks being executed; other pulled deliveries wait for one, with heartbeats.
    workers: Arc<Semaphore>,
    /// Cancelled when the drain begins: blocks that only wait are naked immediately.
    draining: CancellationToken,
    /// Cancelled when the drain is over: all deliveries in progress are naked.
    abort: CancellationToken,
}

impl Worker {
    fn stage(&self) -> Stage {
        self.kind.stage()
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency_of(self.stage())
    }
}

/// Runs a worker for every stage of `kinds` until `stop`, then finishes the blocks in progress within `options.drain`; those
/// that take longer are naked, so that the broker delivers them again.
///
/// # Errors
/// Only for a broker that cannot be used: too old, or its stream EVT belongs to another program.
pub async fn run(
    options: WorkerOptions,
    issuer: Issuer,
    log: Log,
    kinds: Vec<Arc<dyn BlockKind>>,
    client: Client,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    let (abort, in_progress) = (CancellationToken::new(), TaskTracker::new());
    let telemetry = Telemetry::open(client.clone());
    let mut pullers = JoinSet::new();
    // A stage that fails stops all: a process that serves only some stages would look healthy.
    let draining = stop.child_token();
    for kind in kinds {
        let worker = Arc::new(Worker {
            locks: BlockLocks::default(),
            workers: Arc::new(Semaphore::new(options.concurrency_of(kind.stage()))),
            options: options.clone(),
            kind,
            issuer: issuer.clone(),
            log: log.clone(),
            telemetry: telemetry.clone(),
            client: client.clone(),
            draining: draining.clone(),
            abort: abort.clone(),
        });
        pullers.spawn(pull::pull(worker, in_progress.clone(), draining.clone()));
    }
    let mut outcome = Ok(());
    while let Some(ended) = pullers.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                outcome = Err(error);
                draining.cancel();
            }
            Err(error) => tracing::error!(%error, "pull task panicked"),
        }
    }
    drain(&options, &in_progress, &abort, &client).await;
    outcome
}

async fn drain(options: &WorkerOptions, in_progress: &TaskTracker, abort: &CancellationToken, client: &Client) {
    in_progress.close();
    if tokio::time::timeout(options.drain, in_progress.wait()).await.is_err() {
        tracing::info!(blocks = in_progress.len(), "drain timed out, blocks returned to the broker");
        abort.cancel();
        in_progress.wait().await;
    }
    // Without a broker the acks are lost, and the deliveries come again after `ack_wait`.
    let _unsent = tokio::time::timeout(options.heartbeat, client.flush()).await;
}
