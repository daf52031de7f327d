//! Who caused an event.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ActorId, AutomationId, IdError, WebhookId};

/// Serialised as its text.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_as_text;

serde_as_text!(Actor);

/// Who caused an event: `actor:ID`, `automation:ID`, `webhook:ID` or `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    Actor(ActorId),
    Automation(AutomationId),
    Webhook(WebhookId),
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(id) => write!(f, "actor:{id}"),
            Self::Automation(id) => write!(f, "automation:{id}"),
            Self::Webhook(id) => write!(f, "webhook:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once(':') {
            Some(("actor", id)) => id.parse().map(Self::Actor),
            Some(("automation", id)) => id.parse().map(Self::Automation),
            Some(("webhook", id)) => id.parse().map(Self::Webhook),
            None if text == "system" => Ok(Self::System),
            _ => Err(IdError::Prefix { expected: "actor", found: text.chars().take(24).collect() }),
        }
    }
}
