//! One publishing session: a window of unacknowledged messages, each naming the sequence that it must follow.
//!
//! Therefore one acknowledgement covers a batch: a message is stored only after the one it names, so the ack of a batch's
//! last message proves that all before it are stored, each under its own sequence. The others ask for no ack, which saves
//! the broker and the relay an answer per message.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client,
    jetstream::{Context, context::PublishError, publish::PublishAck, stream::Stream},
};
use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::FuturesOrdered,
};
use luci_schema::{
    Position, Recorded,
    log::{Log, LogError},
    trace,
};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug_span};

use crate::{
    broker,
    lease_guard::LeaseGuard,
    relay::{
        RelayOptions, RelayState, SessionEnd, epoch,
        message_reader::{BATCH_SIZE, MessageReader, OutgoingMessage, watch_headers},
        prune,
        range_check::check_range,
        reconcile,
    },
};

/// Events read at once when watchers are notified again.
const RENOTIFY_SIZE: usize = 512;
/// Events that a relay that takes over sends to watchers again, at most.
const MAX_RENOTIFIED: u64 = 10_000;
/// Interval of checkpoints, and of checks of the idle stream; also the limit of each step of a shutdown.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

pub(super) struct Session<'a> {
    options: &'a RelayOptions,
    log: &'a Log,
    client: &'a Client,
    context: &'a Context,
    lease: &'a LeaseGuard,
    /// The stream has the events up to here.
    published: Position,
    /// Watchers were sent the events up to here; a stream that is republished is not sent to them again.
    notified: Position,
    /// `notified` as stored in the checkpoint.
    saved: Position,
}

/// A published batch and the ack of its last message.
struct SentBatch {
    messages: Vec<SentMessage>,
    ack: Result<PublishAck, PublishError>,
}

struct SentMessage {
    event: Arc<Recorded>,
    body: Bytes,
    /// From its publication to its ack, in the trace of the event.
    _span: Span,
}

impl SentMessage {
    fn of(event: Arc<Recorded>, body: Bytes) -> Self {
        let span = || debug_span!("publish", tenant.id = %event.tenant_id, stream.id = %event.stream_id, position = event.position.0);
        Self { _span: event.trace().map_or_else(Span::none, |trace| trace::within(trace, span)), event, body }
    }
}

/// Batches without an ack, and how many messages they hold.
#[derive(Default)]
struct PublishWindow {
    batches: FuturesOrdered<BoxFuture<'static, SentBatch>>,
    messages: usize,
}

impl PublishWindow {
    fn push(&mut self, messages: usize, batch: BoxFuture<'static, SentBatch>) {
        self.messages += messages;
        self.batches.push_back(batch);
    }

    /// The oldest batch, once it is answered; pending while there is none.
    async fn next(&mut self) -> SentBatch {
        match self.batches.next().await {
            Some(sent) => {
                self.messages -= sent.messages.len();
                sent
            }
            None => std::future::pending().await,
        }
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(
        options: &'a RelayOptions,
        log: &'a Log,
        client: &'a Client,
        context: &'a Context,
        lease: &'a LeaseGuard,
    ) -> Self {
        let notified = lease.position();
        Self { options, log, client, context, lease, published: Position(0), notified, saved: notified }
    }

    /// The stream was removed: nothing is published. Watchers are not sent again what they have.
    pub(super) fn restart(&mut self) {
        self.published = Position(0);
    }

    pub(super) fn published(&self) -> Position {
        self.published
    }

    /// Reconciles, then publishes until something ends it.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> SessionEnd {
        match self.begin(stop).await {
            Ok(stream) => match self.follow(&stream, stop).await {
                Ok(()) => SessionEnd::Stopped,
                Err(end) => end,
            },
            Err(end) => end,
        }
    }

    async fn begin(&mut self, stop: &CancellationToken) -> Result<Stream, SessionEnd> {
        let lost = self.lease.lost();
        let opening = async {
            broker::check_version(self.client)?;
            let stream = broker::stream(self.context, &self.options.evt, self.log.epoch()).await?;
            epoch::check_former(&stream, self.log).await?;
            let published = reconcile::reconcile(self.context, &stream, self.log).await?;
            epoch::agree(self.context, &stream, self.log).await?;
            Ok::<_, SessionEnd>((stream, published))
        };
        let (stream, published) = tokio::select! {
            () = stop.cancelled() => return Err(SessionEnd::Stopped),
            () = lost.cancelled() => return Err(SessionEnd::Stopped),
            opened = opening => opened?,
        };
        self.published = published;
        self.log.resume().await?;
        self.notify_again().await?;
        tracing::info!(position = published.0, "relay follows the log");
        self.options.health.set(RelayState::Following);
        Ok(stream)
    }

    /// Sends watchers the events that an earlier relay published but may not have sent to them.
    async fn notify_again(&mut self) -> Result<(), SessionEnd> {
        self.notified = Position(self.notified.0.max(self.published.0.saturating_sub(MAX_RENOTIFIED)));
        while self.notified < self.published {
            let limit = usize::try_from(self.published.0 - self.notified.0).unwrap_or(RENOTIFY_SIZE);
            let events = self.log.read(self.notified, limit.min(RENOTIFY_SIZE)).await?;
            if events.is_empty() {
                break;
            }
            for event in events {
                self.notify(&event, Bytes::from(event.cloud_event())).await?;
            }
        }
        Ok(())
    }

