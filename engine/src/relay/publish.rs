//! One session of publishing: a window of unacknowledged messages, each saying which sequence it must follow.
//!
//! That makes one acknowledgement enough for many: a message is stored only behind the one it names, so that the
//! acknowledged last of a share proves that all before it are stored, each under its own sequence. The others ask for none:
//! the broker need not write, nor we read, an answer for each.

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
};
use tokio_util::sync::CancellationToken;

use super::{
    RelayOptions, RelayState, Trouble,
    ready::{Ready, SHARE, Source},
    reconcile::{last_sequence, reconcile},
};
use crate::{broker, tenure::Tenure};

/// Events told again at once.
const BATCH: usize = 512;
/// Between two looks at an idle stream, and two checkpoints.
const LOOK: Duration = Duration::from_secs(2);
/// Events told again to the watchers by a relay that takes over, at most.
const RETOLD: u64 = 10_000;

pub(super) struct Session<'a> {
    options: &'a RelayOptions,
    log: &'a Log,
    client: &'a Client,
    context: &'a Context,
    tenure: &'a Tenure,
    /// The stream has the events up to here.
    published: Position,
    /// The watchers were told the events up to here; a stream made anew is not told again.
    told: Position,
    /// `told` as it stands in the lease's row.
    saved: Position,
}

/// A share that was published, and what was said to its last message.
struct Sent {
    told: Vec<(Arc<Recorded>, Bytes)>,
    ack: Result<PublishAck, PublishError>,
}

/// Shares under way, and how many messages they are.
#[derive(Default)]
struct Window {
    shares: FuturesOrdered<BoxFuture<'static, Sent>>,
    messages: usize,
}

impl Window {
    fn push(&mut self, messages: usize, share: BoxFuture<'static, Sent>) {
        self.messages += messages;
        self.shares.push_back(share);
    }

