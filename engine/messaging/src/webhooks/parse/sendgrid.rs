//! SendGrid: a list of e-mail events. LUCI sends no e-mail yet: only those who want no more are of interest.

use luci_leads::normalise::email;
use serde_json::Value;

use super::ProviderEvent;

pub fn parse(body: &Value) -> Vec<ProviderEvent> {
    match body {
        Value::Array(events) if !events.is_empty() => events.iter().map(parse_one).collect(),
        Value::Object(_) => vec![parse_one(body)],
        _ => vec![ProviderEvent::Unread("no_event")],
    }
}

fn parse_one(event: &Value) -> ProviderEvent {
    match event["event"].as_str() {
        Some(name) if is_refusal(name, event) => {
            let email = event["email"].as_str().and_then(email::normalise);
            email.map_or(ProviderEvent::Unread("no_address"), |email| ProviderEvent::Unsubscribed { email })
        }
        Some(_) => ProviderEvent::Other,
        None => ProviderEvent::Unread("no_event"),
    }
}

/// Whether the recipient wants no more; SendGrid drops what goes to one who has said so before.
fn is_refusal(name: &str, event: &Value) -> bool {
    let before = || matches!(event["reason"].as_str(), Some("Unsubscribed Address" | "Spam Reporting Address"));
    matches!(name, "unsubscribe" | "group_unsubscribe" | "spamreport") || (name == "dropped" && before())
}
