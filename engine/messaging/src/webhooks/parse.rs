//! Parses a delivery into the events that LUCI acts on.

use luci_leads::normalise::phone;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    rules::delivery_status::{CallResult, DeliveryStatus},
    webhooks::{WebhookDelivery, WebhookSource},
};

/// An event of a provider. Numbers in E.164; `provider_status` is the provider's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderEvent {
    /// The delivery report of a message.
    MessageStatus {
        provider_id: String,
        status: DeliveryStatus,
        provider_status: String,
        error: Option<String>,
        to: Option<String>,
    },
    CallEnded {
        provider_id: String,
        result: CallResult,
        provider_status: String,
    },
    MessageReceived {
        from: String,
        to: String,
        text: String,
    },
    /// The recipient wants no more e-mail.
    Unsubscribed {
        email: String,
    },
    /// Stored and recorded, without effect.
    Other,
}

/// All events of a delivery.
pub fn parse(delivery: &WebhookDelivery) -> Vec<ProviderEvent> {
    match delivery.source {
        WebhookSource::SignalHouse => vec![signalhouse(&json(delivery))],
        WebhookSource::Twilio => vec![twilio(&delivery.form())],
        WebhookSource::SendGrid => sendgrid(&json(delivery)),
        WebhookSource::Stripe
        | WebhookSource::RealEstate
        | WebhookSource::Tracerfy
        | WebhookSource::Apollo
        | WebhookSource::Generic => vec![ProviderEvent::Other],
    }
}

