//! Admission of runs: a tenant has a limited number of active runs, the others wait, oldest first. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use luci_schema::{ConfigEvent, Event, EventId, Position, Recorded, RunEvent, RunId, StreamId, TenantId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotState {
    Waiting,
    /// Its start was issued and is not folded yet.
    Starting,
    /// Running or paused.
    Active,
}

/// A run that waits or holds a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admission {
    pub tenant: TenantId,
    pub run: RunId,
    /// Of its `run:queued`.
    pub position: Position,
    pub event: EventId,
    pub state: SlotState,
}

/// The result of an issued start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartOutcome {
    /// Decided: the log has it, or an event that prevented it.
    Decided,
    /// Not decided; the run waits again.
    Retry,
    /// The run does not exist or its stream is corrupt.
    Impossible,
}

/// The slots of one tenant.
#[derive(Default)]
struct TenantSlots {
    limit: usize,
    taken: usize,
    waiting: BTreeMap<Position, RunId>,
}

/// The slots of all tenants, and what changed since the last save.
#[derive(Default)]
pub(super) struct Slots {
    tenants: HashMap<TenantId, TenantSlots>,
    runs: HashMap<RunId, Admission>,
    /// Tenants that may have a free slot.
    to_check: HashSet<TenantId>,
    pub changed_runs: HashSet<RunId>,
    pub changed_limits: HashSet<TenantId>,
}

