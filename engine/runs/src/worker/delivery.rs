//! A message of EVT, parsed into the block that it delivers.

use async_nats::jetstream::Message;
use luci_schema::{
    BlockEvent, Event, EventId, Position, Recorded, RunId, StreamId, TenantId, TraceContext, Version,
    event::BlockQueued, hash_text, log::Log,
};
use serde::Deserialize;

/// One queued block, as delivered.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub tenant: TenantId,
    pub run: RunId,
    pub event: EventId,
    pub queued: Version,
    pub block: BlockQueued,
    /// The trace of the command that queued it.
    pub trace: Option<TraceContext>,
    /// The broker's first delivery of the message; true again after the broker lost its data.
    pub first: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("header {0} is missing or invalid")]
    Header(&'static str),
    #[error("subject `{0}` has no tenant id")]
    Subject(String),
    #[error("body: {0}")]
    Body(#[from] serde_json::Error),
}

/// The fields of the body that a worker needs.
#[derive(Deserialize)]
struct Body {
    id: EventId,
    #[serde(default)]
    traceparent: Option<String>,
    data: BlockQueued,
}

impl Delivery {
    /// A message's sequence is its event's position: an event that this process appended or read recently is in memory and
    /// need not be parsed.
    pub(super) fn of(message: &Message, log: &Log) -> Result<Self, DeliveryError> {
        let info = message.info().ok();
        let recorded = info.as_ref().and_then(|info| log.in_memory(Position(info.stream_sequence)));
        let in_memory =
            recorded.and_then(|recorded| Self::from_memory(&recorded, &header::<String>(message, "Luci-Hash").ok()?));
        let delivery = in_memory.map_or_else(|| Self::parse(message), Ok)?;
        Ok(Self { first: info.is_some_and(|info| info.delivered == 1), ..delivery })
    }

    /// `None` when the event is not the one that the message's hash names: after Postgres was restored from a backup, the
    /// broker may have other events at the same positions.
    fn from_memory(recorded: &Recorded, hash: &str) -> Option<Self> {
        let (StreamId::Run(run), Event::Block(BlockEvent::Queued(block))) = (recorded.stream_id, &recorded.event)
        else {
            return None;
        };
        if hash_text(&recorded.hash) != hash {
            return None;
        }
        let (tenant, event, queued) = (recorded.tenant_id, recorded.event_id, recorded.version);
        let (block, trace) = (BlockQueued::clone(block), recorded.trace());
        Some(Self { tenant, run, event, queued, block, trace, first: false })
    }

    fn parse(message: &Message) -> Result<Self, DeliveryError> {
        let subject = message.subject.as_str();
        let tenant = subject.split('.').nth(1).and_then(|t| t.parse().ok());
        let Body { id: event, traceparent, data: block } = serde_json::from_slice(&message.payload)?;
        Ok(Self {
            tenant: tenant.ok_or_else(|| DeliveryError::Subject(subject.into()))?,
            run: header(message, "Luci-Stream")?,
            event,
            queued: Version(header(message, "Luci-Version")?),
            block,
            trace: traceparent.and_then(|text| text.parse().ok()),
            first: false,
        })
    }
}

fn header<T: std::str::FromStr>(message: &Message, name: &'static str) -> Result<T, DeliveryError> {
    let headers = message.headers.as_ref().ok_or(DeliveryError::Header(name))?;
    headers.get(name).and_then(|v| v.as_str().parse().ok()).ok_or(DeliveryError::Header(name))
}

#[cfg(test)]
mod tests {
    use luci_schema::{ArtifactId, BlockId};

    use super::*;
    use luci_schema::sample;

    fn queued() -> Recorded {
        let block = serde_json::json!({"blockId": BlockId::generate(), "stage": "enrich", "blockNumber": 1, "sequence": 3,
            "attempt": 0, "retryCount": 0, "artifactId": ArtifactId::generate(), "unix": 1_733_356_800,
            "input": {"kind": "artifact", "artifactId": ArtifactId::generate(), "objectPath": "k", "leads": 250}});
        let block = BlockEvent::Queued(Box::new(serde_json::from_value(block).unwrap()));
        let recorded = sample::recorded(TenantId::generate(), RunId::generate(), block);
        Recorded { version: Version(3), hash: [0x5a; 32], ..recorded }
    }

    #[test]
    fn only_the_event_that_the_message_names_is_taken_from_memory() {
        let recorded = queued();
        let delivery = Delivery::from_memory(&recorded, &"5a".repeat(32)).expect("the same event");
        assert_eq!(
            (delivery.event, delivery.queued, delivery.tenant),
            (recorded.event_id, Version(3), recorded.tenant_id)
        );
        assert!(
            Delivery::from_memory(&recorded, &"5b".repeat(32)).is_none(),
            "another log's event at the same position"
        );
    }
}
