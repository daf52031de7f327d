//! Workers: they pull released blocks from EVT, run them, and record what came of it.
//!
//! The published log is the work queue. A delivery is acknowledged only after its outcome is in the log (or it turned
//! out to be overtaken), so that a process killed at any point loses nothing: the broker delivers again, attempts are
//! fenced, and a block's facts are recorded once. Absent on purpose: state between deliveries, and a table of work.

mod attempt;
mod carry;
mod claim;
mod delivery;
mod pull;
mod settle;
mod turns;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::Client;
use luci_schema::Stage;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    block::{BlockKind, Tools},
    broker::{BrokerError, EvtOptions},
    issue::Issuer,
    telemetry::Telemetry,
};

/// How workers work.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Blocks of one stage at once in this process, and the size of a pull.
    pub concurrency: usize,
    /// Stages that take another number.
    pub concurrency_of: HashMap<Stage, usize>,
    /// How long the broker waits for a sign of life before it delivers again.
    pub ack_wait: Duration,
    /// Between two signs of life, and between two looks whether the run was cancelled.
    pub heartbeat: Duration,
    /// An internal block that lasts longer says that it has started.
    pub quick: Duration,
    /// How long blocks in hand may go on after the process was told to stop.
    pub drain: Duration,
    pub evt: EvtOptions,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            concurrency_of: HashMap::new(),
            ack_wait: Duration::from_secs(8),
            heartbeat: Duration::from_secs(2),
            quick: Duration::from_millis(100),
            drain: Duration::from_secs(10),
            evt: EvtOptions::default(),
        }
    }
}

impl WorkerOptions {
    fn concurrency_of(&self, stage: Stage) -> usize {
        self.concurrency_of.get(&stage).copied().unwrap_or(self.concurrency).max(1)
    }
}

/// The worker of one stage: what every delivery of it needs.
struct Worker {
    options: WorkerOptions,
    kind: Arc<dyn BlockKind>,
    issuer: Issuer,
    tools: Tools,
    telemetry: Telemetry,
    client: Client,
    turns: turns::Turns,
    /// Blocks that are being worked on; deliveries beyond wait, with signs of life.
    working: Arc<Semaphore>,
    /// Set when the drain is over: deliveries in hand are given back.
    give_back: CancellationToken,
    /// Set when the drain begins: blocks that wait aside are given back at once.
    ending: CancellationToken,
}

impl Worker {
    fn stage(&self) -> Stage {
        self.kind.stage()
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency_of(self.stage())
    }
}

/// Works on every stage of `kinds` until told to stop, then finishes the blocks in hand within `options.drain`; those
/// that last longer are given back to the broker. Fails only on a broker that cannot be used at all.
pub async fn run(
    options: WorkerOptions,
    issuer: Issuer,
    tools: Tools,
    kinds: Vec<Arc<dyn BlockKind>>,
    client: Client,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    let (give_back, in_hand) = (CancellationToken::new(), TaskTracker::new());
    let telemetry = Telemetry::open(client.clone());
    let mut pullers = JoinSet::new();
    // One stage that cannot go on ends all: a process that works on some stages only looks alive.
    let ended = stop.child_token();
    for kind in kinds {
        let worker = Arc::new(Worker {
            turns: turns::Turns::default(),
            working: Arc::new(Semaphore::new(options.concurrency_of(kind.stage()))),
            options: options.clone(),
            kind,
            issuer: issuer.clone(),
            tools: tools.clone(),
            telemetry: telemetry.clone(),
            client: client.clone(),
            give_back: give_back.clone(),
            ending: ended.clone(),
        });
        pullers.spawn(pull::pull(worker, in_hand.clone(), ended.clone()));
    }
    let mut outcome = Ok(());
    while let Some(ended_one) = pullers.join_next().await {
        match ended_one {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                outcome = Err(error);
                ended.cancel();
            }
            Err(error) => tracing::error!(%error, "a puller broke"),
        }
    }
    drain(&options, &in_hand, &give_back, &client).await;
    outcome
}

async fn drain(options: &WorkerOptions, in_hand: &TaskTracker, give_back: &CancellationToken, client: &Client) {
    in_hand.close();
    if tokio::time::timeout(options.drain, in_hand.wait()).await.is_err() {
        tracing::info!(blocks = in_hand.len(), "blocks in hand are given back");
        give_back.cancel();
        in_hand.wait().await;
    }
    // Without a broker the signs are lost and the deliveries come again after `ack_wait`; nothing else is.
    let _unsent = tokio::time::timeout(options.heartbeat, client.flush()).await;
}
