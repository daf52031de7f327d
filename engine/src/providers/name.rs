//! The providers that LUCI knows, by name.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderName {
    Apollo,
    RealEstate,
    Tracerfy,
    Trestle,
    Twilio,
    SignalHouse,
}

impl ProviderName {
    pub const ALL: [Self; 6] =
        [Self::Apollo, Self::RealEstate, Self::Tracerfy, Self::Trestle, Self::Twilio, Self::SignalHouse];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apollo => "apollo",
            Self::RealEstate => "realestate",
            Self::Tracerfy => "tracerfy",
            Self::Trestle => "trestle",
            Self::Twilio => "twilio",
            Self::SignalHouse => "signalhouse",
        }
    }

    /// Where the vendor answers, without a slash at the end.
    pub const fn vendor_url(self) -> &'static str {
        match self {
            Self::Apollo => "https://api.apollo.io",
            Self::RealEstate => "https://api.realestateapi.com",
            Self::Tracerfy => "https://tracerfy.com",
            Self::Trestle => "https://api.trestleiq.com",
            Self::Twilio => "https://lookups.twilio.com",
            Self::SignalHouse => "https://api.signalhouse.io",
        }
    }

    /// What the account beside the key is called, where a provider wants one.
    pub const fn account(self) -> Option<&'static str> {
        match self {
            Self::Twilio => Some("the account SID"),
            Self::SignalHouse => Some("the API key; the key itself is the auth token"),
            Self::Apollo | Self::RealEstate | Self::Tracerfy | Self::Trestle => None,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ProviderName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider (apollo, realestate, tracerfy, trestle, twilio, signalhouse)")]
pub struct UnknownProvider(pub String);

impl FromStr for ProviderName {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| UnknownProvider(text.chars().take(40).collect()))
    }
}
