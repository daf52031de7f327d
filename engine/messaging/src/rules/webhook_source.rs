//! The sources of webhooks, by the names in their paths.

use std::{fmt, str::FromStr};

/// Who sends a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookSource {
    SignalHouse,
    Twilio,
    Stripe,
    SendGrid,
    RealEstate,
    Tracerfy,
    Apollo,
    /// Anyone who signs with HMAC-SHA256.
    Generic,
}

impl WebhookSource {
    pub const ALL: [Self; 8] = [
        Self::SignalHouse,
        Self::Twilio,
        Self::Stripe,
        Self::SendGrid,
        Self::RealEstate,
        Self::Tracerfy,
        Self::Apollo,
        Self::Generic,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignalHouse => "signalhouse",
            Self::Twilio => "twilio",
            Self::Stripe => "stripe",
            Self::SendGrid => "sendgrid",
            Self::RealEstate => "realestate",
            Self::Tracerfy => "tracerfy",
            Self::Apollo => "apollo",
            Self::Generic => "generic",
        }
    }

    /// Whether a token of this source needs a signing secret: the token alone proves nothing.
    pub const fn must_sign(self) -> bool {
        match self {
            Self::Stripe | Self::SendGrid | Self::RealEstate | Self::Tracerfy | Self::Generic => true,
            // Twilio signs with its account's auth token, which LUCI already has.
            Self::SignalHouse | Self::Twilio | Self::Apollo => false,
        }
    }
}

impl fmt::Display for WebhookSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one of signalhouse, twilio, stripe, sendgrid, realestate, tracerfy, apollo, generic")]
pub struct UnknownWebhookSource;

impl FromStr for WebhookSource {
    type Err = UnknownWebhookSource;
    fn from_str(text: &str) -> Result<Self, UnknownWebhookSource> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(UnknownWebhookSource)
    }
}
