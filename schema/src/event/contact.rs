//! What becomes of messages and of those who answer: templates, approvals, suppressions, senders, received webhooks.
//! Ids and words only: numbers, addresses and texts of leads stay in their tables.

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
    /// The text was changed with the approval.
    pub edited: bool,
}

/// Whom it concerns is in the table `suppressions` alone.
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
}

/// A number of the tenant's own that messages and calls come from.
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
    /// What happened, in the source's normalised words (`message.received`, `invoice.paid` …).
    pub kind: String,
    /// As in `token:created`.
    pub purpose: String,
    /// What proved that it came from there: `hmac`, `secret`, `token`, `signature`.
    pub verified_by: String,
    pub object_path: String,
    pub size_bytes: u64,
    /// SHA-256 of the raw body, lower hex.
    pub checksum: String,
}

/// A lead wrote back; on the stream of the webhook that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageReceived {
    pub webhook_id: WebhookId,
    /// None: nobody known has the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    /// The newest message that it can be the answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    pub channel: String,
    /// `opt_out`, `wrong_number`, `email_captured`, `content_permission`, `interest`, `not_interested`, `question`,
    /// `resubscribe` or `unclear`.
    pub class: String,
}
