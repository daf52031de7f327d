//! One automation as the log tells of it, and when its schedule strikes. Pure.

use std::collections::{BTreeSet, HashMap};

use luci_schema::{
    Micros, RunId, TenantId,
    event::{AutomationSpec, CatchUp, Overlap, Trigger},
};
use serde::{Deserialize, Serialize};

use super::automations::Cause;
use crate::automation::schedule::Schedule;

/// A due time that passed longer ago than this was missed.
const ON_TIME_MICROS: i64 = 120_000_000;

/// What the log says of one automation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Watched {
    pub tenant: TenantId,
    pub spec: AutomationSpec,
    pub enabled: bool,
    /// Due times up to here are settled.
    pub since: Micros,
    /// Its runs that have not ended.
    pub active: BTreeSet<RunId>,
    /// Its runs that failed; each may be taken up again.
    pub failed: BTreeSet<RunId>,
    /// Triggers of which the log has not told yet what became of them.
    pub pending: Vec<Cause>,
    #[serde(skip)]
    schedule: Option<Schedule>,
    #[serde(skip)]
    pub due: Option<Micros>,
    /// Being started now, or not before this time.
    #[serde(skip)]
    pub held: HashMap<String, Micros>,
}

impl Watched {
    pub fn new(tenant: TenantId, spec: AutomationSpec, at: Micros) -> Self {
        let (active, failed) = (BTreeSet::new(), BTreeSet::new());
        let mut watched = Self {
            tenant,
            spec,
            enabled: false,
            since: at,
            active,
            failed,
            pending: Vec::new(),
            schedule: None,
            due: None,
            held: HashMap::new(),
        };
        watched.read();
        watched
    }

    /// Reads the schedule; one that cannot be read was refused when it was made.
    pub fn read(&mut self) {
        self.schedule = match &self.spec.trigger {
            Trigger::Schedule { cron, time_zone, .. } => Schedule::parse(cron, time_zone).ok(),
            Trigger::LeadCreated { .. } | Trigger::MessageReceived { .. } | Trigger::Webhook { .. } => None,
        };
        self.settle(self.since);
    }

    /// Due times up to `at` are settled; looks for the next.
    pub fn settle(&mut self, at: Micros) {
        self.since = self.since.max(at);
        self.due = self.schedule.as_ref().and_then(|schedule| schedule.next(self.since));
    }

    pub fn free(&self, cause: &Cause, now: Micros) -> bool {
        self.held.get(&cause.key()).is_none_or(|until| *until <= now)
    }

    /// The due time to be started now, by the catch-up policy.
    pub fn struck(&mut self, now: Micros) -> Option<Micros> {
        let Trigger::Schedule { catch_up, .. } = self.spec.trigger else { return None };
        let first = self.due.filter(|due| self.enabled && *due <= now)?;
        if catch_up == CatchUp::All {
            return Some(first);
        }
        // Asked backwards: a schedule of minutes has missed half a million times in a year.
        let last = self.schedule.as_ref()?.last(now).filter(|last| *last > first).unwrap_or(first);
        if catch_up == CatchUp::None && now.0 - last.0 > ON_TIME_MICROS {
            self.settle(last);
            return None;
        }
        Some(last)
    }

    /// What a due time leads to while earlier runs have not ended; `None`: it waits.
    pub fn overlapping(&self) -> Option<Option<&'static str>> {
        let Trigger::Schedule { overlap, .. } = self.spec.trigger else { return Some(None) };
        match overlap {
            _ if self.active.is_empty() => Some(None),
            Overlap::Allow => Some(None),
            Overlap::Skip => Some(Some("overlap")),
            Overlap::Queue => None,
        }
    }
}
