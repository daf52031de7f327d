//! One delivery from its arrival to its acknowledgement, with heartbeats in between.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use luci_schema::trace;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument as _, Span, field};

use crate::worker::{Worker, delivery::Delivery, execute};

/// How the delivery is answered to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckDecision {
    /// Recorded, or not to be executed any more: never deliver again.
    Ack,
    /// No answer: another delivery of the block is in progress, or was and its worker died.
    NoReply,
    /// Deliver again after this time.
    RetryAfter(Duration),
}

/// Redelivery delay of a message that this version cannot parse; a newer version may.
const UNREADABLE_RETRY: Duration = Duration::from_secs(30);

/// Handles one message. `pulled` is its permit among the pulled deliveries.
pub(super) async fn handle(worker: &Worker, message: Message, pulled: Option<OwnedSemaphorePermit>) {
    let stage = worker.stage().as_str();
    if message.info().is_ok_and(|info| info.delivered > 1) {
        metrics::counter!("luci_worker_redeliveries_total", "stage" => stage).increment(1);
    }
    let delivery = match Delivery::of(&message, &worker.log) {
        Ok(delivery) => delivery,
        Err(error) => {
            tracing::error!(stage, subject = %message.subject, %error, "delivery unreadable");
            return reply(&message, AckDecision::RetryAfter(UNREADABLE_RETRY)).await;
        }
    };
    trace::continued(delivery.trace, async {
        let span = block_span(&delivery);
        // On the heap: the future of a block's work is several kB and would be copied at each move.
        let work = Box::pin(execute::execute(worker, delivery, pulled));
        let answered = async { reply(&message, with_heartbeats(worker, &message, work).await).await };
        answered.instrument(span).await;
    })
    .await;
}

/// `attempt` is recorded once it is known. Of level error, so that warnings and errors have these ids under every log filter.
fn block_span(delivery: &Delivery) -> Span {
    tracing::error_span!(
        "block",
        tenant.id = %delivery.tenant,
        run.id = %delivery.run,
        block.id = %delivery.block.block_id,
        stage = delivery.block.stage.as_str(),
        attempt = field::Empty,
    )
}

async fn reply(message: &Message, decision: AckDecision) {
    let kind = match decision {
        AckDecision::Ack => AckKind::Ack,
        AckDecision::NoReply => return,
        AckDecision::RetryAfter(delay) => AckKind::Nak(Some(delay)),
    };
    // A lost ack is harmless: the delivery comes again and is found to be done.
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(decision = ?decision, %error, "delivery ack failed");
    }
}

/// Awaits `work` and sends a heartbeat ack every `heartbeat`, so that the broker does not deliver the block again.
async fn with_heartbeats(worker: &Worker, message: &Message, work: impl Future<Output = AckDecision>) -> AckDecision {
    let heartbeats = async {
        loop {
            tokio::time::sleep(worker.options.heartbeat).await;
            if let Err(error) = message.ack_with(AckKind::Progress).await {
                tracing::warn!(%error, "heartbeat ack failed");
            }
        }
    };
    tokio::select! {
        decision = work => decision,
        never = heartbeats => never,
        () = worker.abort.cancelled() => AckDecision::RetryAfter(Duration::ZERO),
    }
}