impl Slots {
    /// Restores what was saved.
    pub(super) fn restore(limits: Vec<(TenantId, u32)>, runs: Vec<Admission>) -> Self {
        let mut slots = Self::default();
        for (tenant, limit) in limits {
            slots.limit(tenant, limit);
        }
        for admission in runs {
            slots.put(admission);
        }
        slots.changed_runs.clear();
        slots.changed_limits.clear();
        slots
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Run(event) => {
                if let StreamId::Run(run) = recorded.stream_id {
                    self.fold_run(event, run, recorded);
                }
            }
            Event::Config(event) => self.fold_config(event, recorded.tenant_id),
            Event::Block(_) | Event::Artifact(_) | Event::Unknown(_) => {}
        }
    }

    fn fold_config(&mut self, event: &ConfigEvent, tenant: TenantId) {
        match event {
            ConfigEvent::TenantUpdated(updated) => self.limit(tenant, updated.active_runs),
            ConfigEvent::TenantCreated(_)
            | ConfigEvent::ActorCreated(_)
            | ConfigEvent::KeyCreated(_)
            | ConfigEvent::KeyRevoked(_)
            | ConfigEvent::ImportCompleted(_)
            | ConfigEvent::BlueprintPublished(_)
            | ConfigEvent::BlueprintActivated(_)
            | ConfigEvent::BlueprintArchived(_)
            | ConfigEvent::AutomationCreated(_)
            | ConfigEvent::AutomationUpdated(_)
            | ConfigEvent::AutomationEnabled(_)
            | ConfigEvent::AutomationDisabled(_)
            | ConfigEvent::AutomationRemoved(_)
            | ConfigEvent::AutomationFired(_)
            | ConfigEvent::AutomationSkipped(_)
            | ConfigEvent::SectorCreated(_)
            | ConfigEvent::SectorUpdated(_)
            | ConfigEvent::SectorsSeeded(_)
            | ConfigEvent::ScoringProfilePublished(_)
            | ConfigEvent::ScoringProfileActivated(_)
            | ConfigEvent::LeadsCreated(_)
            | ConfigEvent::LeadUpdated(_)
            | ConfigEvent::ProviderConfigured(_)
            | ConfigEvent::ProviderRemoved(_)
            | ConfigEvent::ProviderLimited(_)
            | ConfigEvent::TemplatePublished(_)
            | ConfigEvent::MessageApproved(_)
            | ConfigEvent::MessageRejected(_)
            | ConfigEvent::MessageReceived(_)
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
            | ConfigEvent::TokenRevoked(_)
            | ConfigEvent::WebhookReceived(_)
            | ConfigEvent::ErasureRequested(_)
            | ConfigEvent::LeadErased(_)
            | ConfigEvent::RetentionUpdated(_)
            | ConfigEvent::ObjectExpired(_) => {}
        }
    }

    fn fold_run(&mut self, event: &RunEvent, run: RunId, recorded: &Recorded) {
        let state = match event {
            RunEvent::Queued(queued) => {
                self.limit(recorded.tenant_id, queued.active_runs);
                SlotState::Waiting
            }
            RunEvent::Started(_) | RunEvent::Resumed(_) => SlotState::Active,
            // A paused run keeps its slot.
            RunEvent::Paused(_) => return,
            RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => {
                return self.remove(run);
            }
        };
        let before = self.runs.get(&run).copied();
        let (position, event) = before.map_or((recorded.position, recorded.event_id), |a| (a.position, a.event));
        self.put(Admission { tenant: recorded.tenant_id, run, position, event, state });
    }

    /// Takes the runs that may start now and gives each a slot, oldest first within a tenant.
    pub(super) fn admit(&mut self) -> Vec<Admission> {
        let mut admitted = Vec::new();
        for tenant in std::mem::take(&mut self.to_check) {
            while let Some(run) = self.next_of(tenant) {
                let Some(admission) = self.runs.get(&run).copied() else { break };
                self.put(Admission { state: SlotState::Starting, ..admission });
                admitted.push(admission);
            }
            self.to_check.remove(&tenant);
        }
        admitted
    }

    fn next_of(&self, tenant: TenantId) -> Option<RunId> {
        let slots = self.tenants.get(&tenant)?;
        if slots.taken >= slots.limit {
            return None;
        }
        slots.waiting.values().next().copied()
    }

    /// Handles the result of an issued start, unless an event of the run was folded meanwhile.
    pub(super) fn settle(&mut self, run: RunId, outcome: StartOutcome) {
        let Some(admission) = self.runs.get(&run).copied() else { return };
        if admission.state != SlotState::Starting {
            return;
        }
        match outcome {
            StartOutcome::Decided => {}
            StartOutcome::Retry => self.put(Admission { state: SlotState::Waiting, ..admission }),
            StartOutcome::Impossible => self.remove(run),
        }
    }

    pub(super) fn run(&self, run: RunId) -> Option<&Admission> {
        self.runs.get(&run)
    }

    pub(super) fn limit_of(&self, tenant: TenantId) -> Option<u32> {
        self.tenants.get(&tenant).map(|g| u32::try_from(g.limit).unwrap_or(u32::MAX))
    }

    /// Runs waiting for a slot, of all tenants.
    pub(super) fn waiting(&self) -> usize {
        self.tenants.values().map(|g| g.waiting.len()).sum()
    }

    fn limit(&mut self, tenant: TenantId, active_runs: u32) {
        // At least one: to stop a tenant, its keys are revoked.
        let limit = usize::try_from(active_runs).unwrap_or(usize::MAX).max(1);
        let slots = self.tenants.entry(tenant).or_default();
        if slots.limit != limit {
            slots.limit = limit;
            self.changed_limits.insert(tenant);
            self.to_check.insert(tenant);
        }
    }

    fn put(&mut self, admission: Admission) {
        if let Some(before) = self.runs.insert(admission.run, admission) {
            self.leave(&before);
        }
        let slots =
            self.tenants.entry(admission.tenant).or_insert_with(|| TenantSlots { limit: 1, ..TenantSlots::default() });
        match admission.state {
            SlotState::Waiting => {
                slots.waiting.insert(admission.position, admission.run);
            }
            SlotState::Starting | SlotState::Active => slots.taken += 1,
        }
        self.touch(&admission);
    }

    fn remove(&mut self, run: RunId) {
        if let Some(before) = self.runs.remove(&run) {
            self.leave(&before);
            self.touch(&before);
        }
    }

    fn leave(&mut self, admission: &Admission) {
        let Some(slots) = self.tenants.get_mut(&admission.tenant) else { return };
        match admission.state {
            SlotState::Waiting => {
                slots.waiting.remove(&admission.position);
            }
            SlotState::Starting | SlotState::Active => slots.taken = slots.taken.saturating_sub(1),
        }
    }

    fn touch(&mut self, admission: &Admission) {
        self.to_check.insert(admission.tenant);
        self.changed_runs.insert(admission.run);
    }
}

#[cfg(test)]
mod tests;
