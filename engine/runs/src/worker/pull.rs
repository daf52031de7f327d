//! The deliveries of one stage: a durable pull consumer on EVT, recreated whenever it is gone.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
};
use futures::StreamExt as _;
use luci_schema::{
    Stage,
    subject::{self, EVENT_STREAM},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    broker::{self, BrokerError},
    retry_pause::RetryPause,
    worker::{Worker, handle},
};

/// How long one pull request stays open; the next follows immediately.
const PULL_EXPIRES: Duration = Duration::from_secs(5);
/// Interval of checks for a reconnect: the server drops open pulls with the old connection.
const RECONNECT_CHECK: Duration = Duration::from_millis(250);
/// Unacknowledged deliveries over all processes.
const MAX_ACK_PENDING: i64 = 20_000;

/// Why pulling ended.
enum PullEnd {
    Stopped,
    /// The consumer, the stream or the connection went away.
    Gone(String),
}

/// Pulls until `stop`. Holds up to twice the concurrency: one batch is executed while the next arrives.
pub(super) async fn pull(
    worker: Arc<Worker>,
    in_progress: TaskTracker,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    let pulls = Arc::new(Semaphore::new(worker.concurrency() * 2));
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let opened = tokio::select! {
            () = stop.cancelled() => break,
            opened = open(&worker) => opened,
        };
        // At a first start, the relay makes EVT a moment after the workers have looked for it.
        let early = matches!(opened, Err(BrokerError::NotMade)) && pause.is_short();
        let why = match opened {
            Ok(consumer) => {
                pause = RetryPause::default();
                match deliveries(&worker, &consumer, &pulls, &in_progress, &stop).await {
                    PullEnd::Stopped => break,
                    PullEnd::Gone(why) => why,
                }
            }
            Err(error @ (BrokerError::TooOld { .. } | BrokerError::Foreign { .. })) => return Err(error),
            Err(error) => error.to_string(),
        };
        if early {
            tracing::debug!(stage = %worker.stage(), "waiting for the relay to make EVT");
        } else {
            tracing::warn!(stage = %worker.stage(), error = why, "consumer lost, recreating");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = broker::pause(&worker.client, pause.next()) => {}
        }
    }
    Ok(())
}

async fn open(worker: &Worker) -> Result<Consumer<pull::Config>, BrokerError> {
    broker::check_version(&worker.client)?;
    let context = broker::jetstream(&worker.client);
    let stream = broker::find_stream(&context, EVENT_STREAM).await?;
    let stream = broker::adopt(stream.ok_or(BrokerError::NotMade)?)?;
    let config = config(worker.stage(), worker.options.ack_wait);
    stream.create_consumer(config).await.map_err(|e| BrokerError::Stream(e.to_string()))
}

/// The durable consumer of a stage: `worker_enrich`.
pub fn consumer_name(stage: Stage) -> String {
    format!("worker_{stage}")
}

/// `worker_enrich` on `evt.*.block.queued.enrich`. No delivery limit: a block ends by its own failure, never by a message
/// that the broker silently drops.
fn config(stage: Stage, ack_wait: Duration) -> pull::Config {
    pull::Config {
        durable_name: Some(consumer_name(stage)),
        description: Some(format!("blocks of stage {stage}")),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        filter_subject: subject::work_filter(stage),
        ..pull::Config::default()
    }
}

async fn deliveries(
    worker: &Arc<Worker>,
    consumer: &Consumer<pull::Config>,
    pulls: &Arc<Semaphore>,
    in_progress: &TaskTracker,
    stop: &CancellationToken,
) -> PullEnd {
    let connects = connects(worker);
    let size = worker.concurrency();
    loop {
        let permits = tokio::select! {
            () = stop.cancelled() => return PullEnd::Stopped,
            permits = Arc::clone(pulls).acquire_many_owned(u32::try_from(size).unwrap_or(u32::MAX)) => permits,
        };
        let Ok(permits) = permits else { return PullEnd::Stopped };
        let batch = match consumer.batch().max_messages(size).expires(PULL_EXPIRES).messages().await {
            Ok(batch) => batch,
            Err(error) => return PullEnd::Gone(error.to_string()),
        };
        if let Some(ended) = spawn_batch(worker, batch, permits, in_progress, stop, connects).await {
            return ended;
        }
    }
}

/// Spawns a task for each message of a batch as it arrives.
async fn spawn_batch(
    worker: &Arc<Worker>,
    mut batch: pull::Batch,
    mut permits: OwnedSemaphorePermit,
    in_progress: &TaskTracker,
    stop: &CancellationToken,
    connected: u64,
) -> Option<PullEnd> {
    let mut reconnect_check = tokio::time::interval(RECONNECT_CHECK);
    loop {
        let message: Option<Result<Message, async_nats::Error>> = tokio::select! {
            biased;
            message = batch.next() => message,
            () = stop.cancelled() => return Some(PullEnd::Stopped),
            _ = reconnect_check.tick() => match connects(worker) {
                now if now != connected => return Some(PullEnd::Gone("reconnected".into())),
                _ => continue,
            },
        };
        match message {
            None => return None,
            Some(Err(error)) => return Some(PullEnd::Gone(error.to_string())),
            Some(Ok(message)) => {
                let pulled = permits.split(1);
                let worker = Arc::clone(worker);
                in_progress.spawn(async move {
                    handle::handle(&worker, message, pulled).await;
                });
            }
        }
    }
}

fn connects(worker: &Worker) -> u64 {
    worker.client.statistics().connects.load(Ordering::Relaxed)
}
