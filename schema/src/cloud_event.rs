//! A recorded event as CloudEvents 1.0 in structured mode: the body of every message, from which its hash can be rebuilt.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Recorded;

/// The body's content type.
pub const CLOUD_EVENT_TYPE: &str = "application/cloudevents+json";

/// Extension attributes are lower case and flat, as CloudEvents asks; `metadata` is therefore its text.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    sequence: String,
    tenantid: String,
    version: u64,
    actor: String,
    commandid: &'a str,
    correlationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    metadata: &'a str,
    previoushash: String,
    hash: String,
    data: &'a RawValue,
}

impl Recorded {
    /// The event as one JSON text. `sequence` is the position in 20 digits, so that it sorts as text.
    pub fn cloud_event(&self) -> String {
        // Both are our own output: data was written as JSON, and a struct of strings always can be.
        let data = serde_json::from_str(&self.data).unwrap_or(RawValue::NULL);
        let body = CloudEvent {
            specversion: "1.0",
            id: self.event_id.to_string(),
            source: format!("/tenants/{}/{}", self.tenant_id, self.stream_id),
            kind: format!("luci.{}.v{}", self.event_type.replace(':', "."), self.schema_version),
            subject: self.stream_id.to_string(),
            time: self.recorded_at.rfc3339(),
            datacontenttype: "application/json",
            sequence: format!("{:020}", self.position.0),
            tenantid: self.tenant_id.to_string(),
            version: self.version.0,
            actor: self.actor.to_string(),
            commandid: self.command_id.as_str(),
            correlationid: self.correlation_id.to_string(),
            causationid: self.causation_id.map(|id| id.to_string()),
            metadata: &self.metadata,
            previoushash: hex::encode(self.previous_hash),
            hash: hex::encode(self.hash),
            data,
        };
        serde_json::to_string(&body).unwrap_or_default()
    }
}
