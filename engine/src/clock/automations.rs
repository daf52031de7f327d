//! What the automations wait for, and what has to be started. Pure: folded from the log, asked with the time.
//!
//! A trigger is kept until the log tells what became of it (`automation:fired` or `automation:skipped`), so a clock that
//! dies between the two has its successor look again. The run's id derives from the trigger: looking twice starts one run.

use std::collections::{BTreeSet, HashMap, HashSet};

use luci_schema::{
    Actor, AutomationId, BlockEvent, ConfigEvent, Event, EventId, Micros, Recorded, RunEvent, RunId, Stage, StreamId,
    TenantId,
    event::{Artifact, AutomationSpec, BlockCompleted, Trigger},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::watched::Watched;

/// Why a run is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum Cause {
    /// A VALIDATE block put these leads out.
    Leads { event: EventId, run: RunId, artifact: Box<Artifact> },
    /// A message or a webhook arrived; its event's data are the facts.
    Told { event: EventId, facts: Value },
    /// The schedule was due.
    Due { at: Micros },
}

impl Cause {
    /// As `fired` and `skipped` name it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Leads { event, .. } | Self::Told { event, .. } => event.to_string(),
            Self::Due { at } => format!("due:{}", at.0),
        }
    }
}

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub tenant: TenantId,
    pub automation: AutomationId,
    pub spec: AutomationSpec,
    pub cause: Cause,
    /// Not to be started: only to be told of as skipped, for this reason.
    pub refused: Option<&'static str>,
}

/// All automations, and which changed since they were last saved.
#[derive(Default)]
pub(super) struct Automations {
    all: HashMap<AutomationId, Watched>,
    of: HashMap<TenantId, BTreeSet<AutomationId>>,
    pub changed: HashSet<AutomationId>,
}

impl Automations {
    pub(super) fn restore(rows: Vec<(AutomationId, Watched)>) -> Self {
        let mut automations = Self::default();
        for (id, mut watched) in rows {
            watched.read();
            automations.of.entry(watched.tenant).or_default().insert(id);
            automations.all.insert(id, watched);
        }
        automations
    }

    pub(super) fn get(&self, id: AutomationId) -> Option<&Watched> {
        self.all.get(&id)
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) {
        match (&recorded.event, recorded.stream_id) {
            (Event::Config(event), _) => self.fold_config(event, recorded),
            (Event::Run(event), StreamId::Run(run)) => self.fold_run(event, run, recorded),
            (Event::Block(BlockEvent::Completed(block)), StreamId::Run(run)) if block.stage == Stage::Validate => {
                self.leads_made(run, block, recorded);
            }
            _ => {}
        }
        match recorded.event_type.as_str() {
            "message:received" => self.arrived(recorded, |trigger| matches!(trigger, Trigger::MessageReceived { .. })),
            // An answer that a block waits for is for nobody else: there is one for each of its leads.
            "webhook:received" if answers_a_block(recorded) => {}
            "webhook:received" => self.arrived(recorded, |trigger| matches!(trigger, Trigger::Webhook { .. })),
            _ => {}
        }
    }

    fn arrived(&mut self, recorded: &Recorded, wanted: fn(&Trigger) -> bool) {
        let waiting = self.waiting(recorded.tenant_id, wanted);
        if waiting.is_empty() {
            return;
        }
        let facts = serde_json::from_str(&recorded.data).unwrap_or(Value::Null);
        self.pend(waiting, &Cause::Told { event: recorded.event_id, facts });
    }

    fn waiting(&self, tenant: TenantId, wanted: fn(&Trigger) -> bool) -> Vec<AutomationId> {
        let of = self.of.get(&tenant).into_iter().flatten();
        let waits = |id: &&AutomationId| self.all.get(*id).is_some_and(|w| w.enabled && wanted(&w.spec.trigger));
        of.filter(waits).copied().collect()
    }

    fn pend(&mut self, waiting: Vec<AutomationId>, cause: &Cause) {
        for id in waiting {
            self.change(id, |watched| watched.pending.push(cause.clone()));
        }
    }

    fn fold_config(&mut self, event: &ConfigEvent, recorded: &Recorded) {
        let at = recorded.recorded_at;
        match event {
            ConfigEvent::AutomationCreated(e) => {
                self.all.insert(e.automation_id, Watched::new(recorded.tenant_id, e.spec.clone(), at));
                self.of.entry(recorded.tenant_id).or_default().insert(e.automation_id);
                self.changed.insert(e.automation_id);
            }
            ConfigEvent::AutomationUpdated(e) => self.change(e.automation_id, |watched| {
                watched.spec = e.spec.clone();
                watched.since = at;
                watched.read();
            }),
            ConfigEvent::AutomationEnabled(e) => self.change(e.automation_id, |watched| {
                watched.enabled = true;
                watched.settle(at);
            }),
            ConfigEvent::AutomationDisabled(e) => self.change(e.automation_id, |watched| {
                watched.enabled = false;
                watched.pending.clear();
            }),
            ConfigEvent::AutomationRemoved(e) => {
                self.all.remove(&e.automation_id);
                if let Some(of) = self.of.get_mut(&recorded.tenant_id) {
                    of.remove(&e.automation_id);
                }
                self.changed.insert(e.automation_id);
            }
            ConfigEvent::AutomationFired(e) => self.told(e.automation_id, &e.cause),
            ConfigEvent::AutomationSkipped(e) => self.told(e.automation_id, &e.cause),
            _ => {}
        }
    }

