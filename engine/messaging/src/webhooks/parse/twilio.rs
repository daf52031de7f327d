//! Twilio: forms, and JSON with the same fields (as an object, or as the list of events of Event Streams).

use serde_json::Value;

use super::{ProviderEvent, delivery_status, under_way};
use crate::{
    rules::{delivery_status::CallResult, party, reply::CarrierVerdict},
    webhooks::WebhookDelivery,
};

/// The fields of one event, in their order.
struct Fields(Vec<(String, String)>);

impl Fields {
    /// Names differ in case between forms and streams.
    fn get(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.trim().is_empty());
        found.map(|(_, value)| value.clone())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    fn message_id(&self) -> Option<String> {
        ["MessageSid", "SmsSid", "SmsMessageSid"].iter().find_map(|name| self.get(name))
    }

    /// The status of a delivery report; an incoming message has none, or `received`.
    fn status(&self) -> Option<String> {
        let status = self.get("MessageStatus").or_else(|| self.get("SmsStatus"))?.to_lowercase();
        Some(status).filter(|status| !matches!(status.as_str(), "received" | "receiving"))
    }
}

fn events(delivery: &WebhookDelivery) -> Vec<Fields> {
    match delivery.json() {
        Some(Value::Array(events)) => events.iter().map(of_object).collect(),
        Some(document @ Value::Object(_)) => vec![of_object(&document)],
        _ => vec![Fields(delivery.form())],
    }
}

fn of_object(event: &Value) -> Fields {
    let object = event.get("data").filter(|data| data.is_object()).unwrap_or(event);
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Number(number) => Some((name.clone(), number.to_string())),
        _ => None,
    };
    Fields(object.as_object().into_iter().flatten().filter_map(text).collect())
}

pub fn parse(delivery: &WebhookDelivery) -> Vec<ProviderEvent> {
    let events = events(delivery);
    if events.is_empty() { vec![ProviderEvent::Unread("no_message")] } else { events.iter().map(parse_one).collect() }
}

fn parse_one(fields: &Fields) -> ProviderEvent {
    if let Some(provider_id) = fields.get("CallSid") {
        return call(fields, provider_id);
    }
    if let Some(status) = fields.status() {
        return report(fields, &status);
    }
    let sender = fields.get("From").or_else(|| fields.get("Author"));
    if fields.message_id().is_none() && sender.is_none() {
        return ProviderEvent::Unread("no_message");
    }
    let picture = fields.get("NumMedia").is_some_and(|count| count != "0");
    let text = fields.get("Body").or_else(|| (fields.has("Body") || picture).then(String::new));
    let verdict = fields.get("OptOutType").and_then(|word| CarrierVerdict::parse(&word));
    match (sender.and_then(|number| party::number(&number)), text) {
        (Some(from), Some(text)) => ProviderEvent::MessageReceived { from, text, verdict },
        // The verdict needs no text.
        (Some(from), None) if verdict.is_some() => {
            ProviderEvent::MessageReceived { from, text: String::new(), verdict }
        }
        (Some(_), None) => ProviderEvent::Unread("no_text"),
        (None, _) => ProviderEvent::Unread("no_sender"),
    }
}

fn report(fields: &Fields, status: &str) -> ProviderEvent {
    match (delivery_status(status), fields.message_id()) {
        (Some(known), Some(provider_id)) => {
            let to = fields.get("To").and_then(|number| party::number(&number));
            let (provider_status, error) = (status.to_owned(), fields.get("ErrorCode"));
            ProviderEvent::MessageStatus { provider_id, status: known, provider_status, error, to }
        }
        (Some(_), None) => ProviderEvent::Unread("no_message_id"),
        (None, _) if under_way(status) => ProviderEvent::Other,
        (None, _) => ProviderEvent::Unread("unknown_status"),
    }
}

fn call(fields: &Fields, provider_id: String) -> ProviderEvent {
    let provider_status = fields.get("CallStatus").unwrap_or_default();
    let result = match provider_status.to_lowercase().as_str() {
        "completed" => CallResult::Completed,
        "busy" | "no-answer" => CallResult::NoAnswer,
        "failed" | "canceled" => CallResult::Failed,
        "" | "queued" | "initiated" | "ringing" | "in-progress" | "answered" => return ProviderEvent::Other,
        _ => return ProviderEvent::Unread("unknown_status"),
    };
    ProviderEvent::CallEnded { provider_id, result, provider_status }
}

pub fn kind(delivery: &WebhookDelivery) -> &'static str {
    let Some(fields) = events(delivery).into_iter().next() else { return "unknown" };
    let call = fields.get("CallSid").is_some();
    match fields.get("Direction").as_deref() {
        Some("inbound") if call => "call.inbound",
        _ if call => "call.status",
        _ if fields.status().is_some() => "message.status",
        _ => "message.received",
    }
}

pub fn id(delivery: &WebhookDelivery) -> Option<String> {
    let [fields] = &events(delivery)[..] else { return None };
    match (fields.get("CallSid"), fields.message_id()) {
        (Some(call), _) => Some(format!("{call}:{}", fields.get("CallStatus").unwrap_or_default())),
        (None, Some(message)) => Some(format!("{message}:{}", fields.status().unwrap_or("received".into()))),
        (None, None) => None,
    }
}

/// The receiver, its messaging service, and the sender.
pub fn ends(delivery: &WebhookDelivery) -> Vec<Option<String>> {
    let Some(fields) = events(delivery).into_iter().next() else { return Vec::new() };
    ["To", "MessagingServiceSid", "From"].iter().map(|name| fields.get(name)).collect()
}
