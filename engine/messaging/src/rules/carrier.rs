//! The carriers of text messages and calls, by the names that tables, metrics and webhook paths use.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A provider that delivers text messages or places calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    SignalHouse,
    Twilio,
}

impl Carrier {
    /// In order of preference for text messages.
    pub const ALL: [Self; 2] = [Self::SignalHouse, Self::Twilio];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignalHouse => "signalhouse",
            Self::Twilio => "twilio",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Carrier {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a carrier: expected signalhouse or twilio")]
pub struct UnknownCarrier(pub String);

impl FromStr for Carrier {
    type Err = UnknownCarrier;
    fn from_str(text: &str) -> Result<Self, UnknownCarrier> {
        Self::ALL.into_iter().find(|carrier| carrier.as_str() == text).ok_or_else(|| UnknownCarrier(text.into()))
    }
}
