//! The state of one automation, folded from the log, and when it is due. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use luci_config::automations::schedule::Schedule;
use luci_schema::{
    Micros, RunId, TenantId,
    event::{AutomationSpec, CatchUp, Overlap, Trigger},
};
use serde::{Deserialize, Serialize};

use super::trigger::TriggerCause;

/// A due time longer ago than this was missed.
const ON_TIME_MICROS: i64 = 120_000_000;

/// Failed runs of one automation that are remembered, the newest; a run that is retried later is then not seen as its own.
const MAX_FAILED: usize = 1_000;

/// One automation.
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
    /// Its runs that failed; each may be retried.
    pub failed: BTreeSet<RunId>,
    /// Pending triggers of states that were saved before they had a table of their own.
    #[serde(default, rename = "pending", skip_serializing)]
    pub earlier_pending: Vec<TriggerCause>,
    /// Triggers without an outcome in the log, by key; table `automation_triggers`.
    #[serde(skip)]
    pub pending: BTreeMap<String, TriggerCause>,
    #[serde(skip)]
    schedule: Option<Schedule>,
    #[serde(skip)]
    pub due: Option<Micros>,
    /// Keys of triggers that are being launched, or not before this time.
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
            earlier_pending: Vec::new(),
            pending: BTreeMap::new(),
            schedule: None,
            due: None,
            held: HashMap::new(),
        };
        watched.parse_schedule();
        watched
    }

    /// An invalid schedule was refused when the automation was created.
    pub fn parse_schedule(&mut self) {
        self.schedule = match &self.spec.trigger {
            Trigger::Schedule { cron, time_zone, .. } => Schedule::parse(cron, time_zone).ok(),
            Trigger::LeadCreated { .. } | Trigger::MessageReceived { .. } | Trigger::Webhook { .. } => None,
        };
        self.settle(self.since);
    }

    /// Due times up to `at` are settled; finds the next.
    pub fn settle(&mut self, at: Micros) {
        self.since = self.since.max(at);
        self.due = self.schedule.as_ref().and_then(|schedule| schedule.next(self.since));
    }

    pub fn run_failed(&mut self, run: RunId) {
        self.active.remove(&run);
        self.failed.insert(run);
        if self.failed.len() > MAX_FAILED {
            self.failed.pop_first();
        }
    }

    /// Triggers to launch now, each held back from now on, and the reason to skip it.
    pub fn due_causes(&mut self, now: Micros) -> Vec<(TriggerCause, Option<&'static str>)> {
        let skip = |cause: &TriggerCause| matches!(cause, TriggerCause::Overflow { .. }).then_some("too_many_pending");
        let mut causes: Vec<_> = self.pending.values().map(|cause| (cause.clone(), skip(cause))).collect();
        if let Some(at) = self.due_time(now)
            && let Some(skip) = self.overlap()
        {
            causes.push((TriggerCause::Due { at }, skip));
        }
        causes.retain(|(cause, _)| self.free(&cause.key(), now));
        self.held.extend(causes.iter().map(|(cause, _)| (cause.key(), Micros(i64::MAX))));
        causes
    }

    /// When `due_causes` may return something again, apart from events.
    pub fn next_due(&self) -> Option<Micros> {
        // A schedule that waits for the end of a run is woken by that end.
        let waits =
            |at: &Micros| self.free(&TriggerCause::Due { at: *at }.key(), Micros(i64::MIN)) && self.overlap().is_some();
        let due = self.due.filter(waits);
        let retry = self.held.values().filter(|at| at.0 < i64::MAX).min().copied();
        due.into_iter().chain(retry).min()
    }

    fn free(&self, key: &str, now: Micros) -> bool {
        self.held.get(key).is_none_or(|until| *until <= now)
    }

    /// The due time to launch now, by the catch-up policy.
    fn due_time(&mut self, now: Micros) -> Option<Micros> {
        let Trigger::Schedule { catch_up, .. } = self.spec.trigger else { return None };
        let first = self.due.filter(|due| self.enabled && *due <= now)?;
        if catch_up == CatchUp::All {
            return Some(first);
        }
        // Searched backwards: a schedule of minutes misses half a million times in a year.
        let last = self.schedule.as_ref()?.last(now).filter(|last| *last > first).unwrap_or(first);
        if catch_up == CatchUp::None && now.0 - last.0 > ON_TIME_MICROS {
            self.settle(last);
            return None;
        }
        Some(last)
    }

    /// Whether a due time is launched while earlier runs are active: `None`: it waits; `Some(Some(reason))`: it is skipped.
    fn overlap(&self) -> Option<Option<&'static str>> {
        let Trigger::Schedule { overlap, .. } = self.spec.trigger else { return Some(None) };
        match overlap {
            _ if self.active.is_empty() => Some(None),
            Overlap::Allow => Some(None),
            Overlap::Skip => Some(Some("overlap")),
            Overlap::Queue => None,
        }
    }
}
