//! The events. An event's `data` is the RFC 8785 text of one struct of this folder: camelCase, no floats, no personal data.
//!
//! Events are never changed: a new meaning is a new type, a new optional field is a new schema version. Derived fields of
//! run events (`totals`, `next`) are computed once, by `decide`, so that all readers agree on them.

mod automation;
mod block;
mod config;
mod contact;
mod removal;
mod run;

pub use crate::ObjectDigest;
pub use automation::*;
pub use block::*;
pub use config::*;
pub use contact::*;
pub use removal::*;
pub use run::*;

use crate::Stage;

/// An event whose data does not match its type.
#[derive(Debug, thiserror::Error)]
#[error("event {event_type} v{schema_version} cannot be decoded: {source}")]
pub struct DecodeError {
    pub event_type: String,
    pub schema_version: u16,
    source: serde_json::Error,
}

/// Any event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Run(RunEvent),
    Block(BlockEvent),
    Artifact(ArtifactEvent),
    Config(ConfigEvent),
    /// A type that this process does not know, written by a newer one.
    Unknown(String),
}

impl Event {
    /// `run:queued`
    pub fn type_name(&self) -> &str {
        match self {
            Self::Run(e) => e.type_name(),
            Self::Block(e) => e.type_name(),
            Self::Artifact(e) => e.type_name(),
            Self::Config(e) => e.type_name(),
            Self::Unknown(name) => name,
        }
    }

    /// Version of the shape of `data`, from 1.
    pub fn schema_version(&self) -> u16 {
        1
    }

    /// RFC 8785 text of the data.
    pub fn data(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Run(e) => e.data(),
            Self::Block(e) => e.data(),
            Self::Artifact(e) => e.data(),
            Self::Config(e) => e.data(),
            Self::Unknown(_) => Ok("{}".into()),
        }
    }

    /// Decodes an event from its type and data.
    pub fn decode(event_type: &str, schema_version: u16, data: &str) -> Result<Self, DecodeError> {
        let known = RunEvent::decode(event_type, data)
            .map(|e| e.map(Self::Run))
            .or_else(|| BlockEvent::decode(event_type, data).map(|e| e.map(Self::Block)))
            .or_else(|| ArtifactEvent::decode(event_type, data).map(|e| e.map(Self::Artifact)))
            .or_else(|| ConfigEvent::decode(event_type, data).map(|e| e.map(Self::Config)));
        match known {
            Some(Ok(event)) => Ok(event),
            Some(Err(source)) => Err(DecodeError { event_type: event_type.into(), schema_version, source }),
            None => Ok(Self::Unknown(event_type.into())),
        }
    }

    /// The artifacts that the event names: their objects are kept.
    pub fn artifacts(&self) -> &[Artifact] {
        match self {
            Self::Artifact(ArtifactEvent::Created(created)) => std::slice::from_ref(&**created),
            Self::Block(event) => match event {
                BlockEvent::Completed(e) => &e.report.artifacts,
                BlockEvent::Failed(e) => &e.report.artifacts,
                BlockEvent::Cancelled(e) => e.report.as_ref().map_or(&[], |report| &report.artifacts),
                BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => &[],
            },
            Self::Run(_) | Self::Config(_) | Self::Unknown(_) => &[],
        }
    }

    /// The stage of a block event: the last token of its NATS subject.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Block(e) => Some(e.stage()),
            Self::Run(_) | Self::Artifact(_) | Self::Config(_) | Self::Unknown(_) => None,
        }
    }
}

macro_rules! groups {
    ($($variant:ident($group:ty)),*) => {$(
        impl From<$group> for Event { fn from(event: $group) -> Self { Self::$variant(event) } }
    )*};
}
groups!(Run(RunEvent), Block(BlockEvent), Artifact(ArtifactEvent), Config(ConfigEvent));

/// Defines a group of events: the enum, the type names, and the (de)serialisation of the data.
macro_rules! events {
    ($(#[$doc:meta])* $group:ident { $($variant:ident($data:ty) = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $group { $($variant($data)),* }

        impl $group {
            /// Every type of this group.
            pub const TYPES: &[&str] = &[$($name),*];

            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),* }
            }
            /// RFC 8785 text of the data.
            pub fn data(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$variant(data) => crate::json::canonical(data)),* }
            }
            pub(super) fn decode(name: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                match name { $($name => Some(serde_json::from_str(data).map(Self::$variant)),)* _ => None }
            }
        }
    };
}
use events;
