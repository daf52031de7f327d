//! What providers send to us: proved to come from there, stored once and for ever, and acted upon in the transaction that
//! records it.

mod effect;
mod payload;
mod read;
mod take;
mod verify;

use std::{collections::HashMap, fmt, str::FromStr};

pub use payload::payload;
pub use read::{Told, external_id, kind, own_numbers, read};
pub use take::{Receiver, TakeError, Taken, take};
pub use verify::{Address, Proof, Refused, prove};

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
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

impl Source {
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

    /// Whether the token alone proves nothing: a signature or secret must come along.
    pub const fn must_sign(self) -> bool {
        match self {
            Self::Stripe | Self::SendGrid | Self::RealEstate | Self::Tracerfy | Self::Generic => true,
            // Twilio signs with its account's token, which LUCI knows already.
            Self::SignalHouse | Self::Twilio | Self::Apollo => false,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one of signalhouse, twilio, stripe, sendgrid, realestate, tracerfy, apollo, generic")]
pub struct UnknownSource;

impl FromStr for Source {
    type Err = UnknownSource;
    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(UnknownSource)
    }
}

/// One delivery as it arrived.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub source: Source,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// The address that was called, as the caller wrote it: scheme, host, path and query.
    pub url: String,
    pub body: bytes::Bytes,
}

impl Delivery {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The fields of a form, in the order of the body.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}
