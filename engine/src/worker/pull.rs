//! The deliveries of one stage: a durable pull consumer on EVT, made again whenever it is gone.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
};
use futures::StreamExt as _;
use luci_schema::{Stage, subject};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Worker, attempt};
use crate::{
    broker::{self, BrokerError},
    relay::Pause,
};

/// How long a pull stands open; the next follows at once.
const OPEN: Duration = Duration::from_secs(5);
/// Between two looks whether the connection was made anew: the server forgets open pulls with the old one.
const LOOK: Duration = Duration::from_millis(250);
/// Deliveries out at once over all processes.
const MAX_ACK_PENDING: i64 = 20_000;

/// Why pulling ended.
enum Ended {
    Stopped,
    /// The consumer, the stream or the connection went away.
    Gone(String),
}

/// Pulls until told to stop. Holds up to twice the concurrency: one batch being worked on while the next arrives.
pub(super) async fn pull(
    worker: Arc<Worker>,
    in_hand: TaskTracker,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    let room = Arc::new(Semaphore::new(worker.concurrency() * 2));
    let mut pause = Pause::default();
    while !stop.is_cancelled() {
        let opened = tokio::select! {
            () = stop.cancelled() => break,
            opened = open(&worker) => opened,
        };
        let why = match opened {
            Ok(consumer) => {
                pause = Pause::default();
                match deliveries(&worker, &consumer, &room, &in_hand, &stop).await {
                    Ended::Stopped => break,
                    Ended::Gone(why) => why,
                }
            }
            Err(error @ (BrokerError::TooOld { .. } | BrokerError::Foreign { .. })) => return Err(error),
            Err(error) => error.to_string(),
        };
        tracing::warn!(stage = %worker.stage(), why, "the consumer is made again");
        tokio::select! {
            () = stop.cancelled() => break,
            () = pause.over(&worker.client) => {}
        }
    }
    Ok(())
}

async fn open(worker: &Worker) -> Result<Consumer<pull::Config>, BrokerError> {
    broker::check_version(&worker.client)?;
    let context = broker::jetstream(&worker.client);
    let stream = broker::stream(&context, &worker.options.evt).await?;
    let config = config(worker.stage(), worker.options.ack_wait);
    stream.create_consumer(config).await.map_err(|e| BrokerError::Stream(e.to_string()))
}

/// `worker_enrich` on `evt.*.block.queued.enrich`. Delivers for ever: an attempt that breaks the process each time is a
/// matter of the block's own failure, not of a message that silently stays behind.
fn config(stage: Stage, ack_wait: Duration) -> pull::Config {
    pull::Config {
        durable_name: Some(format!("worker_{stage}")),
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
    room: &Arc<Semaphore>,
    in_hand: &TaskTracker,
    stop: &CancellationToken,
) -> Ended {
    let connects = connects(worker);
    let size = worker.concurrency();
    loop {
        let held = tokio::select! {
            () = stop.cancelled() => return Ended::Stopped,
            held = Arc::clone(room).acquire_many_owned(u32::try_from(size).unwrap_or(u32::MAX)) => held,
        };
        let Ok(held) = held else { return Ended::Stopped };
        let batch = match consumer.batch().max_messages(size).expires(OPEN).messages().await {
            Ok(batch) => batch,
            Err(error) => return Ended::Gone(error.to_string()),
        };
        if let Some(ended) = take(worker, batch, held, in_hand, stop, connects).await {
            return ended;
        }
    }
}

/// Hands each message of a batch to a task of its own as it arrives.
async fn take(
    worker: &Arc<Worker>,
    mut batch: pull::Batch,
    mut held: OwnedSemaphorePermit,
    in_hand: &TaskTracker,
    stop: &CancellationToken,
    connected: u64,
) -> Option<Ended> {
    let mut look = tokio::time::interval(LOOK);
    loop {
        let message: Option<Result<Message, async_nats::Error>> = tokio::select! {
            biased;
            message = batch.next() => message,
            () = stop.cancelled() => return Some(Ended::Stopped),
            _ = look.tick() => match connects(worker) {
                now if now != connected => return Some(Ended::Gone("the connection was made anew".into())),
                _ => continue,
            },
        };
        match message {
            None => return None,
            Some(Err(error)) => return Some(Ended::Gone(error.to_string())),
            Some(Ok(message)) => {
                let slot = held.split(1);
                let worker = Arc::clone(worker);
                in_hand.spawn(async move {
                    attempt::attempt(&worker, message, slot).await;
                });
            }
        }
    }
}

fn connects(worker: &Worker) -> u64 {
    worker.client.statistics().connects.load(Ordering::Relaxed)
}
