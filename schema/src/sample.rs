//! A complete recorded event for tests, at version 1 and position 1.

use crate::{Actor, CommandId, CorrelationId, Event, EventId, Micros, Position, Recorded, StreamId, TenantId, Version};

pub fn recorded(tenant: TenantId, stream: impl Into<StreamId>, event: impl Into<Event>) -> Recorded {
    let event = event.into();
    Recorded {
        position: Position(1),
        version: Version(1),
        event_id: EventId::generate(),
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        tenant_id: tenant,
        stream_id: stream.into(),
        actor: Actor::System,
        command_id: CommandId::derive(&["test"]),
        correlation_id: CorrelationId::generate(),
        causation_id: None,
        recorded_at: Micros(0),
        data: event.data().expect("text"),
        metadata: "{}".into(),
        previous_hash: [0; 32],
        hash: [0; 32],
        event,
    }
}
