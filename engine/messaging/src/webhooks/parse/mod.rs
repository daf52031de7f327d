//! Parses a delivery into the events that LUCI acts on.

mod sendgrid;
mod signalhouse;
mod twilio;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    rules::{
        delivery_status::{CallResult, DeliveryStatus},
        party,
        reply::CarrierVerdict,
        safe_text,
    },
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
        text: String,
        /// What the carrier took the message for.
        verdict: Option<CarrierVerdict>,
    },
    /// The recipient wants no more e-mail.
    Unsubscribed {
        email: String,
    },
    /// Stored and recorded, without effect.
    Other,
    /// It says something that was not understood: a person must look at it.
    Unread(&'static str),
}

/// All events of a delivery.
pub fn parse(delivery: &WebhookDelivery) -> Vec<ProviderEvent> {
    match delivery.source {
        WebhookSource::SignalHouse => of_json(delivery, signalhouse::parse),
        WebhookSource::Twilio => twilio::parse(delivery),
        WebhookSource::SendGrid => of_json(delivery, sendgrid::parse),
        WebhookSource::Stripe => of_json(delivery, |body| vec![stripe(body)]),
        WebhookSource::RealEstate | WebhookSource::Tracerfy | WebhookSource::Apollo => {
            of_json(delivery, |_| vec![ProviderEvent::Other])
        }
        WebhookSource::Generic if delivery.body.trim_ascii().is_empty() || safe_text::is_form(&delivery.body) => {
            vec![ProviderEvent::Other]
        }
        WebhookSource::Generic => of_json(delivery, |_| vec![ProviderEvent::Other]),
    }
}

fn of_json(delivery: &WebhookDelivery, parse: impl Fn(&Value) -> Vec<ProviderEvent>) -> Vec<ProviderEvent> {
    delivery.json().map_or_else(|| vec![ProviderEvent::Unread("no_json")], |body| parse(&body))
}

fn stripe(body: &Value) -> ProviderEvent {
    text(body, &["type"]).map_or(ProviderEvent::Unread("no_event"), |_| ProviderEvent::Other)
}

/// The event's type: `message.received`, `invoice.paid` …; at most 64 of `a-z 0-9 . _ -`.
pub fn event_type(delivery: &WebhookDelivery) -> String {
    let body = || delivery.json().unwrap_or_default();
    let name = match delivery.source {
        WebhookSource::SignalHouse => signalhouse::event(&body()),
        WebhookSource::Twilio => twilio::kind(delivery).to_owned(),
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
    let body = || delivery.json().unwrap_or_default();
    let id = match delivery.source {
        WebhookSource::SignalHouse => signalhouse::id(&body()),
        WebhookSource::Twilio => twilio::id(delivery),
        WebhookSource::Stripe => text(&body(), &["id"]),
        WebhookSource::Generic => {
            delivery.header("webhook-id").or_else(|| delivery.header("x-webhook-id")).map(str::to_owned)
        }
        WebhookSource::SendGrid | WebhookSource::RealEstate | WebhookSource::Tracerfy | WebhookSource::Apollo => None,
    };
    id.filter(|id| (1..=200).contains(&id.len())).unwrap_or_else(|| hex::encode(Sha256::digest(&delivery.body)))
}

/// What may be the tenant's, for deliveries without a token: the receiver of a message, its messaging service, the sender of a
/// report.
pub fn own_numbers(delivery: &WebhookDelivery) -> Vec<String> {
    let ends = match delivery.source {
        WebhookSource::SignalHouse => {
            let body = delivery.json().unwrap_or_default();
            let body = body.get(0).unwrap_or(&body);
            vec![text(body, &["to"]), text(body, &["from"])]
        }
        WebhookSource::Twilio => twilio::ends(delivery),
        _ => Vec::new(),
    };
    ends.into_iter().flatten().filter_map(|end| party::receiver(&end)).collect()
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

fn delivery_status(text: &str) -> Option<DeliveryStatus> {
    Some(match text {
        "sent" => DeliveryStatus::Sent,
        "delivered" | "read" => DeliveryStatus::Delivered,
        "failed" => DeliveryStatus::Failed,
        "undelivered" => DeliveryStatus::Undelivered,
        _ => return None,
    })
}

/// Words of a message's way to the carrier: nothing has happened yet.
fn under_way(status: &str) -> bool {
    matches!(
        status,
        "accepted" | "queued" | "scheduled" | "sending" | "receiving" | "partially_delivered" | "canceled" | "clicked"
    )
}

#[cfg(test)]
mod tests;
