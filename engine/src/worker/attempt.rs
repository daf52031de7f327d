//! One delivery from its arrival to its acknowledgement, with signs of life all along.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use tokio::sync::OwnedSemaphorePermit;

use super::{Worker, carry, delivery::Delivery};

/// What the broker is told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Recorded, or not to be worked on any more: never again.
    Done,
    /// Somebody else has the block in hand, or had it and died: an answer of ours would be taken for theirs.
    Silence,
    /// Deliver again after this time.
    Later(Duration),
}

/// A delivery that this version cannot read waits for a version that can.
const UNREADABLE: Duration = Duration::from_secs(30);

/// `slot`: the delivery's among those that were pulled.
pub(super) async fn attempt(worker: &Worker, message: Message, slot: Option<OwnedSemaphorePermit>) {
    let stage = worker.stage().as_str();
    if message.info().is_ok_and(|info| info.delivered > 1) {
        metrics::counter!("luci_worker_redeliveries_total", "stage" => stage).increment(1);
    }
    let outcome = match Delivery::of(&message, &worker.tools.log) {
        // On the heap: what a block's work holds between its steps is several kB, and would be copied at each hand-over.
        Ok(delivery) => alive(worker, &message, Box::pin(carry::carry(worker, delivery, slot))).await,
        Err(error) => {
            tracing::error!(stage, %error, "a delivery cannot be read");
            Outcome::Later(UNREADABLE)
        }
    };
    let kind = match outcome {
        Outcome::Done => AckKind::Ack,
        Outcome::Silence => return,
        Outcome::Later(delay) => AckKind::Nak(Some(delay)),
    };
    // Lost with the connection: the delivery comes again and is found to be done.
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(stage, %error, "a delivery was not acknowledged");
    }
}

/// Works, telling the broker every `heartbeat` that it does.
async fn alive(worker: &Worker, message: &Message, work: impl Future<Output = Outcome>) -> Outcome {
    let beats = async {
        loop {
            tokio::time::sleep(worker.options.heartbeat).await;
            if let Err(error) = message.ack_with(AckKind::Progress).await {
                tracing::warn!(%error, "no sign of life was sent");
            }
        }
    };
    tokio::select! {
        outcome = work => outcome,
        never = beats => never,
        () = worker.give_back.cancelled() => Outcome::Later(Duration::ZERO),
    }
}
