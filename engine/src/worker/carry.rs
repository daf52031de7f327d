//! A delivered block carried out: claimed, started where that must be known first, run, and settled.

use std::{sync::Arc, time::Duration};

use luci_schema::{BlockEvent, Event, FailureCode, Micros, event::BlockReport};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Worker,
    attempt::Outcome,
    claim::{Claim, claim, overtaken},
    delivery::Delivery,
    settle::{self, cause, settle},
};
use crate::{
    block::{BlockFault, Progress, Spent, Task},
    issue::IssueError,
    place::Place,
    run::{Completion, Run, RunCommand},
};

/// Before a delivery comes again that the database could not be asked about.
const DATABASE_AWAY: Duration = Duration::from_secs(1);
/// Before a delivery comes again whose run pins no such stage, which only a newer version could explain.
const ODD: Duration = Duration::from_secs(30);

/// What asking for a start led to.
enum Start {
    Attempt(u32),
    /// Overtaken, paused or cancelled.
    Refused,
    Away,
}

pub(super) async fn carry(worker: &Worker, delivery: Delivery, slot: Option<OwnedSemaphorePermit>) -> Outcome {
    let _turn = worker.turns.of(delivery.block.block_id).await;
    let Some(place) = Place::take(&worker.working, slot).await else { return Outcome::Later(Duration::ZERO) };
    let run = match settle::load(worker, &delivery).await {
        Ok(Some(run)) => run,
        Ok(None) => return Outcome::Done,
        Err(error) => {
            tracing::warn!(run.id = %delivery.run, %error, "the run cannot be read");
            return Outcome::Later(DATABASE_AWAY);
        }
    };
    match claim(&run, delivery.block.block_id, delivery.queued) {
        // A broker that has just forgotten all: whoever began may live, and its signs of life hold the message that long.
        Claim::Open { running: true, .. } | Claim::Orphan { .. } if delivery.first => {
            Outcome::Later(worker.options.ack_wait)
        }
        Claim::Open { attempt, running } => {
            let Some(task) = task(&delivery, &run, place) else { return Outcome::Later(ODD) };
            // Held on to, it would be copied as a whole when the completion is folded into it.
            drop(run);
            work(worker, &delivery, task, attempt, running).await
        }
        Claim::Orphan { attempt } => close(worker, &delivery, attempt).await,
        Claim::Stale => {
            metrics::counter!("luci_worker_stale_total", "stage" => worker.stage().as_str()).increment(1);
            Outcome::Done
        }
    }
}

/// A start closes the orphan of a cancelled run.
async fn close(worker: &Worker, delivery: &Delivery, newest: u32) -> Outcome {
    match start(worker, delivery, newest, "internal".into()).await {
        Start::Away => Outcome::Later(DATABASE_AWAY),
        Start::Attempt(_) | Start::Refused => settle::refused(worker, delivery).await,
    }
}

async fn work(worker: &Worker, delivery: &Delivery, mut task: Task, newest: u32, running: bool) -> Outcome {
    let _in_flight = InFlight::enter(worker.stage().as_str());
    let started_at = Micros::now();
    let provider = worker.kind.provider(&task);
    if worker.kind.outside() || running {
        match start(worker, delivery, newest, provider.clone()).await {
            Start::Attempt(attempt) => task.attempt = Some(attempt),
            Start::Refused => return settle::refused(worker, delivery).await,
            Start::Away => return Outcome::Later(DATABASE_AWAY),
        }
    }
    let hand = Hand { worker, delivery, provider, stop: task.stop.clone(), attempt: Mutex::new(task.attempt), newest };
    let (spent, task) = (task.spent.clone(), Arc::new(task));
    let given_up = async {
        worker.ending.cancelled().await;
        task.place.left().await;
    };
    let result = tokio::select! {
        result = hand.run(Arc::clone(&task)) => result,
        never = hand.watch() => never,
        // It may wait for hours; whoever has the block next waits on.
        () = given_up => return Outcome::Later(Duration::ZERO),
    };
    let (mut report, failure) = match result {
        Ok(report) => (report, None),
        Err(fault) => (*fault.report, Some(fault.failure)),
    };
    // A kind that broke off, or panicked, has still paid.
    report.cost_micros = report.cost_micros.max(spent.micros());
    let completion = Completion {
        block: delivery.block.block_id,
        queued: delivery.queued,
        attempt: *hand.attempt.lock().await,
        provider: hand.provider,
        started_at,
        report,
    };
    settle(worker, delivery, completion, failure).await
}