    async fn follow(&mut self, stream: &Stream, stop: &CancellationToken) -> Result<(), SessionEnd> {
        let lost = self.lease.lost().clone();
        let ahead = self.options.window.div_ceil(BATCH_SIZE);
        let mut reader =
            MessageReader::after(self.log.clone(), self.published, ahead, self.client.server_info().max_payload);
        let mut window = PublishWindow::default();
        let mut checking = std::pin::pin!(check_range(stream, self.log, self.published));
        let mut checked_all = false;
        let mut check = tokio::time::interval(CHECK_INTERVAL);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pruning = tokio::time::interval(self.options.prune_every);
        pruning.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain(window).await,
                () = lost.cancelled() => return Ok(()),
                sent = window.next() => self.acknowledged(sent).await?,
                batch = reader.next(), if window.messages < self.options.window => {
                    let batch = batch.ok_or_else(|| SessionEnd::Retry("the log reader ended".into()))??;
                    window.push(batch.len(), self.publish(batch).await?);
                }
                checked = &mut checking, if !checked_all => {
                    checked?;
                    checked_all = true;
                }
                _ = pruning.tick() => prune::prune(stream, self.log, &self.options.evt).await?,
                _ = check.tick() => {
                    self.save().await;
                    if window.messages == 0 {
                        reconcile::check_counts(stream, self.published).await?;
                    }
                }
            }
        }
    }

    /// Sends a batch; only its last message asks for an ack.
    #[tracing::instrument(name = "relay_batch", level = "debug", skip_all, fields(messages = batch.len()))]
    async fn publish(&self, mut batch: Vec<OutgoingMessage>) -> Result<BoxFuture<'static, SentBatch>, SessionEnd> {
        let Some(last) = batch.pop() else { return Err(SessionEnd::Retry("empty batch".into())) };
        let mut messages = Vec::with_capacity(batch.len() + 1);
        for OutgoingMessage { event, subject, headers, body } in batch {
            messages.push(SentMessage::of(event, body.clone()));
            let sent = self.client.publish_with_headers(subject, headers, body).await;
            sent.map_err(|e| SessionEnd::Retry(e.to_string()))?;
        }
        let OutgoingMessage { event, subject, headers, body } = last;
        tracing::debug!(position = event.position.0, "publishing up to position");
        messages.push(SentMessage::of(event, body.clone()));
        let ack = self.context.publish_with_headers(subject, headers, body).await;
        let ack = ack.map_err(|e| SessionEnd::Retry(e.to_string()))?;
        Ok(async move { SentBatch { messages, ack: ack.await } }.boxed())
    }

    async fn acknowledged(&mut self, sent: SentBatch) -> Result<(), SessionEnd> {
        let Some(last) = sent.messages.last().map(|message| message.event.position) else { return Ok(()) };
        let ack = sent.ack.map_err(|e| SessionEnd::Retry(format!("event {last} was not acknowledged: {e}")))?;
        if ack.sequence != last.0 {
            return Err(SessionEnd::Retry(format!("event {last} was stored as message {}", ack.sequence)));
        }
        self.published = last;
        metrics::counter!("luci_relay_published_total").increment(sent.messages.len() as u64);
        metrics::gauge!("luci_relay_lag_events").set(self.log.head().0.saturating_sub(last.0) as f64);
        for SentMessage { event, body, .. } in sent.messages {
            self.notify(&event, body).await?;
        }
        Ok(())
    }

    /// Sends the same body on the watchers' subject, which no stream captures.
    async fn notify(&mut self, event: &Recorded, body: Bytes) -> Result<(), SessionEnd> {
        if event.position > self.notified {
            let subject = event.watch_subject();
            let sent = self.client.publish_with_headers(subject, watch_headers(event), body).await;
            sent.map_err(|e| SessionEnd::Retry(e.to_string()))?;
            self.notified = event.position;
        }
        Ok(())
    }

    /// Waits for the acks of published batches, within a limit, and saves the checkpoint.
    async fn drain(&mut self, mut window: PublishWindow) -> Result<(), SessionEnd> {
        let acks = async {
            while window.messages > 0 {
                if self.acknowledged(window.next().await).await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(CHECK_INTERVAL, acks).await.is_err() {
            tracing::info!(messages = window.messages, "relay stopped with unacknowledged messages");
        }
        // With the broker away this times out; the next relay notifies the watchers again.
        let _ = tokio::time::timeout(CHECK_INTERVAL, self.client.flush()).await;
        self.save().await;
        Ok(())
    }

    /// Saves `notified` as the checkpoint, for the next relay and for lag metrics. A failure is only logged.
    async fn save(&mut self) {
        if self.notified <= self.saved {
            return;
        }
        let (from, to) = (self.saved, self.notified);
        let saving = async {
            let mut tx = self.lease.pool().begin().await?;
            self.lease.checkpoint(&mut tx, from, to).await?;
            tx.commit().await?;
            Ok::<_, LogError>(())
        };
        match tokio::time::timeout(CHECK_INTERVAL, saving).await {
            Ok(Ok(())) => self.saved = to,
            Ok(Err(error)) => tracing::warn!(position = to.0, %error, "relay checkpoint failed"),
            Err(_) => tracing::warn!(position = to.0, "relay checkpoint timed out"),
        }
    }
}
