//! NATS subjects. A stream's subjects hold no run id: each distinct one costs the server memory, so their number is bounded.
//! Watchers' subjects do, and no stream captures them.

use std::fmt::Display;

use crate::{Recorded, RunId, Stage, TenantId};

/// The JetStream stream of all events, and what it captures.
pub const EVENT_STREAM: &str = "EVT";
pub const EVENT_STREAM_SUBJECTS: &str = "evt.>";

impl Recorded {
    /// `evt.{tenant}.{entity}.{verb}[.{stage}]`: what the relay publishes on.
    pub fn stream_subject(&self) -> String {
        let (entity, verb) = self.entity_and_verb();
        match self.event.stage() {
            Some(stage) => format!("evt.{}.{entity}.{verb}.{stage}", self.tenant_id),
            None => format!("evt.{}.{entity}.{verb}", self.tenant_id),
        }
    }

    /// `luci.{tenant}.{stream}.{entity}.{verb}`: what dashboards subscribe to.
    pub fn watch_subject(&self) -> String {
        let (entity, verb) = self.entity_and_verb();
        format!("luci.{}.{}.{entity}.{verb}", self.tenant_id, self.stream_id)
    }

    fn entity_and_verb(&self) -> (&str, &str) {
        self.event_type.split_once(':').unwrap_or((&self.event_type, "recorded"))
    }
}

/// Every tenant's queued blocks of a stage: the filter of the stage's workers.
pub fn work_filter(stage: Stage) -> String {
    format!("evt.*.block.queued.{stage}")
}

/// Everything that a tenant's watchers may hear of what is recorded.
pub fn watch_all(tenant: TenantId) -> String {
    format!("luci.{tenant}.>")
}

/// Everything that happens in one stream (a run, an import …).
pub fn watch_stream(tenant: TenantId, stream: impl Display) -> String {
    format!("luci.{tenant}.{stream}.>")
}

/// How far a run is, not recorded; `entity` is `run` or `block`.
pub fn telemetry(tenant: TenantId, run: RunId, entity: &str) -> String {
    format!("tele.{tenant}.{run}.{entity}.progress")
}

/// All telemetry of a tenant.
pub fn telemetry_all(tenant: TenantId) -> String {
    format!("tele.{tenant}.>")
}
