//! A message of EVT, read as the block that it delivers.

use async_nats::jetstream::Message;
use luci_schema::{EventId, RunId, TenantId, Version, event::BlockQueued};
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
    pub(super) fn read(message: &Message) -> Result<Self, DeliveryError> {
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
