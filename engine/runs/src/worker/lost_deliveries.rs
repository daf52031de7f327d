//! Finds blocks that are to be executed and that the broker will never deliver, and has them delivered again.
//!
//! A worker acknowledges a delivery after its result is in the log. So a block whose message every worker has acknowledged,
//! and which the log still has as open, was acknowledged by somebody else, or its consumer began after it.

use async_nats::{
    Client,
    jetstream::{ErrorCode, consumer, stream::Stream},
};
use luci_schema::{
    BlockId, Position, RunId, Stage, StreamId, TenantId, Version,
    log::{Log, LogError},
    subject::{self, EVENT_STREAM},
};

use crate::{
    broker::{self, BrokerError},
    issue::Issuer,
    worker::{
        delivery_status::{DeliveryStatus, delivery_status},
        pull::consumer_name,
    },
};

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// An open block that is not delivered again.
struct LostBlock {
    tenant: TenantId,
    run: RunId,
    block: BlockId,
    position: Position,
}

/// Looks through the open blocks of `runs`. A consumer that lost one is removed: the workers create it again and get all
/// deliveries, and drop what is done. Returns for how many stages.
///
/// # Errors
/// When log or broker do not answer; nothing is removed on a guess.
pub async fn redeliver_lost(
    client: &Client,
    issuer: &Issuer,
    log: &Log,
    runs: &[(TenantId, RunId)],
) -> Result<usize, SweepError> {
    let context = broker::jetstream(client);
    // The relay creates a missing one; everything is delivered then.
    let Some(stream) = broker::find_stream(&context, EVENT_STREAM).await? else { return Ok(0) };
    let mut removed = 0;
    for stage in Stage::ALL {
        let Some(info) = consumer_info(&stream, stage).await? else { continue };
        let (stage_name, consumer) = (stage.as_str(), consumer_name(stage));
        if !delivers_all(&info.config, stage) {
            tracing::error!(stage = stage_name, consumer, "consumer was reconfigured, creating it again");
        } else if let Some(lost) =
            first_lost(issuer, log, runs, stage, Position(info.ack_floor.stream_sequence)).await?
        {
            let LostBlock { tenant, run, block, position } = lost;
            tracing::error!(
                tenant.id = %tenant, run.id = %run, block.id = %block, position = position.0, stage = stage_name, consumer,
                "block was acknowledged but not executed, delivering all blocks of its stage again"
            );
        } else {
            continue;
        }
        stream.delete_consumer(&consumer).await.map_err(|e| unanswered(&e))?;
        metrics::counter!("luci_worker_lost_deliveries_total", "stage" => stage_name).increment(1);
        removed += 1;
    }
    Ok(removed)
}

async fn consumer_info(stream: &Stream, stage: Stage) -> Result<Option<consumer::Info>, BrokerError> {
    use async_nats::jetstream::context::ConsumerInfoErrorKind;
    match stream.consumer_info(consumer_name(stage)).await {
        Ok(info) => Ok(Some(info)),
        Err(error) => match error.kind() {
            ConsumerInfoErrorKind::JetStream(e) if e.error_code() == ErrorCode::CONSUMER_NOT_FOUND => Ok(None),
            _ => Err(unanswered(&error)),
        },
    }
}

/// Whether the consumer still has the filter and the unlimited deliveries that workers gave it.
fn delivers_all(config: &consumer::Config, stage: Stage) -> bool {
    config.max_deliver <= 0 && config.filter_subject == subject::work_filter(stage) && config.filter_subjects.is_empty()
}

/// An open block of a stage whose message is at or before `acknowledged`, which must have been read before the runs are.
async fn first_lost(
    issuer: &Issuer,
    log: &Log,
    runs: &[(TenantId, RunId)],
    stage: Stage,
    acknowledged: Position,
) -> Result<Option<LostBlock>, LogError> {
    for &(tenant, run) in runs {
        let Some(folded) = issuer.load_newest(tenant, run).await? else { continue };
        let to_execute = folded.open_blocks().filter(|(id, block)| {
            block.stage == stage && delivery_status(&folded, *id, block.queued) != DeliveryStatus::Stale
        });
        let Some((block, oldest)) = to_execute.min_by_key(|(_, block)| block.queued) else { continue };
        let before = Version(oldest.queued.0.saturating_sub(1));
        let event = log.read_stream(tenant, StreamId::Run(run), before, 1).await?.pop();
        if let Some(position) = event.map(|event| event.position).filter(|at| *at <= acknowledged) {
            return Ok(Some(LostBlock { tenant, run, block, position }));
        }
    }
    Ok(None)
}

fn unanswered(error: &dyn std::fmt::Display) -> BrokerError {
    BrokerError::Stream(error.to_string())
}