fn task(delivery: &Delivery, run: &Run, place: Place) -> Option<Task> {
    let Some(spec) = run.spec(delivery.block.stage) else {
        tracing::error!(run.id = %delivery.run, stage = %delivery.block.stage, "the run pins no such stage");
        return None;
    };
    Some(Task {
        tenant: delivery.tenant,
        run_id: delivery.run,
        run: Arc::clone(run.queued()),
        spec: spec.clone(),
        block: delivery.block.clone(),
        queued: delivery.queued,
        run_started_at: run.started_at().unwrap_or_else(|| run.queued_at()),
        attempt: None,
        stop: CancellationToken::new(),
        spent: Spent::default(),
        place,
    })
}

/// `after`: the newest attempt when the block was claimed.
async fn start(worker: &Worker, delivery: &Delivery, after: u32, provider: String) -> Start {
    let (block, queued) = (delivery.block.block_id, delivery.queued);
    let command = RunCommand::StartBlock { block, queued, after, provider };
    match worker.issuer.issue(delivery.tenant, delivery.run, &command, cause(delivery, "start")).await {
        Ok(issued) => {
            let attempt = issued.events.iter().find_map(|recorded| match &recorded.event {
                Event::Block(BlockEvent::Started(started)) => Some(started.attempt),
                _ => None,
            });
            attempt.map_or(Start::Refused, Start::Attempt)
        }
        Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::AlreadyDone(_)) => Start::Refused,
        Err(error) => {
            tracing::warn!(run.id = %delivery.run, %error, "the block's start was not recorded");
            Start::Away
        }
    }
}

/// A block in hand.
struct Hand<'a> {
    worker: &'a Worker,
    delivery: &'a Delivery,
    provider: String,
    stop: CancellationToken,
    /// This delivery's attempt, once it has started. Held while a start is under way, so that the watch never takes our
    /// own start for another's.
    attempt: Mutex<Option<u32>>,
    /// The newest attempt when the block was claimed.
    newest: u32,
}

impl Hand<'_> {
    /// Runs the kind in a task of its own, so that a panic is a failed block and nothing more.
    async fn run(&self, task: Arc<Task>) -> Result<BlockReport, BlockFault> {
        let (kind, tools) = (Arc::clone(&self.worker.kind), self.worker.tools.clone());
        let progress = Progress::of(&task, self.worker.telemetry.clone());
        let mut job = AbortOnDropHandle::new(tokio::spawn(async move { kind.run(&task, &tools, &progress).await }));
        let done = match tokio::time::timeout(self.worker.options.quick, &mut job).await {
            Ok(done) => done,
            Err(_) => {
                // Beside the work: what the database does must not hold up what is being done.
                let (_, done) = tokio::join!(self.say_started(), &mut job);
                done
            }
        };
        done.unwrap_or_else(|error| {
            tracing::error!(run.id = %self.delivery.run, block.id = %self.delivery.block.block_id, %error, "a block broke");
            Err(BlockFault::new(FailureCode::Internal, "the stage's code broke; its log says where"))
        })
    }

    /// Without an answer the block goes on: its completion then starts and ends it.
    async fn say_started(&self) {
        let mut attempt = self.attempt.lock().await;
        if attempt.is_none()
            && let Start::Attempt(given) = start(self.worker, self.delivery, self.newest, self.provider.clone()).await
        {
            *attempt = Some(given);
        }
    }

    /// Sets the task's stop token when the run was cancelled or this attempt was overtaken. Never ends.
    async fn watch(&self) -> ! {
        loop {
            tokio::time::sleep(self.worker.options.heartbeat).await;
            let attempt = self.attempt.lock().await;
            let newest = attempt.unwrap_or(self.newest);
            let (block, queued) = (self.delivery.block.block_id, self.delivery.queued);
            match settle::load_newest(self.worker, self.delivery).await {
                Ok(Some(run)) if !overtaken(&run, block, queued, newest) => {}
                Ok(_) => self.stop.cancel(),
                Err(error) => tracing::debug!(run.id = %self.delivery.run, %error, "whether to stop is not known"),
            }
        }
    }
}

/// Counts a block in the gauge for as long as it lives.
struct InFlight(metrics::Gauge);

impl InFlight {
    fn enter(stage: &'static str) -> Self {
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
