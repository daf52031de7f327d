//! Executes a delivered block: checks it, records its start where that must come first, runs its kind, records the result.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use luci_schema::{BlockEvent, Event, FailureCode, Micros, event::BlockReport, log::LogError, trace};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument as _, Span};

use crate::{
    block::{BlockFault, FaultHandling, Progress, Spent, Task},
    core::{Completion, Run, RunCommand},
    issue::IssueError,
    worker::{
        Worker,
        delivery::Delivery,
        delivery_status::{DeliveryStatus, delivery_status, is_superseded},
        handle::AckDecision,
        settle::{self, cause, settle},
    },
    worker_permit::WorkerPermit,
};

/// Redelivery delay when the database did not answer.
const DATABASE_RETRY: Duration = Duration::from_secs(1);
/// Redelivery delay of a block that cannot be executed now: its run's stream is corrupt, or its run has no such stage,
/// which only a newer version could explain.
const UNUSABLE_RETRY: Duration = Duration::from_secs(30);
/// Redelivery delay of a block that was not begun because the store is unavailable; and of one that was interrupted by that,
/// whose attempt is in the log.
const NOT_READY_RETRY: Duration = Duration::from_secs(3);
const INTERRUPTED_RETRY: Duration = Duration::from_secs(10);

/// The result of a `StartBlock` command.
enum StartResult {
    Attempt(u32),
    /// Superseded, paused or cancelled.
    Refused,
    /// The log did not answer.
    Unavailable,
}

pub(super) async fn execute(worker: &Worker, delivery: Delivery, pulled: Option<OwnedSemaphorePermit>) -> AckDecision {
    let _lock = worker.locks.lock(delivery.block.block_id).await;
    let Some(permit) = WorkerPermit::acquire(&worker.workers, pulled).await else {
        return AckDecision::RetryAfter(Duration::ZERO);
    };
    let run = match settle::load(worker, &delivery).await {
        Ok(Some(run)) => run,
        Ok(None) => return AckDecision::Ack,
        Err(error) => return unreadable(&error),
    };
    match delivery_status(&run, delivery.block.block_id, delivery.queued) {
        // Delivered for the first time by a broker that lost its memory: the attempt's worker may be alive, and its
        // heartbeats hold the message for at most `ack_wait`.
        DeliveryStatus::Runnable { running: true, .. } | DeliveryStatus::Abandoned { .. } if delivery.first => {
            AckDecision::RetryAfter(worker.options.ack_wait)
        }
        DeliveryStatus::Runnable { attempt, running } => {
            let Some(task) = task(&delivery, &run, permit) else { return AckDecision::RetryAfter(UNUSABLE_RETRY) };
            if !worker.kind.ready().await {
                return AckDecision::RetryAfter(NOT_READY_RETRY);
            }
            // A second reference would make the completion's fold copy the whole run.
            drop(run);
            work(worker, &delivery, task, attempt, running).await
        }
        DeliveryStatus::Abandoned { attempt } => close(worker, &delivery, attempt).await,
        DeliveryStatus::Stale => {
            metrics::counter!("luci_worker_stale_total", "stage" => worker.stage().as_str()).increment(1);
            AckDecision::Ack
        }
    }
}

/// The run could not be loaded.
pub(super) fn unreadable(error: &LogError) -> AckDecision {
    if error.is_damage() {
        tracing::error!(%error, "block not executed, its run is corrupt");
        return AckDecision::RetryAfter(UNUSABLE_RETRY);
    }
    tracing::warn!(%error, "run not loaded, block will be retried");
    AckDecision::RetryAfter(DATABASE_RETRY)
}

/// Closes the abandoned block of a cancelled run: a start does that.
async fn close(worker: &Worker, delivery: &Delivery, newest: u32) -> AckDecision {
    match start(worker, delivery, newest, "internal".into()).await {
        StartResult::Unavailable => AckDecision::RetryAfter(DATABASE_RETRY),
        StartResult::Attempt(_) | StartResult::Refused => settle::refused(worker, delivery).await,
    }
}

async fn work(worker: &Worker, delivery: &Delivery, mut task: Task, newest: u32, running: bool) -> AckDecision {
    let _in_flight = InFlight::count(worker.stage().as_str());
    let started_at = Micros::now();
    let provider = worker.kind.provider(&task);
    if worker.kind.calls_outside() || running {
        match start(worker, delivery, newest, provider.clone()).await {
            StartResult::Attempt(attempt) => task.attempt = Some(attempt),
            StartResult::Refused => return settle::refused(worker, delivery).await,
            StartResult::Unavailable => return AckDecision::RetryAfter(DATABASE_RETRY),
        }
    }
    let block =
        RunningBlock { worker, delivery, provider, stop: task.stop.clone(), attempt: Mutex::new(task.attempt), newest };
    let (spent, task) = (task.spent.clone(), Arc::new(task));
    let handed_back = AtomicBool::new(false);
    let draining_while_waiting = async {
        worker.draining.cancelled().await;
        task.permit.released().await;
    };
    let result = tokio::select! {
        result = block.run(Arc::clone(&task)) => result,
        never = block.watch() => never,
        never = block.stop_before_abort(&handed_back) => never,
        // It may wait for hours; the next worker goes on waiting.
        () = draining_while_waiting => return AckDecision::RetryAfter(Duration::ZERO),
    };
    // What it paid for is stored: the worker that gets the block reads it and asks only for the rest.
    if handed_back.load(Ordering::Relaxed) {
        return AckDecision::RetryAfter(Duration::ZERO);
    }
    let (mut report, failure) = match result {
        Ok(report) => (report, None),
        // What was paid for is stored: the next attempt finds it, and counts it.
        Err(BlockFault { handling: FaultHandling::DeliveredAgain, .. }) => {
            return AckDecision::RetryAfter(INTERRUPTED_RETRY);
        }
        Err(fault) => (*fault.report, Some(fault.failure)),
    };
    // A kind that failed or panicked has still spent this.
    report.cost_micros = report.cost_micros.max(spent.micros());
    let completion = Completion {
        block: delivery.block.block_id,
        queued: delivery.queued,
        attempt: *block.attempt.lock().await,
        provider: block.provider,
        started_at,
        report,
    };
    settle(worker, delivery, completion, failure).await
}