/// The event's type: `message.received`, `invoice.paid` …; at most 64 of `a-z 0-9 . _ -`.
pub fn event_type(delivery: &WebhookDelivery) -> String {
    let body = || json(delivery);
    let name = match delivery.source {
        WebhookSource::SignalHouse => signalhouse_event(&body()),
        WebhookSource::Twilio => twilio_kind(&delivery.form()).to_owned(),
        WebhookSource::Stripe => text(&body(), &["type"]).unwrap_or_default(),
        WebhookSource::SendGrid => "email.events".to_owned(),
        WebhookSource::RealEstate if body()["status"] == "failed" => "skiptrace.failed".to_owned(),
        WebhookSource::RealEstate => "skiptrace.completed".to_owned(),
        WebhookSource::Tracerfy => "trace.completed".to_owned(),
        WebhookSource::Apollo => "person.phones".to_owned(),
        WebhookSource::Generic => text(&body(), &["event", "type"]).unwrap_or_default(),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.to_lowercase().chars().filter(|c| allowed(*c)).take(64).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Identifies a delivery among those of its source: the source's own id, else the SHA-256 of the body.
pub fn external_id(delivery: &WebhookDelivery) -> String {
    let body = || json(delivery);
    let id = match delivery.source {
        // One message has several reports with the same id, so the event is part of it.
        WebhookSource::SignalHouse => {
            let body = body();
            text(&body, SIGNALHOUSE_IDS).map(|id| format!("{}:{id}", signalhouse_event(&body)))
        }
        WebhookSource::Twilio => twilio_id(&delivery.form()),
        WebhookSource::Stripe => text(&body(), &["id"]),
        WebhookSource::Generic => {
            delivery.header("webhook-id").or_else(|| delivery.header("x-webhook-id")).map(str::to_owned)
        }
        WebhookSource::SendGrid | WebhookSource::RealEstate | WebhookSource::Tracerfy | WebhookSource::Apollo => None,
    };
    id.filter(|id| (1..=200).contains(&id.len())).unwrap_or_else(|| hex::encode(Sha256::digest(&delivery.body)))
}

/// Numbers that may be the tenant's, for deliveries without a token: the recipient of a message, the sender of a report.
pub fn own_numbers(delivery: &WebhookDelivery) -> Vec<String> {
    let numbers = match delivery.source {
        WebhookSource::SignalHouse => {
            let body = json(delivery);
            [text(&body, &["to"]), text(&body, &["from"])]
        }
        WebhookSource::Twilio => {
            let form = delivery.form();
            [field(&form, "To"), field(&form, "From")]
        }
        _ => [None, None],
    };
    numbers.into_iter().flatten().filter_map(|number| phone::normalise(&number)).collect()
}

fn json(delivery: &WebhookDelivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap_or(Value::Null)
}

/// The first of these fields that is a string or a number, at the top level or below `data`.
fn text(body: &Value, names: &[&str]) -> Option<String> {
    let of = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    names.iter().find_map(|name| of(&body[*name])).or_else(|| names.iter().find_map(|name| of(&body["data"][*name])))
}

const SIGNALHOUSE_IDS: &[&str] = &["message_id", "messageId", "message_sid", "messageSid", "id"];

/// Normalises `SMS_RECEIVED` and `sms.received` to `message.received`.
fn signalhouse_event(body: &Value) -> String {
    let event = text(body, &["event", "type"]).unwrap_or_default().to_lowercase().replace('_', ".");
    match event.strip_prefix("sms.") {
        Some(rest) => format!("message.{rest}"),
        None => event,
    }
}

fn signalhouse(body: &Value) -> ProviderEvent {
    let event = signalhouse_event(body);
    let number = |name: &str| text(body, &[name]).and_then(|number| phone::normalise(&number));
    if event == "message.received" || event == "mms.received" {
        let text = text(body, &["text", "body", "message"]).unwrap_or_default();
        return match (number("from"), number("to")) {
            (Some(from), Some(to)) => ProviderEvent::MessageReceived { from, to, text },
            _ => ProviderEvent::Other,
        };
    }
    let provider_status = event.strip_prefix("message.").or_else(|| event.strip_prefix("mms.")).unwrap_or_default();
    match (delivery_status(provider_status), text(body, SIGNALHOUSE_IDS)) {
        (Some(status), Some(provider_id)) => {
            let error = text(body, &["error_code", "errorCode"]).filter(|code| !code.is_empty());
            let (provider_status, to) = (provider_status.to_owned(), number("to"));
            ProviderEvent::MessageStatus { provider_id, status, provider_status, error, to }
        }
        _ => ProviderEvent::Other,
    }
}

fn delivery_status(text: &str) -> Option<DeliveryStatus> {
    Some(match text {
        "sent" => DeliveryStatus::Sent,
        "delivered" => DeliveryStatus::Delivered,
        "failed" => DeliveryStatus::Failed,
        "undelivered" => DeliveryStatus::Undelivered,
        _ => return None,
    })
}

/// Twilio's `CallStatus`; none while the call goes on.
fn call_result(text: &str) -> Option<CallResult> {
    Some(match text {
        "completed" => CallResult::Completed,
        "busy" | "no-answer" => CallResult::NoAnswer,
        "failed" | "canceled" => CallResult::Failed,
        _ => return None,
    })
}

fn field(form: &[(String, String)], name: &str) -> Option<String> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn twilio_kind(form: &[(String, String)]) -> &'static str {
    let call = field(form, "CallSid").is_some();
    match field(form, "Direction").as_deref() {
        Some("inbound") if call => "call.inbound",
        _ if call => "call.status",
        _ if twilio_status(form).is_some() => "message.status",
        _ => "message.received",
    }
}

/// The status of a delivery report; an incoming message has none, or `received`.
fn twilio_status(form: &[(String, String)]) -> Option<String> {
    field(form, "MessageStatus").or_else(|| field(form, "SmsStatus")).filter(|status| status != "received")
}

fn twilio_id(form: &[(String, String)]) -> Option<String> {
    match (field(form, "CallSid"), field(form, "MessageSid").or_else(|| field(form, "SmsSid"))) {
        (Some(call), _) => Some(format!("{call}:{}", field(form, "CallStatus").unwrap_or_default())),
        (None, Some(message)) => Some(format!("{message}:{}", twilio_status(form).unwrap_or("received".into()))),
        (None, None) => None,
    }
}

fn twilio(form: &[(String, String)]) -> ProviderEvent {
    let number = |name: &str| field(form, name).and_then(|number| phone::normalise(&number));
    if let Some(provider_id) = field(form, "CallSid") {
        let provider_status = field(form, "CallStatus").unwrap_or_default();
        return match call_result(&provider_status) {
            Some(result) => ProviderEvent::CallEnded { provider_id, result, provider_status },
            None => ProviderEvent::Other,
        };
    }
    let Some(provider_status) = twilio_status(form) else {
        let text = field(form, "Body").unwrap_or_default();
        return match (number("From"), number("To")) {
            (Some(from), Some(to)) => ProviderEvent::MessageReceived { from, to, text },
            _ => ProviderEvent::Other,
        };
    };
    match (delivery_status(&provider_status), field(form, "MessageSid").or_else(|| field(form, "SmsSid"))) {
        (Some(status), Some(provider_id)) => {
            let error = field(form, "ErrorCode").filter(|code| !code.is_empty());
            ProviderEvent::MessageStatus { provider_id, status, provider_status, error, to: number("To") }
        }
        _ => ProviderEvent::Other,
    }
}

fn sendgrid(body: &Value) -> Vec<ProviderEvent> {
    let parse_event = |event: &Value| {
        let name = event["event"].as_str().unwrap_or_default();
        match name {
            "unsubscribe" | "group_unsubscribe" | "spamreport" => {
                let email = event["email"].as_str().and_then(luci_leads::normalise::email::normalise);
                email.map_or(ProviderEvent::Other, |email| ProviderEvent::Unsubscribed { email })
            }
            "delivered" | "bounce" | "bounced" | "dropped" => {
                let status = if name == "delivered" { DeliveryStatus::Delivered } else { DeliveryStatus::Undelivered };
                let provider_id = event["sg_message_id"].as_str().unwrap_or_default().to_owned();
                let provider_status = name.to_owned();
                ProviderEvent::MessageStatus { provider_id, status, provider_status, error: None, to: None }
            }
            _ => ProviderEvent::Other,
        }
    };
    body.as_array().map(|events| events.iter().map(parse_event).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn delivery(source: WebhookSource, body: &str) -> WebhookDelivery {
        WebhookDelivery { source, headers: HashMap::new(), url: String::new(), body: body.to_owned().into() }
    }

    #[test]
    fn an_event_has_one_type_and_each_report_its_own_id() {
        use WebhookSource::*;
        for (source, body, named, id) in [
            (SignalHouse, r#"{"event":"SMS_RECEIVED","message_id":"m1"}"#, "message.received", "message.received:m1"),
            (SignalHouse, r#"{"event":"message.sent","data":{"messageSid":"m1"}}"#, "message.sent", "message.sent:m1"),
            (SignalHouse, r#"{"event":"brand.add","id":"b1"}"#, "brand.add", "brand.add:b1"),
            (Twilio, "MessageSid=SM1&SmsStatus=received&Body=hi", "message.received", "SM1:received"),
            (Twilio, "MessageSid=SM1&MessageStatus=delivered", "message.status", "SM1:delivered"),
            (Twilio, "CallSid=CA1&CallStatus=no-answer&Direction=outbound-api", "call.status", "CA1:no-answer"),
            (Twilio, "CallSid=CA1&CallStatus=ringing&Direction=inbound", "call.inbound", "CA1:ringing"),
            (Stripe, r#"{"id":"evt_1","type":"invoice.paid"}"#, "invoice.paid", "evt_1"),
        ] {
            let delivery = delivery(source, body);
            assert_eq!((event_type(&delivery).as_str(), external_id(&delivery).as_str()), (named, id), "{body}");
        }
        let without = delivery(SignalHouse, "no JSON at all");
        assert_eq!((event_type(&without).as_str(), external_id(&without).len()), ("unknown", 64));
        assert_eq!(parse(&without), [ProviderEvent::Other]);
    }

    #[test]
    fn numbers_are_normalised() {
        let body = r#"{"event":"sms.received","from":"917-555-0101","to":"12125550100","text":"Hi"}"#;
        let event = ProviderEvent::MessageReceived {
            from: "+19175550101".into(),
            to: "+12125550100".into(),
            text: "Hi".into(),
        };
        assert_eq!(parse(&delivery(WebhookSource::SignalHouse, body)), [event]);
        let numbers = own_numbers(&delivery(WebhookSource::Twilio, "To=%2B12125550100&From=%2B19175550101"));
        assert_eq!(numbers, ["+12125550100", "+19175550101"]);
    }
}
