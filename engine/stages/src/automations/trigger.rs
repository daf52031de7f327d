//! A trigger: why an automation is to start a run, and the launch that follows.

use luci_schema::{
    AutomationId, EventId, ImportId, Micros, RunId, TenantId, TraceContext,
    event::{Artifact, AutomationSpec},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a run is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum TriggerCause {
    /// A VALIDATE block wrote new leads.
    Leads {
        event: EventId,
        run: RunId,
        artifact: Box<Artifact>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceContext>,
    },
    /// An API call added leads.
    #[serde(rename = "brought")]
    AddedLeads {
        event: EventId,
        import: ImportId,
        leads: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceContext>,
    },
    /// A message or a webhook arrived; the event's data are the facts.
    #[serde(rename = "told")]
    Received {
        event: EventId,
        facts: Value,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceContext>,
    },
    /// Too many triggers are pending: this one is only recorded as skipped.
    Overflow { event: EventId },
    /// The schedule was due.
    Due { at: Micros },
}

impl TriggerCause {
    /// As `automation:fired` and `automation:skipped` name it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Leads { event, .. }
            | Self::AddedLeads { event, .. }
            | Self::Received { event, .. }
            | Self::Overflow { event } => event.to_string(),
            Self::Due { at } => format!("due:{}", at.0),
        }
    }

    /// The event that caused it; a schedule has none.
    pub(super) fn event(&self) -> Option<EventId> {
        match self {
            Self::Leads { event, .. }
            | Self::AddedLeads { event, .. }
            | Self::Received { event, .. }
            | Self::Overflow { event } => Some(*event),
            Self::Due { .. } => None,
        }
    }

    /// The trace of that event, to which the run belongs.
    pub(super) fn trace(&self) -> Option<TraceContext> {
        match self {
            Self::Leads { trace, .. } | Self::AddedLeads { trace, .. } | Self::Received { trace, .. } => *trace,
            Self::Overflow { .. } | Self::Due { .. } => None,
        }
    }
}

/// The due time in a key of a schedule's trigger.
pub(super) fn due_time(key: &str) -> Option<Micros> {
    key.strip_prefix("due:")?.parse().ok().map(Micros)
}

/// A run to start, or a trigger to record as skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    pub tenant: TenantId,
    pub automation: AutomationId,
    pub spec: AutomationSpec,
    pub cause: TriggerCause,
    /// No run is started; `automation:skipped` gets this reason.
    pub skip: Option<&'static str>,
}
