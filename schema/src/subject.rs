//! NATS subjects. Those of the JetStream stream have no run id, because each distinct subject costs the server memory.
//! Those of watchers have one, and no stream captures them.

use std::fmt::Display;

use crate::{Recorded, RunId, Stage, TenantId};

/// The JetStream stream of all events, and its subjects.
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

/// All tenants' queued blocks of a stage: the filter of the stage's consumer.
pub fn work_filter(stage: Stage) -> String {
    format!("evt.*.block.queued.{stage}")
}

/// All events of a tenant, for watchers.
pub fn watch_all(tenant: TenantId) -> String {
    format!("luci.{tenant}.>")
}

/// All events of one stream (a run, an import …), for watchers.
pub fn watch_stream(tenant: TenantId, stream: impl Display) -> String {
    format!("luci.{tenant}.{stream}.>")
}

/// Progress of a run, not stored; `entity` is `run` or `block`.
pub fn telemetry(tenant: TenantId, run: RunId, entity: &str) -> String {
    format!("tele.{tenant}.{run}.{entity}.progress")
}

/// All telemetry of a tenant.
pub fn telemetry_all(tenant: TenantId) -> String {
    format!("tele.{tenant}.>")
}
