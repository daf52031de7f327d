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
    /// `opt_out`, `wrong_number`, `email_captured`, `content_permission`, `interest`, `not_interested`, `question`,
    /// `resubscribe` or `unclear`.
    pub class: String,
}
