//! An event with its envelope as text, as the API returns it and an export file holds it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Actor, CommandId, CorrelationId, Event, EventId, Hash, Micros, Position, Recorded, StreamId, TenantId, Version,
};

/// An event with its envelope.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventText<'a> {
    pub position: Position,
    pub version: Version,
    pub event_id: EventId,
    #[serde(rename = "type", borrow)]
    pub event_type: Cow<'a, str>,
    pub schema_version: u16,
    pub tenant_id: TenantId,
    pub stream_id: StreamId,
    pub actor: Actor,
    pub command_id: CommandId,
    pub correlation_id: CorrelationId,
    pub causation_id: Option<EventId>,
    /// The hashed time; `recorded_at` is the same as text.
    pub recorded_at_micros: Micros,
    pub recorded_at: String,
    #[serde(borrow)]
    pub data: &'a RawValue,
    #[serde(borrow)]
    pub metadata: &'a RawValue,
    #[serde(with = "hex::serde")]
    pub previous_hash: Hash,
    #[serde(with = "hex::serde")]
    pub hash: Hash,
}

impl<'a> TryFrom<&'a Recorded> for EventText<'a> {
    /// When the stored data is not JSON.
    type Error = serde_json::Error;

    fn try_from(event: &'a Recorded) -> Result<Self, Self::Error> {
        Ok(Self {
            position: event.position,
            version: event.version,
            event_id: event.event_id,
            event_type: Cow::Borrowed(&event.event_type),
            schema_version: event.schema_version,
            tenant_id: event.tenant_id,
            stream_id: event.stream_id,
            actor: event.actor,
            command_id: event.command_id.clone(),
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            recorded_at_micros: event.recorded_at,
            recorded_at: event.recorded_at.rfc3339(),
            data: serde_json::from_str(&event.data)?,
            metadata: serde_json::from_str(&event.metadata)?,
            previous_hash: event.previous_hash,
            hash: event.hash,
        })
    }
}

impl EventText<'_> {
    /// For the hash chain, which needs only the bytes: the event is not decoded.
    pub(super) fn undecoded(self) -> Recorded {
        Recorded {
            position: self.position,
            version: self.version,
            event_id: self.event_id,
            event: Event::Unknown(self.event_type.clone().into_owned()),
            event_type: self.event_type.into_owned(),
            schema_version: self.schema_version,
            tenant_id: self.tenant_id,
            stream_id: self.stream_id,
            actor: self.actor,
            command_id: self.command_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            recorded_at: self.recorded_at_micros,
            data: self.data.get().to_owned(),
            metadata: self.metadata.get().to_owned(),
            previous_hash: self.previous_hash,
            hash: self.hash,
        }
    }
}
