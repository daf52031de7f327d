//! Events of messaging: templates, approvals, suppressions, senders, received webhooks. They contain ids only; numbers,
//! addresses and texts of leads are in tables.

use serde::{Deserialize, Serialize};

use crate::{KeyId, LeadId, MessageId, TemplateId, WebhookId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplatePublished {
    pub template_id: TemplateId,
    /// `sms`, `email` or `voicemail`.
    pub channel: String,
    pub name: String,
    pub version: u32,
    pub object_path: String,
    /// SHA-256 of the text, lower hex.
    pub checksum: String,
}

/// A person approved or rejected a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageDecided {
    pub message_id: MessageId,
    pub lead_id: LeadId,
    /// The text was edited with the approval.
    pub edited: bool,
}

/// The suppressed address is only in the table `suppressions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuppressionChanged {
    pub reason: String,
    /// The rule that made it: `carrier:21610`, `request:lose my number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The delivery that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
}

/// A person decided on a number that was on hold: its sends go on, or it is suppressed. The number is only in the table
/// `number_holds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldDecided {
    /// The delivery of the newest message that put the number on hold.
    pub webhook_id: WebhookId,
    /// Messages that the decision is about.
    pub messages: u64,
}

/// A sender number was paused: the carrier's code says that the number itself may not send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberPaused {
    pub provider: String,
    pub number: String,
    /// The carrier's error code.
    pub code: String,
}

/// A person has dealt with a delivery that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookResolved {
    pub webhook_id: WebhookId,
}

/// The tenant's sending window and limits were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendingUpdated {
    /// `09:00-17:00`, local time of the recipient.
    pub window: String,
    /// ISO days of the week, 1 is Monday.
    pub days: Vec<u8>,
    pub daily_limit: u32,
    pub hourly_limit: u32,
    /// Messages to one number in 7 and in 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly_per_number: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_per_number: Option<u32>,
    /// The tenant's own holidays, `2026-12-24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federal_holidays: Option<bool>,
    /// The countries whose numbers are contacted, if these were changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_countries: Vec<String>,
}

/// A sender number of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberChanged {
    pub provider: String,
    pub number: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenCreated {
    pub token_id: KeyId,
    /// `signalhouse`, `twilio`, `stripe` …
    pub source: String,
    /// `status`, `automation:{id}` or `block:{run}:{block}:{attempt}`.
    pub purpose: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRevoked {
    pub token_id: KeyId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReceived {
    pub webhook_id: WebhookId,
    pub source: String,
    /// Normalised event name of the source (`message.received`, `invoice.paid` …).
    pub kind: String,
    /// As in `token:created`.
    pub purpose: String,
    /// How the sender was verified: `hmac`, `secret`, `token`, `signature`.
    pub verified_by: String,
    pub object_path: String,
    pub size_bytes: u64,
    /// SHA-256 of the raw body, lower hex.
    pub checksum: String,
    /// Why it could not be understood: `no_json`, `no_sender` …; a person must look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// A lead's message, in the stream of the webhook that delivered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageReceived {
    pub webhook_id: WebhookId,
    /// `None`: the number belongs to no known lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    /// The newest message that it can be a reply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    pub channel: String,
    /// `opt_out`, `hold`, `wrong_number`, `email_captured`, `content_permission`, `interest`, `not_interested`, `question`,
    /// `resubscribe`, `reaction` or `unclear`.
    pub class: String,
    /// The rule that gave the class: `keyword:stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}
