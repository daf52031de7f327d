//! A message of EVT, read as the block that it delivers.

use async_nats::jetstream::Message;
use luci_schema::{
    BlockEvent, Event, EventId, Position, Recorded, RunId, StreamId, TenantId, Version, event::BlockQueued, hash_text,
    log::Log,
};
use serde::Deserialize;

/// One released block, as delivered.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub tenant: TenantId,
    pub run: RunId,
    pub event: EventId,
    pub queued: Version,
    pub block: BlockQueued,
    /// The broker knows of no earlier one: true again of a block in hand when the broker, or its memory, was lost.
    pub first: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("header {0} is missing or wrong")]
    Header(&'static str),
    #[error("subject `{0}` names no tenant")]
    Subject(String),
    #[error("body: {0}")]
    Body(#[from] serde_json::Error),
}

/// The body as far as a worker needs it.
#[derive(Deserialize)]
struct Body {
    id: EventId,
    data: BlockQueued,
}

impl Delivery {
    /// The delivered event. A message's sequence is its position in the log: what this process appended or read a moment ago
    /// it has in memory, and need not parse.
    pub(super) fn of(message: &Message, log: &Log) -> Result<Self, DeliveryError> {
        let info = message.info().ok();
        let recorded = info.as_ref().and_then(|info| log.in_memory(Position(info.stream_sequence)));
        let known = recorded.and_then(|recorded| Self::known(&recorded, &header::<String>(message, "Luci-Hash").ok()?));
        let delivery = known.map_or_else(|| Self::read(message), Ok)?;
        Ok(Self { first: info.is_some_and(|info| info.delivered == 1), ..delivery })
    }

    /// The event in memory, if it is the one that the message's hash names: a broker that has more than the log, as after
    /// Postgres was restored from a backup, has other events at the same places.
    fn known(recorded: &Recorded, hash: &str) -> Option<Self> {
        let (StreamId::Run(run), Event::Block(BlockEvent::Queued(block))) = (recorded.stream_id, &recorded.event)
        else {
            return None;
        };
        if hash_text(&recorded.hash) != hash {
            return None;
        }
        let (tenant, event, queued) = (recorded.tenant_id, recorded.event_id, recorded.version);
        Some(Self { tenant, run, event, queued, block: BlockQueued::clone(block), first: false })
    }

    fn read(message: &Message) -> Result<Self, DeliveryError> {
        let subject = message.subject.as_str();
        let tenant = subject.split('.').nth(1).and_then(|t| t.parse().ok());
        let Body { id: event, data: block } = serde_json::from_slice(&message.payload)?;
        Ok(Self {
            tenant: tenant.ok_or_else(|| DeliveryError::Subject(subject.into()))?,
            run: header(message, "Luci-Stream")?,
            event,
            queued: Version(header(message, "Luci-Version")?),
            block,
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
    use crate::sample;

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
        let known = Delivery::known(&recorded, &"5a".repeat(32)).expect("the same event");
        assert_eq!((known.event, known.queued, known.tenant), (recorded.event_id, Version(3), recorded.tenant_id));
        assert!(Delivery::known(&recorded, &"5b".repeat(32)).is_none(), "another history's event at the same place");
    }
}
