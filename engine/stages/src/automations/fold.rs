//! Which automations wait for what, and which launches are due. Pure: folded from the log, asked with the time.
//!
//! A trigger stays pending until the log has its outcome (`automation:fired` or `automation:skipped`), so after a crash the next
//! clock launches it again. The run's id derives from the trigger: two launches start one run.

use std::collections::{BTreeSet, HashMap, HashSet};

use luci_schema::{
    Actor, AutomationId, ConfigEvent, Event, Micros, Recorded, RunEvent, RunId, StreamId, TenantId,
    event::{AutomationSpec, Trigger},
};

use super::{
    trigger::{Launch, TriggerCause, due_time},
    watched::Watched,
};

/// Pending triggers of one automation; what comes beyond is recorded as skipped.
pub(super) const MAX_PENDING: usize = 10_000;

/// All automations, and what changed since they were last saved.
#[derive(Default)]
pub(super) struct Automations {
    all: HashMap<AutomationId, Watched>,
    by_tenant: HashMap<TenantId, BTreeSet<AutomationId>>,
    pub changed: HashSet<AutomationId>,
    /// Automation and key of triggers that became pending or were settled.
    pub changed_triggers: HashSet<(AutomationId, String)>,
}

impl Automations {
    pub(super) fn restore(rows: Vec<(AutomationId, Watched)>, triggers: Vec<(AutomationId, TriggerCause)>) -> Self {
        let mut automations = Self::default();
        for (id, mut watched) in rows {
            watched.parse_schedule();
            automations.by_tenant.entry(watched.tenant).or_default().insert(id);
            let earlier = std::mem::take(&mut watched.earlier_pending);
            automations.all.insert(id, watched);
            if !earlier.is_empty() {
                automations.changed.insert(id);
                earlier.into_iter().for_each(|cause| automations.enqueue(id, cause));
            }
        }
        for (id, cause) in triggers {
            if let Some(watched) = automations.all.get_mut(&id) {
                watched.pending.insert(cause.key(), cause);
            }
        }
        automations
    }

