//! Compares EVT with the log, message by message: subject, headers and body.

use std::time::Duration;

use anyhow::{Context, bail};
use async_nats::{
    Client,
    jetstream::{
        Message,
        consumer::{
            DeliverPolicy,
            pull::{Ordered, OrderedConfig},
        },
    },
};
use futures::StreamExt;
use luci_runs::broker;
use luci_schema::{Micros, Position, Recorded, hash_text, log::StoredEvent, subject::EVENT_STREAM};

use super::report::Report;

/// For a message that the stream has.
const TIMEOUT: Duration = Duration::from_secs(20);
/// An event that is older and not published is a finding: the relay stands still.
const LAG_MICROS: i64 = 60_000_000;

/// The messages of EVT, in order.
pub struct EvtMessages {
    messages: Ordered,
    first: u64,
    last: u64,
    /// Read and not compared yet.
    next: Option<(u64, Message)>,
    now: Micros,
    lag_reported: bool,
}

impl EvtMessages {
    /// Opened before the log is read, so that every message's event is in it. `None` when the stream is missing or empty,
    /// which is a finding if there are events.
    pub async fn open(client: &Client, now: Micros, report: &mut Report) -> anyhow::Result<Option<Self>> {
        report.with_evt = true;
        let found = broker::find_stream(&broker::jetstream(client), EVENT_STREAM).await;
        let Some(stream) = found.context("cannot read stream EVT")? else {
            report.found("evt", "the broker has no stream EVT");
            return Ok(None);
        };
        let info = stream.cached_info();
        let (first, last, messages) = (info.state.first_sequence, info.state.last_sequence, info.state.messages);
        if last == 0 {
            report.found("evt", "stream EVT is empty");
            return Ok(None);
        }
        if first > 1 && broker::keeps_all(&info.config) {
            report.at("evt", 1, format!("the messages before {first} are missing"));
        }
        let missing = (last + 1).saturating_sub(first).saturating_sub(messages);
        if missing > 0 {
            report.found("evt", format!("{missing} messages inside the stream are missing"));
        }
        let config = OrderedConfig {
            description: Some("audit".into()),
            deliver_policy: DeliverPolicy::All,
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.context("cannot read stream EVT")?;
        let messages = consumer.messages().await.context("cannot read stream EVT")?;
        Ok(Some(Self { messages, first, last, next: None, now, lag_reported: false }))
    }

    /// Compares the next event of the log with its message.
    pub async fn compare(&mut self, stored: &StoredEvent, report: &mut Report) -> anyhow::Result<()> {
        let position = u64::try_from(stored.position).unwrap_or(0);
        while let Some((sequence, _)) = self.peek().await?.filter(|(sequence, _)| *sequence < position) {
            report.at("evt", sequence, "it was published, and the log lacks it");
            self.next = None;
        }
        if position > self.last {
            self.not_published(stored, report);
            return Ok(());
        }
        match self.peek().await? {
            Some((sequence, message)) if sequence == position => {
                if let Ok(event) = &stored.event {
                    differences(event, &message, report);
                }
                self.next = None;
                report.compared = Position(position);
            }
            // Messages before the first have expired.
            _ if position >= self.first => report.at("evt", position, "its message is missing"),
            _ => {}
        }
        Ok(())
    }

    fn not_published(&mut self, stored: &StoredEvent, report: &mut Report) {
        let late = |event: &Recorded| self.now.0 - event.recorded_at.0 > LAG_MICROS;
        if !self.lag_reported && stored.event.as_ref().is_ok_and(|event| late(event)) {
            self.lag_reported = true;
            let last = self.last;
            report.found(
                "evt",
                format!("the stream ends at {last}; later events are older than a minute: no relay runs"),
            );
        }
    }

    /// After the last event of the log.
    pub async fn end(mut self, report: &mut Report) -> anyhow::Result<()> {
        while let Some((sequence, _)) = self.peek().await? {
            report.at("evt", sequence, "it was published, and the log lacks it");
            self.next = None;
        }
        Ok(())
    }

    /// The next message up to the last; it stays the next until `next` is emptied.
    async fn peek(&mut self) -> anyhow::Result<Option<(u64, Message)>> {
        if self.next.is_none() && self.first <= self.last {
            let message =
                tokio::time::timeout(TIMEOUT, self.messages.next()).await.context("stream EVT does not answer")?;
            let Some(message) = message.transpose().context("cannot read stream EVT")? else {
                bail!("stream EVT ended");
            };
            let sequence = message.info().map_err(|error| anyhow::anyhow!("{error}"))?.stream_sequence;
            // Later ones were published during the audit.
            self.first = sequence.max(self.first);
            if sequence >= self.last {
                self.first = self.last + 1;
            }
            if sequence <= self.last {
                self.next = Some((sequence, message));
            }
        }
        Ok(self.next.clone())
    }
}

fn differences(event: &Recorded, message: &Message, report: &mut Report) {
    let header = |name: &str| {
        let headers = message.headers.as_ref();
        headers.and_then(|headers| headers.get(name)).map(|value| value.as_str().to_owned()).unwrap_or_default()
    };
    let body = event.cloud_event();
    // An event larger than the broker took was published without its data.
    let same_body =
        *message.payload == *body.as_bytes() || *message.payload == *event.cloud_event_reference().as_bytes();
    for (what, same) in [
        ("hash", header("Luci-Hash") == hash_text(&event.hash)),
        ("stream", header("Luci-Stream") == event.stream_id.to_string()),
        ("version", header("Luci-Version") == event.version.to_string()),
        ("subject", *message.subject == *event.stream_subject()),
        ("content", same_body),
    ] {
        if !same {
            report.at("evt", event.position.0, format!("the {what} that was published is another"));
        }
    }
}