    fn change(&mut self, id: AutomationId, change: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.all.get_mut(&id) {
            change(watched);
            self.changed.insert(id);
        }
    }

    /// What became of a trigger is known: it is done with.
    pub(super) fn told(&mut self, id: AutomationId, key: &str) {
        self.change(id, |watched| {
            watched.held.remove(key);
            watched.pending.retain(|cause| cause.key() != key);
            if let Some(at) = key.strip_prefix("due:").and_then(|text| text.parse().ok()) {
                watched.settle(Micros(at));
            }
        });
    }

    fn fold_run(&mut self, event: &RunEvent, run: RunId, recorded: &Recorded) {
        if let RunEvent::Queued(queued) = event {
            if let Actor::Automation(id) = queued.triggered_by {
                self.change(id, |watched| {
                    watched.active.insert(run);
                });
            }
            return;
        }
        let Some(id) = self.starter(recorded.tenant_id, run) else { return };
        self.change(id, |watched| match event {
            RunEvent::Failed(_) => {
                watched.active.remove(&run);
                watched.failed.insert(run);
            }
            RunEvent::Resumed(_) => {
                watched.failed.remove(&run);
                watched.active.insert(run);
            }
            RunEvent::Completed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => {
                watched.active.remove(&run);
                watched.failed.remove(&run);
            }
            RunEvent::Queued(_) | RunEvent::Started(_) | RunEvent::Paused(_) => {}
        });
    }

    /// The automation that started a run which has not ended for good.
    fn starter(&self, tenant: TenantId, run: RunId) -> Option<AutomationId> {
        let of = self.of.get(&tenant)?;
        let started = |id: &&AutomationId| {
            self.all.get(*id).is_some_and(|watched| watched.active.contains(&run) || watched.failed.contains(&run))
        };
        of.iter().find(started).copied()
    }

    /// Never for leads made by a run that an automation started: two of them could go on for ever.
    fn leads_made(&mut self, run: RunId, block: &BlockCompleted, recorded: &Recorded) {
        let waiting = self.waiting(recorded.tenant_id, |trigger| matches!(trigger, Trigger::LeadCreated { .. }));
        if waiting.is_empty() || self.starter(recorded.tenant_id, run).is_some() {
            return;
        }
        let kind = Stage::Validate.artifact_type();
        if let Some(made) = block.report.artifacts.iter().find(|a| a.artifact_type == kind && a.leads > 0) {
            let cause = Cause::Leads { event: recorded.event_id, run, artifact: Box::new(made.clone()) };
            self.pend(waiting, &cause);
        }
    }

    /// What is to be started now; each is held back until `again` or the log tells.
    pub(super) fn take(&mut self, now: Micros) -> Vec<Wanted> {
        let mut taken = Vec::new();
        for (id, watched) in self.all.iter_mut().filter(|(_, watched)| watched.enabled) {
            let mut causes: Vec<(Cause, Option<&'static str>)> =
                watched.pending.iter().map(|cause| (cause.clone(), None)).collect();
            if let Some(at) = watched.struck(now)
                && let Some(refused) = watched.overlapping()
            {
                causes.push((Cause::Due { at }, refused));
            }
            for (cause, refused) in causes {
                if watched.free(&cause, now) {
                    watched.held.insert(cause.key(), Micros(i64::MAX));
                    let (tenant, spec) = (watched.tenant, watched.spec.clone());
                    taken.push(Wanted { tenant, automation: *id, spec, cause, refused });
                }
            }
        }
        taken
    }

    /// A taken one could not be decided now: again at `at`.
    pub(super) fn again(&mut self, wanted: &Wanted, at: Micros) {
        if let Some(watched) = self.all.get_mut(&wanted.automation) {
            watched.held.insert(wanted.cause.key(), at);
        }
    }

    /// When the next one may be due.
    pub(super) fn next(&self) -> Option<Micros> {
        let enabled = self.all.values().filter(|watched| watched.enabled);
        let soon = |watched: &Watched| {
            // One that waits for the end of a run is woken by that end.
            let waits = |at: &Micros| {
                watched.free(&Cause::Due { at: *at }, Micros(i64::MIN)) && watched.overlapping().is_some()
            };
            let due = watched.due.filter(waits);
            let again = watched.held.values().filter(|at| at.0 < i64::MAX).min().copied();
            due.into_iter().chain(again).min()
        };
        enabled.filter_map(soon).min()
    }
}

fn answers_a_block(recorded: &Recorded) -> bool {
    matches!(&recorded.event, Event::Config(ConfigEvent::WebhookReceived(e)) if e.purpose.starts_with("block:"))
}

#[cfg(test)]
#[path = "automations_tests.rs"]
mod tests;
