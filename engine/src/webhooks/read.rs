//! What a delivery says, in our own words.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Delivery, Source};
use crate::{book::attempts::Report, lead::phone};

/// What happened, as far as it concerns LUCI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What became of a message that was sent.
    Status { provider_id: String, report: Report, word: String, error: Option<String>, to: Option<String> },
    /// How a call ended, in the provider's word.
    Call { provider_id: String, word: String },
    /// Somebody wrote. Numbers in E.164.
    Message { from: String, to: String, text: String },
    /// Somebody wants no more e-mail.
    Unsubscribed { email: String },
    /// Stored and told of; LUCI itself does nothing.
    Other,
}

/// Everything that a delivery tells.
pub fn read(delivery: &Delivery) -> Vec<Told> {
    match delivery.source {
        Source::SignalHouse => vec![signalhouse(&json(delivery))],
        Source::Twilio => vec![twilio(&delivery.form())],
        Source::SendGrid => sendgrid(&json(delivery)),
        Source::Stripe | Source::RealEstate | Source::Tracerfy | Source::Apollo | Source::Generic => vec![Told::Other],
    }
}

/// What it is called: `message.received`, `invoice.paid` …; at most 64 of `a-z 0-9 . _ -`.
pub fn kind(delivery: &Delivery) -> String {
    let body = || json(delivery);
    let kind = match delivery.source {
        Source::SignalHouse => signalhouse_event(&body()),
        Source::Twilio => twilio_kind(&delivery.form()).to_owned(),
        Source::Stripe => text(&body(), &["type"]).unwrap_or_default(),
        Source::SendGrid => "email.events".to_owned(),
        Source::RealEstate if body()["status"] == "failed" => "skiptrace.failed".to_owned(),
        Source::RealEstate => "skiptrace.completed".to_owned(),
        Source::Tracerfy => "trace.completed".to_owned(),
        Source::Apollo => "person.phones".to_owned(),
        Source::Generic => text(&body(), &["event", "type"]).unwrap_or_default(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kind: String = kind.to_lowercase().chars().filter(|c| plain(*c)).take(64).collect();
    if kind.is_empty() { "unknown".to_owned() } else { kind }
}

/// What tells this delivery from all others of its source: the source's own id, else the SHA-256 of the body.
pub fn external_id(delivery: &Delivery) -> String {
    let body = || json(delivery);
    let id = match delivery.source {
        // One message has several reports: the id alone would take the second for the first.
        Source::SignalHouse => {
            let body = body();
            text(&body, SIGNALHOUSE_IDS).map(|id| format!("{}:{id}", signalhouse_event(&body)))
        }
        Source::Twilio => twilio_id(&delivery.form()),
        Source::Stripe => text(&body(), &["id"]),
        Source::Generic => delivery.header("webhook-id").or_else(|| delivery.header("x-webhook-id")).map(str::to_owned),
        Source::SendGrid | Source::RealEstate | Source::Tracerfy | Source::Apollo => None,
    };
    id.filter(|id| (1..=200).contains(&id.len())).unwrap_or_else(|| hex::encode(Sha256::digest(&delivery.body)))
}

/// The number that a delivery without a token arrived for: ours is the receiver of a message, the sender of a report.
pub fn own_numbers(delivery: &Delivery) -> Vec<String> {
    let numbers = match delivery.source {
        Source::SignalHouse => {
            let body = json(delivery);
            [text(&body, &["to"]), text(&body, &["from"])]
        }
        Source::Twilio => {
            let form = delivery.form();
            [field(&form, "To"), field(&form, "From")]
        }
        _ => [None, None],
    };
    numbers.into_iter().flatten().filter_map(|number| phone::normalise(&number)).collect()
}

fn json(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap_or(Value::Null)
}

/// The first of these fields that is text, at the top or below `data`.
fn text(body: &Value, names: &[&str]) -> Option<String> {
    let of = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    names.iter().find_map(|name| of(&body[*name])).or_else(|| names.iter().find_map(|name| of(&body["data"][*name])))
}

const SIGNALHOUSE_IDS: &[&str] = &["message_id", "messageId", "message_sid", "messageSid", "id"];

/// `SMS_RECEIVED`, `sms.received` and `message.received` are one.
fn signalhouse_event(body: &Value) -> String {
    let event = text(body, &["event", "type"]).unwrap_or_default().to_lowercase().replace('_', ".");
    match event.strip_prefix("sms.") {
        Some(rest) => format!("message.{rest}"),
        None => event,
    }
}

fn signalhouse(body: &Value) -> Told {
    let event = signalhouse_event(body);
    let number = |name: &str| text(body, &[name]).and_then(|number| phone::normalise(&number));
    if event == "message.received" || event == "mms.received" {
        let words = text(body, &["text", "body", "message"]).unwrap_or_default();
        return match (number("from"), number("to")) {
            (Some(from), Some(to)) => Told::Message { from, to, text: words },
            _ => Told::Other,
        };
    }
    let word = event.strip_prefix("message.").or_else(|| event.strip_prefix("mms.")).unwrap_or_default().to_owned();
    match (report(&word), text(body, SIGNALHOUSE_IDS)) {
        (Some(report), Some(provider_id)) => {
            let error = text(body, &["error_code", "errorCode"]).filter(|code| !code.is_empty());
            Told::Status { provider_id, report, word, error, to: number("to") }
        }
        _ => Told::Other,
    }
}

fn report(word: &str) -> Option<Report> {
    Some(match word {
        "sent" => Report::Sent,
        "delivered" => Report::Delivered,
        "failed" => Report::Failed,
        "undelivered" => Report::Undelivered,
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
        _ if twilio_report(form).is_some() => "message.status",
        _ => "message.received",
    }
}

/// The word of a status report; an inbound message has none but `received`.
fn twilio_report(form: &[(String, String)]) -> Option<String> {
    field(form, "MessageStatus").or_else(|| field(form, "SmsStatus")).filter(|word| word != "received")
}

fn twilio_id(form: &[(String, String)]) -> Option<String> {
    match (field(form, "CallSid"), field(form, "MessageSid").or_else(|| field(form, "SmsSid"))) {
        (Some(call), _) => Some(format!("{call}:{}", field(form, "CallStatus").unwrap_or_default())),
        (None, Some(message)) => Some(format!("{message}:{}", twilio_report(form).unwrap_or("received".into()))),
        (None, None) => None,
    }
}

fn twilio(form: &[(String, String)]) -> Told {
    let number = |name: &str| field(form, name).and_then(|number| phone::normalise(&number));
    if let Some(provider_id) = field(form, "CallSid") {
        return Told::Call { provider_id, word: field(form, "CallStatus").unwrap_or_default() };
    }
    let Some(word) = twilio_report(form) else {
        let words = field(form, "Body").unwrap_or_default();
        return match (number("From"), number("To")) {
            (Some(from), Some(to)) => Told::Message { from, to, text: words },
            _ => Told::Other,
        };
    };
    match (report(&word), field(form, "MessageSid").or_else(|| field(form, "SmsSid"))) {
        (Some(report), Some(provider_id)) => {
            let error = field(form, "ErrorCode").filter(|code| !code.is_empty());
            Told::Status { provider_id, report, word, error, to: number("To") }
        }
        _ => Told::Other,
    }
}

fn sendgrid(body: &Value) -> Vec<Told> {
    let one = |event: &Value| {
        let word = event["event"].as_str().unwrap_or_default();
        match word {
            "unsubscribe" | "group_unsubscribe" | "spamreport" => {
                let email = event["email"].as_str().and_then(crate::lead::email::normalise);
                email.map_or(Told::Other, |email| Told::Unsubscribed { email })
            }
            "delivered" | "bounce" | "bounced" | "dropped" => {
                let report = if word == "delivered" { Report::Delivered } else { Report::Undelivered };
                let provider_id = event["sg_message_id"].as_str().unwrap_or_default().to_owned();
                Told::Status { provider_id, report, word: word.to_owned(), error: None, to: None }
            }
            _ => Told::Other,
        }
    };
    body.as_array().map(|events| events.iter().map(one).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn delivery(source: Source, body: &str) -> Delivery {
        Delivery { source, headers: HashMap::new(), url: String::new(), body: body.to_owned().into() }
    }

    #[test]
    fn the_same_event_has_one_name_and_two_reports_have_two_ids() {
        use Source::*;
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
            assert_eq!((kind(&delivery).as_str(), external_id(&delivery).as_str()), (named, id), "{body}");
        }
        let without = delivery(SignalHouse, "no JSON at all");
        assert_eq!((kind(&without).as_str(), external_id(&without).len()), ("unknown", 64));
        assert_eq!(read(&without), [Told::Other]);
    }

    #[test]
    fn numbers_are_read_as_they_are_stored() {
        let body = r#"{"event":"sms.received","from":"917-555-0101","to":"12125550100","text":"Hi"}"#;
        let told = Told::Message { from: "+19175550101".into(), to: "+12125550100".into(), text: "Hi".into() };
        assert_eq!(read(&delivery(Source::SignalHouse, body)), [told]);
        let numbers = own_numbers(&delivery(Source::Twilio, "To=%2B12125550100&From=%2B19175550101"));
        assert_eq!(numbers, ["+12125550100", "+19175550101"]);
    }
}
