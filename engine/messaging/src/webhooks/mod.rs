//! Webhooks of providers: verified, stored once, and applied in the transaction that records them.

mod effect;
mod ingest;
mod parse;
mod payload;
pub mod restored;
mod secret;
mod twilio;
mod verify;

use std::collections::HashMap;

use serde_json::Value;

use crate::rules::safe_text;

pub use crate::rules::webhook_source::{UnknownWebhookSource, WebhookSource};
pub use crate::webhooks::ingest::{IngestError, Ingested, WebhookTarget, ingest};
pub use crate::webhooks::parse::{ProviderEvent, event_type, external_id, own_numbers, parse};
pub use crate::webhooks::payload::{payload, verified_body};
pub use crate::webhooks::secret::{BadSecret, checked_secret};
pub use crate::webhooks::verify::{DeliveryProof, ProofError, TokenInPath, verify};

/// One delivery as it arrived.
#[derive(Debug, Clone)]
pub struct WebhookDelivery {
    pub source: WebhookSource,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// The address that was called, as the caller wrote it: scheme, host, path and query.
    pub url: String,
    /// How the caller may have written it, where proxies stand between: Twilio signs the address that it called.
    pub other_urls: Vec<String>,
    pub body: bytes::Bytes,
}

impl WebhookDelivery {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The fields of a form, in the order of the body, made safe.
    pub fn form(&self) -> Vec<(String, String)> {
        safe_text::form(&self.body)
    }

    /// The document of a JSON body.
    pub fn json(&self) -> Option<Value> {
        safe_text::json(&self.body)
    }
}
