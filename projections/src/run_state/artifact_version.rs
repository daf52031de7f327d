//! The artifacts that an event brings, and the version of each.

use luci_schema::{ArtifactEvent, ArtifactId, BlockEvent, Event, event::Artifact as Created};

/// The version of an artifact among those of the same block and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArtifactVersion {
    /// 1, 2 …
    pub(crate) number: i32,
    /// The older artifact that it replaces.
    pub(crate) supersedes: Option<ArtifactId>,
}

/// The artifacts that an event brings.
pub(crate) fn created_by(event: &Event) -> &[Created] {
    match event {
        Event::Artifact(ArtifactEvent::Created(created)) => std::slice::from_ref(&**created),
        Event::Block(event) => match event {
            BlockEvent::Completed(e) => &e.report.artifacts,
            BlockEvent::Failed(e) => &e.report.artifacts,
            BlockEvent::Cancelled(e) => e.report.as_ref().map_or(&[], |report| &report.artifacts),
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => &[],
        },
        Event::Run(_) | Event::Config(_) | Event::Unknown(_) => &[],
    }
}
