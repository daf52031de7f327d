//! SignalHouse: JSON, flat or below `data`, with events in several spellings.

use serde_json::Value;

use super::{ProviderEvent, delivery_status, text, under_way};
use crate::rules::party;

const IDS: &[&str] = &["message_id", "messageId", "message_sid", "messageSid", "id"];
const TEXTS: &[&str] = &["text", "body", "message"];
const MEDIA: &[&str] = &["media", "media_url", "mediaUrl", "mediaUrls", "media_urls"];

/// Normalises `SMS_RECEIVED` and `sms.received` to `message.received`.
pub fn event(body: &Value) -> String {
    let body = body.get(0).unwrap_or(body);
    let event = text(body, &["event", "type"]).unwrap_or_default().trim().to_lowercase().replace('_', ".");
    match event.strip_prefix("sms.") {
        Some(rest) => format!("message.{rest}"),
        None => event,
    }
}

/// One message has several reports with the same id, so the event is part of it.
pub fn id(body: &Value) -> Option<String> {
    if body.is_array() {
        return None;
    }
    text(body, IDS).map(|id| format!("{}:{id}", event(body)))
}

pub fn parse(body: &Value) -> Vec<ProviderEvent> {
    match body.as_array() {
        Some(events) if !events.is_empty() => events.iter().map(parse_one).collect(),
        _ => vec![parse_one(body)],
    }
}

fn parse_one(body: &Value) -> ProviderEvent {
    let event = event(body);
    let number = |name: &str| text(body, &[name]).and_then(|number| party::number(&number));
    let sent_to_us = ["message.", "mms."].iter().find_map(|kind| event.strip_prefix(kind));
    if sent_to_us.is_some_and(|way| matches!(way, "received" | "inbound" | "incoming")) {
        let media = MEDIA.iter().any(|name| !body[*name].is_null() || !body["data"][*name].is_null());
        let words = text(body, TEXTS).or_else(|| media.then(String::new));
        return match (number("from"), words) {
            (Some(from), Some(text)) => ProviderEvent::MessageReceived { from, text, verdict: None },
            (None, _) => ProviderEvent::Unread("no_sender"),
            (_, None) => ProviderEvent::Unread("no_text"),
        };
    }
    if event.is_empty() {
        return ProviderEvent::Unread("no_event");
    }
    let Some(status) = event.strip_prefix("message.").or_else(|| event.strip_prefix("mms.")) else {
        // Somebody's words under a name that is not known.
        let words = number("from").is_some() && text(body, &TEXTS[..2]).is_some();
        return if words { ProviderEvent::Unread("unknown_event") } else { ProviderEvent::Other };
    };
    match (delivery_status(status), text(body, IDS)) {
        (Some(known), Some(provider_id)) => {
            let error = text(body, &["error_code", "errorCode"]).filter(|code| !code.is_empty());
            let (provider_status, to) = (status.to_owned(), number("to"));
            ProviderEvent::MessageStatus { provider_id, status: known, provider_status, error, to }
        }
        (Some(_), None) => ProviderEvent::Unread("no_message_id"),
        (None, _) if under_way(status) => ProviderEvent::Other,
        (None, _) => ProviderEvent::Unread("unknown_status"),
    }
}
