//! A recorded event as CloudEvents 1.0 in structured mode: the body of every message; its hash can be recomputed from it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Actor, CorrelationId, EventId, Recorded, StreamId, TenantId, TraceContext, Version, hash_text};

/// The body's content type.
pub const CLOUD_EVENT_TYPE: &str = "application/cloudevents+json";

/// Approximate bytes of all fields but the data.
const HEADER_BYTES: usize = 1_000;

/// All fields but the data. CloudEvents requires flat, lower-case extension attributes, so `metadata` is JSON text.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: EventId,
    source: Shown<fmt::Arguments<'a>>,
    #[serde(rename = "type")]
    kind: String,
    subject: StreamId,
    time: String,
    datacontenttype: &'static str,
    sequence: Shown<fmt::Arguments<'a>>,
    tenantid: TenantId,
    version: Version,
    actor: Actor,
    commandid: &'a str,
    correlationid: CorrelationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<EventId>,
    /// The extension of that name, for distributed tracing.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceContext>,
    metadata: &'a str,
    previoushash: String,
    hash: String,
}

/// Serialises as text without an intermediate `String`.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl Recorded {
    /// The event as one JSON text. `sequence` is the position in 20 digits, so that it sorts as text.
    pub fn cloud_event(&self) -> String {
        // The data is JSON already and is appended byte for byte, so that its hash can be recomputed.
        self.with_last_field("data", &self.data)
    }

    /// The CloudEvent without its data, for a broker that takes no message of the whole size. `dataref` (the extension of
    /// that name) is `urn:luci:position:{n}`: read the event from the log, by API or from Postgres.
    pub fn cloud_event_reference(&self) -> String {
        self.with_last_field("dataref", &format!("\"urn:luci:position:{}\"", self.position))
    }

    /// The envelope and one more field, whose value is JSON.
    fn with_last_field(&self, name: &str, json: &str) -> String {
        let header = CloudEvent {
            specversion: "1.0",
            id: self.event_id,
            source: Shown(format_args!("/tenants/{}/{}", self.tenant_id, self.stream_id)),
            kind: format!("luci.{}.v{}", self.event_type.replace(':', "."), self.schema_version),
            subject: self.stream_id,
            time: self.recorded_at.rfc3339(),
            datacontenttype: "application/json",
            sequence: Shown(format_args!("{:020}", self.position.0)),
            tenantid: self.tenant_id,
            version: self.version,
            actor: self.actor,
            commandid: self.command_id.as_str(),
            correlationid: self.correlation_id,
            causationid: self.causation_id,
            traceparent: self.trace(),
            metadata: &self.metadata,
            previoushash: hash_text(&self.previous_hash),
            hash: hash_text(&self.hash),
        };
        let mut text = Vec::with_capacity(HEADER_BYTES + json.len());
        // Serialising a struct of strings to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, &header);
        text.pop();
        text.extend_from_slice(b",\"");
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"\":");
        text.extend_from_slice(json.as_bytes());
        text.push(b'}');
        String::from_utf8(text).unwrap_or_default()
    }
}
