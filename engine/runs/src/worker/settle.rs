//! Records a block's result in the log, however long the database is unavailable.

use std::sync::Arc;

use luci_schema::{
    Actor, BlockEvent, CommandId, Event, Failure, FailureCode, Recorded,
    event::BlockReport,
    log::{AppendError, LogError},
};

use crate::{
    block::BlockFault,
    core::{Completion, Refusal, Run, RunCommand},
    issue::{Cause, IssueError},
    retry_pause::RetryPause,
    worker::{
        Worker,
        delivery::Delivery,
        delivery_status::{DeliveryStatus, delivery_status},
        execute,
        handle::AckDecision,
    },
};

/// The run, at least at the version of the delivery.
pub(super) async fn load(worker: &Worker, delivery: &Delivery) -> Result<Option<Arc<Run>>, LogError> {
    worker.issuer.load_past(delivery.tenant, delivery.run, delivery.queued).await
}

/// The run with everything that the log has now.
pub(super) async fn load_newest(worker: &Worker, delivery: &Delivery) -> Result<Option<Arc<Run>>, LogError> {
    worker.issuer.load_newest(delivery.tenant, delivery.run).await
}

/// Issues the completion until it is accepted or refused. Heartbeats go on meanwhile, so no other worker repeats the work
/// while the database is unavailable.
pub(super) async fn settle(
    worker: &Worker,
    delivery: &Delivery,
    completion: Completion,
    failure: Option<Failure>,
) -> AckDecision {
    let mut pause = RetryPause::default();
    let started_at = completion.started_at;
    let mut command = match failure {
        None => RunCommand::CompleteBlock(Box::new(completion)),
        Some(failure) => RunCommand::FailBlock(Box::new(completion), failure),
    };
    let mut replaced = false;
    loop {
        let cause = cause(delivery, command.name());
        match worker.issuer.issue(delivery.tenant, delivery.run, &command, cause).await {
            Ok(issued) => {
                publish_result(worker, &issued.events, started_at);
                return AckDecision::Ack;
            }
            // An invalid report is a defect of the block kind: the block fails instead of being delivered forever.
            Err(
                error @ (IssueError::Refused(Refusal::Invalid(_))
                | IssueError::Append(AppendError::Invalid(_) | AppendError::TooLarge { .. })),
            ) if !replaced => {
                tracing::error!(%error, "block report refused, block fails");
                command = invalid_report(command);
                replaced = true;
            }
            Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::AlreadyDone(_)) => {
                return refused(worker, delivery).await;
            }
            Err(IssueError::Log(error)) if error.is_damage() => return execute::unreadable(&error),
            Err(error) => {
                tracing::warn!(%error, "block result not recorded, retrying");
                tokio::time::sleep(pause.next()).await;
            }
        }
    }
}

fn invalid_report(command: RunCommand) -> RunCommand {
    match command {
        RunCommand::CompleteBlock(completion) | RunCommand::FailBlock(completion, _) => {
            let fault = BlockFault::new(FailureCode::Internal, "the stage's report is invalid");
            let report = BlockReport { cost_micros: completion.report.cost_micros, ..*fault.report };
            RunCommand::FailBlock(Box::new(Completion { report, ..*completion }), fault.failure)
        }
        other => other,
    }
}

/// After a refusal: acknowledged when the block is done. While it is open, another delivery is in progress, or the start was
/// ours and its answer was lost: the message must stay.
pub(super) async fn refused(worker: &Worker, delivery: &Delivery) -> AckDecision {
    match load_newest(worker, delivery).await {
        Ok(Some(run)) => match delivery_status(&run, delivery.block.block_id, delivery.queued) {
            DeliveryStatus::Stale => AckDecision::Ack,
            DeliveryStatus::Runnable { .. } | DeliveryStatus::Abandoned { .. } => AckDecision::NoReply,
        },
        Ok(None) => AckDecision::Ack,
        Err(error) => {
            tracing::warn!(%error, "run not loaded after a refusal, delivery left unacknowledged");
            AckDecision::NoReply
        }
    }
}

/// Metrics of the result, and the run's progress as telemetry.
fn publish_result(worker: &Worker, events: &[Arc<Recorded>], started_at: luci_schema::Micros) {
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

/// The cause of a delivery's command. Fencing, not a receipt, makes a repeated command harmless.
pub(super) fn cause(delivery: &Delivery, command: &str) -> Cause {
    let (tenant, run) = (delivery.tenant.to_string(), delivery.run.to_string());
    Cause {
        actor: Actor::System,
        command: CommandId::derive(&["worker", command, &tenant, &run, &delivery.event.to_string()]),
        correlation: None,
        causation: Some(delivery.event),
        receipt: None,
        if_match: None,
    }
}
