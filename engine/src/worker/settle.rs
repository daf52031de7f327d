//! A block's outcome brought into the log, however long the database is away.

use std::sync::Arc;

use luci_schema::{
    Actor, BlockEvent, CommandId, Event, Failure, FailureCode, Recorded,
    event::BlockReport,
    log::{AppendError, LogError},
};

use super::{
    Worker,
    attempt::Outcome,
    claim::{Claim, claim},
    delivery::Delivery,
};
use crate::{
    block::BlockFault,
    issue::{Cause, IssueError},
    relay::Pause,
    run::{Completion, Refusal, Run, RunCommand},
};

/// The run, at least as new as the delivery.
pub(super) async fn load(worker: &Worker, delivery: &Delivery) -> Result<Option<Arc<Run>>, LogError> {
    worker.issuer.load_past(delivery.tenant, delivery.run, delivery.queued).await
}

/// The run as it stands in the log now, whoever wrote last.
pub(super) async fn load_newest(worker: &Worker, delivery: &Delivery) -> Result<Option<Arc<Run>>, LogError> {
    worker.issuer.load_newest(delivery.tenant, delivery.run).await
}

/// Issues the completion until something is decided. The delivery shows signs of life meanwhile, so nobody repeats the
/// work while the database is away.
pub(super) async fn settle(
    worker: &Worker,
    delivery: &Delivery,
    completion: Completion,
    failure: Option<Failure>,
) -> Outcome {
    let mut pause = Pause::default();
    let started_at = completion.started_at;
    let mut command = match failure {
        None => RunCommand::CompleteBlock(Box::new(completion)),
        Some(failure) => RunCommand::FailBlock(Box::new(completion), failure),
    };
    let mut repaired = false;
    loop {
        let cause = cause(delivery, command.name());
        match worker.issuer.issue(delivery.tenant, delivery.run, &command, cause).await {
            Ok(issued) => {
                told(worker, &issued.events, started_at);
                return Outcome::Done;
            }
            // A report that contradicts itself is a defect of the kind: the block fails instead of coming for ever.
            Err(error @ (IssueError::Refused(Refusal::Invalid(_)) | IssueError::Append(AppendError::Invalid(_))))
                if !repaired =>
            {
                tracing::error!(run.id = %delivery.run, block.id = %delivery.block.block_id, %error, "a report was refused");
                command = broken(command);
                repaired = true;
            }
            Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::AlreadyDone(_)) => {
                return refused(worker, delivery).await;
            }
            Err(error) => {
                tracing::warn!(run.id = %delivery.run, %error, "a block's outcome waits for the log");
                tokio::time::sleep(pause.next()).await;
            }
        }
    }
}

fn broken(command: RunCommand) -> RunCommand {
    match command {
        RunCommand::CompleteBlock(completion) | RunCommand::FailBlock(completion, _) => {
            let fault = BlockFault::new(FailureCode::Internal, "the stage's report contradicts itself");
            let report = BlockReport { cost_micros: completion.report.cost_micros, ..*fault.report };
            RunCommand::FailBlock(Box::new(Completion { report, ..*completion }), fault.failure)
        }
        other => other,
    }
}

/// After a refusal: done when the block is. While it is open another delivery has it in hand, or its start was ours and
/// the answer got lost; the message must stay for whoever needs it.
pub(super) async fn refused(worker: &Worker, delivery: &Delivery) -> Outcome {
    match load_newest(worker, delivery).await {
        Ok(Some(run)) => match claim(&run, delivery.block.block_id, delivery.queued) {
            Claim::Stale => Outcome::Done,
            Claim::Open { .. } | Claim::Orphan { .. } => Outcome::Silence,
        },
        Ok(None) => Outcome::Done,
        Err(_) => Outcome::Silence,
    }
}

/// Metrics, and the run's progress for those who watch.
fn told(worker: &Worker, events: &[Arc<Recorded>], started_at: luci_schema::Micros) {
    for recorded in events {
        let Event::Block(event) = &recorded.event else { continue };
        let (outcome, totals) = match event {
            BlockEvent::Completed(e) => ("completed", e.totals),
            BlockEvent::Failed(e) => ("failed", e.totals),
            BlockEvent::Cancelled(e) => ("cancelled", e.totals),
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => {
                continue;
            }
        };
        let seconds = (recorded.recorded_at.0 - started_at.0).max(0) as f64 / 1e6;
        metrics::histogram!("luci_block_seconds", "stage" => event.stage().as_str(), "outcome" => outcome)
            .record(seconds);
        if let luci_schema::StreamId::Run(run) = recorded.stream_id {
            worker.telemetry.run(recorded.tenant_id, run, totals.progress, event.stage());
        }
    }
}

/// Commands of one delivery; fencing, not receipts, makes their repetition harmless.
pub(super) fn cause(delivery: &Delivery, what: &str) -> Cause {
    let (tenant, run) = (delivery.tenant.to_string(), delivery.run.to_string());
    Cause {
        actor: Actor::System,
        command: CommandId::derive(&["worker", what, &tenant, &run, &delivery.event.to_string()]),
        correlation: None,
        causation: Some(delivery.event),
        receipt: None,
        if_match: None,
    }
}
