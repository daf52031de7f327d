//! A message of EVT, read as the block that it delivers.

use async_nats::jetstream::Message;
use luci_schema::{
    BlockEvent, Event, EventId, Position, Recorded, RunId, StreamId, TenantId, Version, event::BlockQueued, log::Log,
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
        let sequence = message.info().ok().map(|info| Position(info.stream_sequence));
        match sequence.and_then(|position| log.in_memory(position)).and_then(|recorded| Self::recorded(&recorded)) {
            Some(delivery) => Ok(delivery),
            None => Self::read(message),
        }
    }

    fn recorded(recorded: &Recorded) -> Option<Self> {
        let (StreamId::Run(run), Event::Block(BlockEvent::Queued(block))) = (recorded.stream_id, &recorded.event)
        else {
            return None;
        };
        let (tenant, event, queued) = (recorded.tenant_id, recorded.event_id, recorded.version);
        Some(Self { tenant, run, event, queued, block: BlockQueued::clone(block) })
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
        })
    }
}

fn header<T: std::str::FromStr>(message: &Message, name: &'static str) -> Result<T, DeliveryError> {
    let headers = message.headers.as_ref().ok_or(DeliveryError::Header(name))?;
    headers.get(name).and_then(|v| v.as_str().parse().ok()).ok_or(DeliveryError::Header(name))
}
