//! The stored data: ids, stages, events, object keys, subjects, migrations and the log. Makes no decisions about runs.

pub mod actor;
pub mod clock;
pub mod cloud_event;
pub mod difference;
pub mod event;
pub mod failure;
#[cfg(test)]
mod golden;
pub mod history;
pub mod id;
pub mod json;
pub mod log;
pub mod merkle;
pub mod metrics;
pub mod migrate;
mod object_digest;
pub mod object_key;
pub mod object_version;
pub mod recorded;
#[cfg(feature = "sample")]
pub mod sample;
pub mod seal;
pub mod stage;
pub mod subject;
pub mod trace;

pub use actor::Actor;
pub use clock::Micros;
pub use event::{ArtifactEvent, BlockEvent, ConfigEvent, Event, RunEvent};
pub use failure::{Failure, FailureCode, FoundObject, ObjectFault};
pub use id::*;
pub use metrics::Counts;
pub use object_digest::ObjectDigest;
pub use recorded::{CommandId, Hash, Position, Recorded, StreamId, Version, hash_text};
pub use stage::{BlockOrder, Stage};
pub use trace::TraceContext;
