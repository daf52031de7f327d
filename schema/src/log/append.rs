//! Appends: the request, the answer, and the prepared form (validated, ids assigned, data serialised).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    Actor, CommandId, CorrelationId, Event, EventId, Hash, Micros, Position, Recorded, StreamId, TenantId,
    TraceContext, Version, hash_text, json, recorded::GENESIS,
};

/// Largest append, in bytes of event data. Leads belong in artifacts, not in events.
pub const MAX_APPEND_BYTES: usize = 1 << 20;
/// Largest event, in bytes of its data. Below what a broker takes by default (1 MiB), with room for the envelope and for what
/// a later event of the stream adds to this one's data.
pub const MAX_EVENT_BYTES: usize = 1 << 19;
/// Most events of one append.
pub const MAX_APPEND_EVENTS: usize = 10_000;

/// Events to append to one stream, all or none.
#[derive(Debug, Clone)]
pub struct Append {
    pub tenant: TenantId,
    pub stream: StreamId,
    /// The version that the stream must have; 0 when it must not exist yet.
    pub expected: Version,
    /// May be empty only with a receipt, which then records a command that was already in effect.
    pub events: Vec<Event>,
    pub actor: Actor,
    pub command: CommandId,
    pub correlation: CorrelationId,
    pub causation: Option<EventId>,
    /// For commands from outside: the same command again returns `AlreadyDone`.
    pub receipt: Option<NewReceipt>,
}

/// A receipt to store for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceipt {
    /// SHA-256 of the request body; the same key with another body is a caller's error.
    pub body_digest: Hash,
    /// The data that the answer is rendered from.
    pub outcome: Value,
}

/// The metadata of an event: what the hash chain covers beside the event itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventMetadata {
    /// Of the last event of a command from outside: `receipt_digest` of its receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The trace that the command belongs to, if any: work that the event begins continues it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl EventMetadata {
    fn text(&self) -> Result<String, AppendError> {
        if *self == Self::default() {
            return Ok("{}".into());
        }
        json::canonical(self).map_err(|e| AppendError::Invalid(e.to_string()))
    }
}

/// SHA-256 over a receipt's body digest and the bytes of its outcome, in lower hex.
pub fn receipt_digest(body_digest: &Hash, outcome: &str) -> String {
    hash_text(&Sha256::new().chain_update(body_digest).chain_update(outcome).finalize().into())
}

/// The stored receipt of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub body_digest: Hash,
    pub outcome: Value,
    /// Position of the command's last event.
    pub position: Position,
}

/// A result of `append` (committed) or `append_in` (committed with the caller's transaction).
#[derive(Debug, Clone)]
pub struct Appended {
    pub events: Vec<Arc<Recorded>>,
    pub(super) position: Position,
    pub(super) version: Version,
}

impl Appended {
    /// Position of the last event; the log's head when there was none.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The stream's version after the last event.
    pub fn version(&self) -> Version {
        self.version
    }
}

/// Why nothing was appended. After `Database` and `Closed` it may have been.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("version conflict: the stream is at version {actual}")]
    Conflict { actual: Version },
    #[error("this command was executed before, at position {}", .0.position)]
    AlreadyDone(Receipt),
    #[error("no such stream for this tenant")]
    NotFound,
    #[error("invalid append: {0}")]
    Invalid(String),
    /// `event_type` is `None` where not one event but their sum is too large.
    #[error("{} of {bytes} bytes: at most {most}", .event_type.as_deref().unwrap_or("an append"))]
    TooLarge { event_type: Option<String>, bytes: usize, most: usize },
    /// Somebody inserted an event past the head: nothing can be appended before it is removed.
    #[error("the log is damaged: an event at position {0} is past the head of the log")]
    Beyond(Position),
    /// Nothing may be recorded before an operator has decided; the text says why.
    #[error("the log is halted: {0}")]
    Halted(String),
    #[error("the log is closed")]
    Closed,
    #[error("log database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A validated append: it can only fail by a conflict, a receipt or a database error.