fn task(delivery: &Delivery, run: &Run, permit: WorkerPermit) -> Option<Task> {
    let Some(spec) = run.spec(delivery.block.stage) else {
        tracing::error!(stage = %delivery.block.stage, "block not executed, its run has no such stage");
        return None;
    };
    let mut block = delivery.block.clone();
    if let Some(open) = run.open_block(block.block_id) {
        // The event may be of a release that recorded no digest of the input; the fold has it from the completion.
        block.input = open.input.clone();
    }
    Some(Task {
        tenant: delivery.tenant,
        run_id: delivery.run,
        run: Arc::clone(run.queued()),
        spec: spec.clone(),
        block,
        queued: delivery.queued,
        run_started_at: run.started_at().unwrap_or_else(|| run.queued_at()),
        attempt: None,
        stop: CancellationToken::new(),
        spent: Spent::default(),
        permit,
    })
}

/// Records the start. `after`: the newest attempt when the delivery was checked.
async fn start(worker: &Worker, delivery: &Delivery, after: u32, provider: String) -> StartResult {
    let (block, queued) = (delivery.block.block_id, delivery.queued);
    let command = RunCommand::StartBlock { block, queued, after, provider };
    match worker.issuer.issue(delivery.tenant, delivery.run, &command, cause(delivery, "start")).await {
        Ok(issued) => {
            let attempt = issued.events.iter().find_map(|recorded| match &recorded.event {
                Event::Block(BlockEvent::Started(started)) => Some(started.attempt),
                _ => None,
            });
            if let Some(attempt) = attempt {
                Span::current().record("attempt", attempt);
            }
            attempt.map_or(StartResult::Refused, StartResult::Attempt)
        }
        Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::AlreadyDone(_)) => StartResult::Refused,
        Err(error) => {
            tracing::warn!(%error, "block start not recorded");
            StartResult::Unavailable
        }
    }
}

/// A block whose kind is running.
struct RunningBlock<'a> {
    worker: &'a Worker,
    delivery: &'a Delivery,
    provider: String,
    stop: CancellationToken,
    /// This delivery's attempt, once it has started. Locked while a start is being recorded, so that `watch` does not take
    /// our own start for another worker's.
    attempt: Mutex<Option<u32>>,
    /// The newest attempt when the delivery was checked.
    newest: u32,
}

impl RunningBlock<'_> {
    /// Runs the kind in its own task, so that a panic is only a failed block.
    async fn run(&self, task: Arc<Task>) -> Result<BlockReport, BlockFault> {
        let kind = Arc::clone(&self.worker.kind);
        let progress = Progress::of(&task, self.worker.telemetry.clone());
        let work = async move { kind.run(&task, &progress).await };
        let mut job = AbortOnDropHandle::new(tokio::spawn(trace::in_current(work.in_current_span())));
        let result = match tokio::time::timeout(self.worker.options.record_start_after, &mut job).await {
            Ok(result) => result,
            Err(_) => {
                // Concurrently: a slow database must not delay the work.
                let ((), result) = tokio::join!(self.record_start(), &mut job);
                result
            }
        };
        result.unwrap_or_else(|error| {
            tracing::error!(%error, "block kind panicked");
            Err(BlockFault::new(FailureCode::Internal, "the stage's code panicked; see the worker's log"))
        })
    }

    /// Records the start of an internal block that takes longer. If that fails the block goes on: its completion then
    /// starts and ends the attempt.
    async fn record_start(&self) {
        let mut attempt = self.attempt.lock().await;
        if attempt.is_none()
            && let StartResult::Attempt(started) =
                start(self.worker, self.delivery, self.newest, self.provider.clone()).await
        {
            *attempt = Some(started);
        }
    }

    /// Cancels the task's stop token in the middle of a drain, so that its calls have ended and their answers are stored when
    /// the drain does; a call that is cut off would be paid again. Never returns.
    async fn stop_before_abort(&self, handed_back: &AtomicBool) -> ! {
        self.worker.draining.cancelled().await;
        tokio::time::sleep(self.worker.options.drain / 2).await;
        handed_back.store(true, Ordering::Relaxed);
        self.stop.cancel();
        std::future::pending().await
    }

    /// Cancels the task's stop token when the run was cancelled or this attempt was superseded. Never returns.
    async fn watch(&self) -> ! {
        loop {
            tokio::time::sleep(self.worker.options.heartbeat).await;
            let attempt = self.attempt.lock().await;
            let newest = attempt.unwrap_or(self.newest);
            let (block, queued) = (self.delivery.block.block_id, self.delivery.queued);
            match settle::load_newest(self.worker, self.delivery).await {
                Ok(Some(run)) if !is_superseded(&run, block, queued, newest) => {}
                Ok(_) => self.stop.cancel(),
                Err(error) => tracing::debug!(%error, "cancellation check failed"),
            }
        }
    }
}

/// Counts a block in the gauge until it is dropped.
struct InFlight(metrics::Gauge);

impl InFlight {
    fn count(stage: &'static str) -> Self {
        let gauge = metrics::gauge!("luci_worker_in_flight", "stage" => stage);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