    pub(super) fn get(&self, id: AutomationId) -> Option<&Watched> {
        self.all.get(&id)
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Config(event) => self.fold_config(event, recorded),
            Event::Run(event) => {
                if let StreamId::Run(run) = recorded.stream_id {
                    self.fold_run(event, run, recorded);
                }
            }
            Event::Block(event) => {
                if let StreamId::Run(run) = recorded.stream_id {
                    self.fold_block(event, run, recorded);
                }
            }
            Event::Artifact(_) | Event::Unknown(_) => {}
        }
    }

    fn fold_config(&mut self, event: &ConfigEvent, recorded: &Recorded) {
        let (tenant, at) = (recorded.tenant_id, recorded.recorded_at);
        match event {
            ConfigEvent::AutomationCreated(e) => self.create(e.automation_id, tenant, e.spec.clone(), at),
            ConfigEvent::AutomationUpdated(e) => self.change(e.automation_id, |watched| {
                watched.spec = e.spec.clone();
                watched.since = at;
                watched.parse_schedule();
            }),
            ConfigEvent::AutomationEnabled(e) => self.change(e.automation_id, |watched| {
                watched.enabled = true;
                watched.settle(at);
            }),
            ConfigEvent::AutomationDisabled(e) => self.disable(e.automation_id),
            ConfigEvent::AutomationRemoved(e) => self.remove(e.automation_id, tenant),
            ConfigEvent::AutomationFired(e) => self.settle(e.automation_id, &e.cause),
            ConfigEvent::AutomationSkipped(e) => self.settle(e.automation_id, &e.cause),
            ConfigEvent::LeadsCreated(e) => self.leads_added(e, recorded),
            ConfigEvent::MessageReceived(_) => self.message_received(recorded),
            ConfigEvent::WebhookReceived(e) => self.webhook_received(e, recorded),
            ConfigEvent::TenantCreated(_)
            | ConfigEvent::TenantUpdated(_)
            | ConfigEvent::ActorCreated(_)
            | ConfigEvent::KeyCreated(_)
            | ConfigEvent::KeyRevoked(_)
            | ConfigEvent::ImportCompleted(_)
            | ConfigEvent::BlueprintPublished(_)
            | ConfigEvent::BlueprintActivated(_)
            | ConfigEvent::BlueprintArchived(_)
            | ConfigEvent::SectorCreated(_)
            | ConfigEvent::SectorUpdated(_)
            | ConfigEvent::SectorsSeeded(_)
            | ConfigEvent::ScoringProfilePublished(_)
            | ConfigEvent::ScoringProfileActivated(_)
            | ConfigEvent::LeadUpdated(_)
            | ConfigEvent::ErasureRequested(_)
            | ConfigEvent::LeadErased(_)
            | ConfigEvent::RetentionUpdated(_)
            | ConfigEvent::ObjectExpired(_)
            | ConfigEvent::ProviderConfigured(_)
            | ConfigEvent::ProviderRemoved(_)
            | ConfigEvent::ProviderLimited(_)
            | ConfigEvent::TemplatePublished(_)
            | ConfigEvent::MessageApproved(_)
            | ConfigEvent::MessageRejected(_)
            | ConfigEvent::SuppressionAdded(_)
            | ConfigEvent::SuppressionRemoved(_)
            | ConfigEvent::SendingUpdated(_)
            | ConfigEvent::NumberAdded(_)
            | ConfigEvent::NumberRemoved(_)
            | ConfigEvent::NumberPaused(_)
            | ConfigEvent::HoldReleased(_)
            | ConfigEvent::HoldSuppressed(_)
            | ConfigEvent::WebhookResolved(_)
            | ConfigEvent::TokenCreated(_)
            | ConfigEvent::TokenRevoked(_) => {}
        }
    }

    fn create(&mut self, id: AutomationId, tenant: TenantId, spec: AutomationSpec, at: Micros) {
        self.all.insert(id, Watched::new(tenant, spec, at));
        self.by_tenant.entry(tenant).or_default().insert(id);
        self.changed.insert(id);
    }

    fn disable(&mut self, id: AutomationId) {
        let Some(watched) = self.all.get_mut(&id) else { return };
        watched.enabled = false;
        self.changed_triggers.extend(std::mem::take(&mut watched.pending).into_keys().map(|key| (id, key)));
        self.changed.insert(id);
    }

    /// Its pending triggers are deleted with its row.
    fn remove(&mut self, id: AutomationId, tenant: TenantId) {
        self.all.remove(&id);
        if let Some(of_tenant) = self.by_tenant.get_mut(&tenant) {
            of_tenant.remove(&id);
        }
        self.changed.insert(id);
    }

    /// Enabled automations of a tenant whose trigger is of a kind.
    pub(super) fn waiting(&self, tenant: TenantId, kind: fn(&Trigger) -> bool) -> Vec<AutomationId> {
        let of_tenant = self.by_tenant.get(&tenant).into_iter().flatten();
        let waits = |id: &&AutomationId| self.all.get(*id).is_some_and(|w| w.enabled && kind(&w.spec.trigger));
        of_tenant.filter(waits).copied().collect()
    }

    pub(super) fn enqueue_all(&mut self, waiting: Vec<AutomationId>, cause: &TriggerCause) {
        for id in waiting {
            self.enqueue(id, cause.clone());
        }
    }

    fn enqueue(&mut self, id: AutomationId, cause: TriggerCause) {
        let Some(watched) = self.all.get_mut(&id) else { return };
        let cause = match cause.event() {
            Some(event) if watched.pending.len() >= MAX_PENDING => TriggerCause::Overflow { event },
            _ => cause,
        };
        let key = cause.key();
        watched.pending.insert(key.clone(), cause);
        self.changed_triggers.insert((id, key));
    }

    pub(super) fn change(&mut self, id: AutomationId, change: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.all.get_mut(&id) {
            change(watched);
            self.changed.insert(id);
        }
    }

    /// The trigger's outcome is known: it is no longer pending.
    pub(super) fn settle(&mut self, id: AutomationId, key: &str) {
        let Some(watched) = self.all.get_mut(&id) else { return };
        watched.held.remove(key);
        if watched.pending.remove(key).is_some() {
            self.changed_triggers.insert((id, key.to_owned()));
        }
        if let Some(at) = due_time(key) {
            watched.settle(at);
            self.changed.insert(id);
        }
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
        let Some(id) = self.automation_of(recorded.tenant_id, run) else { return };
        self.change(id, |watched| match event {
            RunEvent::Failed(_) => watched.run_failed(run),
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

    /// The automation that started a run which may still run.
    pub(super) fn automation_of(&self, tenant: TenantId, run: RunId) -> Option<AutomationId> {
        let started = |id: &&AutomationId| {
            self.all.get(*id).is_some_and(|watched| watched.active.contains(&run) || watched.failed.contains(&run))
        };
        self.by_tenant.get(&tenant)?.iter().find(started).copied()
    }

    /// The launches that are due. Each is held back until `retry_at` or `settle`.
    pub(super) fn take(&mut self, now: Micros) -> Vec<Launch> {
        let mut taken = Vec::new();
        for (id, watched) in self.all.iter_mut().filter(|(_, watched)| watched.enabled) {
            for (cause, skip) in watched.due_causes(now) {
                let (tenant, spec) = (watched.tenant, watched.spec.clone());
                taken.push(Launch { tenant, automation: *id, spec, cause, skip });
            }
        }
        taken
    }

    /// A launch was not decided: due again at `at`.
    pub(super) fn retry_at(&mut self, launch: &Launch, at: Micros) {
        if let Some(watched) = self.all.get_mut(&launch.automation) {
            watched.held.insert(launch.cause.key(), at);
        }
    }

    /// When the next launch may be due.
    pub(super) fn next_due(&self) -> Option<Micros> {
        self.all.values().filter(|watched| watched.enabled).filter_map(Watched::next_due).min()
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