#[derive(Debug)]
pub(super) struct Prepared {
    pub tenant: TenantId,
    pub stream: StreamId,
    pub expected: Version,
    pub command: CommandId,
    /// Complete except for position, time and hashes.
    pub events: Vec<Recorded>,
    /// With the outcome as canonical JSON.
    pub receipt: Option<(NewReceipt, String)>,
    pub bytes: usize,
}

impl Prepared {
    pub fn new(append: Append) -> Result<Self, AppendError> {
        let receipt = match append.receipt {
            Some(receipt) => {
                let text = json::canonical(&receipt.outcome).map_err(|e| AppendError::Invalid(e.to_string()))?;
                Some((receipt, text))
            }
            None => None,
        };
        if append.events.is_empty() && receipt.is_none() {
            return Err(AppendError::Invalid("no events".into()));
        }
        if append.events.len() > MAX_APPEND_EVENTS {
            return Err(AppendError::Invalid(format!("{} events, at most 10000 in one append", append.events.len())));
        }
        let mut prepared = Self {
            tenant: append.tenant,
            stream: append.stream,
            expected: append.expected,
            command: append.command,
            events: Vec::with_capacity(append.events.len()),
            bytes: receipt.as_ref().map_or(0, |(_, text)| text.len()),
            receipt,
        };
        let traceparent = TraceContext::current().map(|trace| trace.to_string());
        let metadata = EventMetadata { receipt: None, traceparent };
        let text = metadata.text()?;
        for event in append.events {
            let mut recorded = prepared.record(event, append.actor, append.correlation, append.causation)?;
            recorded.metadata.clone_from(&text);
            prepared.bytes += recorded.data.len() + 400;
            prepared.events.push(recorded);
        }
        if let (Some((receipt, outcome)), Some(last)) = (&prepared.receipt, prepared.events.last_mut()) {
            let receipt = Some(receipt_digest(&receipt.body_digest, outcome));
            last.metadata = EventMetadata { receipt, ..metadata }.text()?;
        }
        if prepared.bytes > MAX_APPEND_BYTES {
            return Err(AppendError::TooLarge { event_type: None, bytes: prepared.bytes, most: MAX_APPEND_BYTES });
        }
        Ok(prepared)
    }

    fn record(
        &self,
        event: Event,
        actor: Actor,
        correlation_id: CorrelationId,
        causation_id: Option<EventId>,
    ) -> Result<Recorded, AppendError> {
        if let Event::Unknown(name) = &event {
            return Err(AppendError::Invalid(format!("unknown event type {name}")));
        }
        let data = event.data().map_err(|e| AppendError::Invalid(e.to_string()))?;
        if data.len() > MAX_EVENT_BYTES {
            let event_type = Some(event.type_name().into());
            return Err(AppendError::TooLarge { event_type, bytes: data.len(), most: MAX_EVENT_BYTES });
        }
        // Postgres would store it, but its JSON functions cannot read it.
        if data.contains("\\u0000") {
            return Err(AppendError::Invalid("text contains U+0000".into()));
        }
        Ok(Recorded {
            position: Position(0),
            version: Version(self.expected.0 + self.events.len() as u64 + 1),
            event_id: EventId::generate(),
            event_type: event.type_name().into(),
            schema_version: event.schema_version(),
            tenant_id: self.tenant,
            stream_id: self.stream,
            actor,
            command_id: self.command.clone(),
            correlation_id,
            causation_id,
            recorded_at: Micros(0),
            data,
            metadata: "{}".into(),
            previous_hash: GENESIS,
            hash: GENESIS,
            event,
        })
    }

    /// Moves the events out, with the positions that end at `last`.
    pub fn placed(&mut self, last: Position) -> Appended {
        let version = Version(self.expected.0 + self.events.len() as u64);
        let first = last.0 + 1 - self.events.len() as u64;
        let events = std::mem::take(&mut self.events);
        let placed = events.into_iter().zip(first..).map(|(mut event, position)| {
            event.position = Position(position);
            Arc::new(event)
        });
        Appended { events: placed.collect(), position: last, version }
    }
}