    /// The oldest share, once its last message is answered. Never, while there is none.
    async fn next(&mut self) -> Sent {
        match self.shares.next().await {
            Some(sent) => {
                self.messages -= sent.told.len();
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
        tenure: &'a Tenure,
    ) -> Self {
        let told = tenure.position();
        Self { options, log, client, context, tenure, published: Position(0), told, saved: told }
    }

    pub(super) fn published(&self) -> Position {
        self.published
    }

    /// Compares, then publishes until something ends it.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Trouble {
        match self.begin(stop).await {
            Ok(stream) => match self.follow(&stream, stop).await {
                Ok(()) => Trouble::Over,
                Err(trouble) => trouble,
            },
            Err(trouble) => trouble,
        }
    }

    async fn begin(&mut self, stop: &CancellationToken) -> Result<Stream, Trouble> {
        let lost = self.tenure.lost();
        let opening = async {
            broker::check_version(self.client)?;
            let stream = broker::stream(self.context, &self.options.evt).await?;
            let published = reconcile(&stream, self.log).await?;
            Ok::<_, Trouble>((stream, published))
        };
        let (stream, published) = tokio::select! {
            () = stop.cancelled() => return Err(Trouble::Over),
            () = lost.cancelled() => return Err(Trouble::Over),
            opened = opening => opened?,
        };
        self.published = published;
        self.retell().await?;
        tracing::info!(position = published.0, "the relay follows the log");
        self.options.health.set(RelayState::Following);
        Ok(stream)
    }

    /// Tells the watchers what an earlier relay published and may not have told.
    async fn retell(&mut self) -> Result<(), Trouble> {
        self.told = Position(self.told.0.max(self.published.0.saturating_sub(RETOLD)));
        while self.told < self.published {
            let limit = usize::try_from(self.published.0 - self.told.0).unwrap_or(BATCH).min(BATCH);
            let events = self.log.read(self.told, limit).await?;
            if events.is_empty() {
                break;
            }
            for event in events {
                self.tell(&event, Bytes::from(event.cloud_event())).await?;
            }
        }
        Ok(())
    }

    async fn follow(&mut self, stream: &Stream, stop: &CancellationToken) -> Result<(), Trouble> {
        let lost = self.tenure.lost().clone();
        let mut source = Source::after(self.log.clone(), self.published, self.options.window.div_ceil(SHARE));
        let mut window = Window::default();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain(window).await,
                () = lost.cancelled() => return Ok(()),
                sent = window.next() => self.acknowledged(sent).await?,
                Some(share) = source.next(), if window.messages < self.options.window => {
                    let share = share?;
                    window.push(share.len(), self.publish(share).await?);
                }
                _ = look.tick() => {
                    self.save().await;
                    if window.messages == 0 && last_sequence(stream).await? != self.published {
                        return Err(Trouble::Again("stream EVT changed under the relay".into()));
                    }
                }
            }
        }
    }

    /// Sends a share; its last message alone asks for an acknowledgement.
    async fn publish(&self, mut share: Vec<Ready>) -> Result<BoxFuture<'static, Sent>, Trouble> {
        let Some(last) = share.pop() else { return Err(Trouble::Again("a share of nothing".into())) };
        let mut told = Vec::with_capacity(share.len() + 1);
        for Ready { event, subject, headers, body } in share {
            told.push((event, body.clone()));
            let sent = self.client.publish_with_headers(subject, headers, body).await;
            sent.map_err(|e| Trouble::Again(e.to_string()))?;
        }
        let Ready { event, subject, headers, body } = last;
        told.push((event, body.clone()));
        let ack = self.context.publish_with_headers(subject, headers, body).await;
        let ack = ack.map_err(|e| Trouble::Again(e.to_string()))?;
        Ok(async move { Sent { told, ack: ack.await } }.boxed())
    }

    async fn acknowledged(&mut self, sent: Sent) -> Result<(), Trouble> {
        let Some(last) = sent.told.last().map(|(event, _)| event.position) else { return Ok(()) };
        let ack = sent.ack.map_err(|e| Trouble::Again(format!("event {last} was not taken: {e}")))?;
        if ack.sequence != last.0 {
            return Err(Trouble::Again(format!("event {last} was stored as message {}", ack.sequence)));
        }
        self.published = last;
        metrics::counter!("luci_relay_published_total").increment(sent.told.len() as u64);
        metrics::gauge!("luci_relay_lag_events").set(self.log.head().0.saturating_sub(last.0) as f64);
        for (event, body) in sent.told {
            self.tell(&event, body).await?;
        }
        Ok(())
    }

    /// The same body on the watchers' subject, which no stream captures.
    async fn tell(&mut self, event: &Recorded, body: Bytes) -> Result<(), Trouble> {
        if event.position > self.told {
            let subject = event.watch_subject();
            self.client.publish(subject, body).await.map_err(|e| Trouble::Again(e.to_string()))?;
            self.told = event.position;
        }
        Ok(())
    }

    /// Waits for what is under way, within a bound, and saves how far it came.
    async fn drain(&mut self, mut window: Window) -> Result<(), Trouble> {
        let rest = async {
            while window.messages > 0 {
                if self.acknowledged(window.next().await).await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(LOOK, rest).await.is_err() {
            tracing::info!("stopped with publishes unacknowledged; the next relay finds them by the stream's end");
        }
        // A broker that is away is not waited for: what is lost here is told again by the next relay.
        let _unsent = tokio::time::timeout(LOOK, self.client.flush()).await;
        self.save().await;
        Ok(())
    }

    /// Where the watchers are, for the next relay and for the lag that others see. Not worth failing for.
    async fn save(&mut self) {
        if self.told <= self.saved {
            return;
        }
        let (from, to) = (self.saved, self.told);
        let saving = async {
            let mut tx = self.tenure.pool().begin().await?;
            self.tenure.checkpoint(&mut tx, from, to).await?;
            tx.commit().await?;
            Ok::<_, LogError>(())
        };
        match tokio::time::timeout(LOOK, saving).await {
            Ok(Ok(())) => self.saved = to,
            Ok(Err(error)) => tracing::warn!(%error, "the relay's place was not saved"),
            Err(_) => tracing::warn!("the relay's place was not saved in time"),
        }
    }
}
