//! A recorded event: the event and its envelope, as stored in the log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    AutomationId, BlueprintId, CorrelationId, Event, EventId, IdError, ImportId, KeyId, MessageId, Micros, RunId,
    TemplateId, TenantId, WebhookId,
    actor::{Actor, serde_as_text},
};

/// Number of an event in the log: 1, 2, 3 … without a hole, in commit order. 0 is before the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

/// Number of an event in its stream: 1, 2, 3 … without a hole. 0 is a stream that does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! either {
    ($(#[$doc:meta])* $name:ident, $error:literal { $($variant:ident($id:ty) = $prefix:literal),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant($id)),* }
        $(impl From<$id> for $name { fn from(id: $id) -> Self { Self::$variant(id) } })*
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { match self { $(Self::$variant(id) => id.fmt(f)),* } }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                match text.split('_').next().unwrap_or_default() {
                    $($prefix => text.parse().map(Self::$variant),)*
                    other => Err(IdError::Prefix { expected: $error, found: other.chars().take(24).collect() }),
                }
            }
        }
    };
}

either! {
    /// The stream of an entity, named by the entity's id.
    StreamId, "run" {
        Run(RunId) = "run", Tenant(TenantId) = "tenant", Import(ImportId) = "import", Blueprint(BlueprintId) = "bp",
        Automation(AutomationId) = "auto", Key(KeyId) = "key", Webhook(WebhookId) = "wh",
        Template(TemplateId) = "tpl", Message(MessageId) = "msg"
    }
}

serde_as_text!(StreamId, CommandId);

/// Identity of a command: 64 lower-case hex characters, the SHA-256 of what makes it the same command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(String);

impl CommandId {
    /// SHA-256 over the parts, each followed by 0x1F so that no two lists of parts collide.
    pub fn derive(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0x1f]);
        }
        Self(hash_text(&hash.finalize().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CommandId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            Some(found) => Err(IdError::Alphabet { found }),
            None if text.len() != 64 => Err(IdError::Length { prefix: "command", found: text.len() }),
            None => Ok(Self(text.into())),
        }
    }
}

/// SHA-256, the unit of the hash chain.
pub type Hash = [u8; 32];

/// The previous hash of a stream's first event, and of the first seal.
pub const GENESIS: Hash = [0; 32];

/// A hash as 64 lower-case hex characters.
pub fn hash_text(hash: &Hash) -> String {
    let mut text = vec![0; 2 * hash.len()];
    // The only error is a buffer of another length.
    let _ = hex::encode_to_slice(hash, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// An event with its envelope, as stored, hashed and published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub position: Position,
    pub version: Version,
    pub event_id: EventId,
    /// `block:completed`
    pub event_type: String,
    pub schema_version: u16,
    pub tenant_id: TenantId,
    pub stream_id: StreamId,
    pub actor: Actor,
    pub command_id: CommandId,
    pub correlation_id: CorrelationId,
    pub causation_id: Option<EventId>,
    /// The appending process's UTC clock, never less than the stream's previous event.
    pub recorded_at: Micros,
    /// RFC 8785 text: the bytes that are hashed.
    pub data: String,
    /// RFC 8785 text of an object.
    pub metadata: String,
    pub previous_hash: Hash,
    pub hash: Hash,
    /// `data`, decoded; `Event::Unknown` for a type that a newer process wrote.
    pub event: Event,
}
