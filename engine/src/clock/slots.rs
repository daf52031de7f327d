//! Who may start: at most so many runs of a tenant are active at once, the others wait, oldest first. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use luci_schema::{ConfigEvent, Event, EventId, Position, Recorded, RunEvent, RunId, StreamId, TenantId};

/// Where a run stands before the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Waiting,
    /// Its start was issued and has not come back through the log yet.
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
    pub place: Place,
}

/// What became of an issued start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// The log has it, or will show why not.
    Settled,
    /// Nothing was decided; the run waits again.
    NotNow,
    /// There is no such run to start.
    Refused,
}

#[derive(Default)]
struct Gate {
    limit: usize,
    taken: usize,
    waiting: BTreeMap<Position, RunId>,
}

/// The gates of all tenants, and what changed since it was last saved.
#[derive(Default)]
pub(super) struct Slots {
    gates: HashMap<TenantId, Gate>,
    runs: HashMap<RunId, Admission>,
    /// Tenants whose gate may let a run through.
    open: HashSet<TenantId>,
    pub changed_runs: HashSet<RunId>,
    pub changed_limits: HashSet<TenantId>,
}

impl Slots {
    /// As saved: limits first, then runs.
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
        match (&recorded.event, recorded.stream_id) {
            (Event::Run(event), StreamId::Run(run)) => self.fold_run(event, run, recorded),
            (Event::Config(ConfigEvent::TenantUpdated(updated)), _) => {
                self.limit(recorded.tenant_id, updated.active_runs);
            }
            _ => {}
        }
    }

    fn fold_run(&mut self, event: &RunEvent, run: RunId, recorded: &Recorded) {
        let place = match event {
            RunEvent::Queued(queued) => {
                self.limit(recorded.tenant_id, queued.active_runs);
                Place::Waiting
            }
            RunEvent::Started(_) | RunEvent::Resumed(_) => Place::Active,
            // A paused run keeps its slot.
            RunEvent::Paused(_) => return,
            RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => {
                return self.remove(run);
            }
        };
        let known = self.runs.get(&run).copied();
        let (position, event) = known.map_or((recorded.position, recorded.event_id), |a| (a.position, a.event));
        self.put(Admission { tenant: recorded.tenant_id, run, position, event, place });
    }

    /// The runs that may start now, each given a slot: oldest first within a tenant.
    pub(super) fn admit(&mut self) -> Vec<Admission> {
        let mut admitted = Vec::new();
        for tenant in std::mem::take(&mut self.open) {
            while let Some(run) = self.next_of(tenant) {
                let Some(admission) = self.runs.get(&run).copied() else { break };
                self.put(Admission { place: Place::Starting, ..admission });
                admitted.push(admission);
            }
            self.open.remove(&tenant);
        }
        admitted
    }

    fn next_of(&self, tenant: TenantId) -> Option<RunId> {
        let gate = self.gates.get(&tenant)?;
        if gate.taken >= gate.limit {
            return None;
        }
        gate.waiting.values().next().copied()
    }

    /// What an issued start led to; nothing to do when the log has told already.
    pub(super) fn settle(&mut self, run: RunId, started: Started) {
        let Some(admission) = self.runs.get(&run).copied() else { return };
        if admission.place != Place::Starting {
            return;
        }
        match started {
            Started::Settled => {}
            Started::NotNow => self.put(Admission { place: Place::Waiting, ..admission }),
            Started::Refused => self.remove(run),
        }
    }

    pub(super) fn run(&self, run: RunId) -> Option<&Admission> {
        self.runs.get(&run)
    }

    pub(super) fn limit_of(&self, tenant: TenantId) -> Option<u32> {
        self.gates.get(&tenant).map(|g| u32::try_from(g.limit).unwrap_or(u32::MAX))
    }

    /// Runs waiting for a slot, of all tenants.
    pub(super) fn waiting(&self) -> usize {
        self.gates.values().map(|g| g.waiting.len()).sum()
    }

    fn limit(&mut self, tenant: TenantId, active_runs: u32) {
        // None at all would be a tenant whose runs never start; a closed tenant is a matter of its keys.
        let limit = usize::try_from(active_runs).unwrap_or(usize::MAX).max(1);
        let gate = self.gates.entry(tenant).or_default();
        if gate.limit != limit {
            gate.limit = limit;
            self.changed_limits.insert(tenant);
            self.open.insert(tenant);
        }
    }

    fn put(&mut self, admission: Admission) {
        if let Some(before) = self.runs.insert(admission.run, admission) {
            self.leave(&before);
        }
        let gate = self.gates.entry(admission.tenant).or_insert_with(|| Gate { limit: 1, ..Gate::default() });
        match admission.place {
            Place::Waiting => {
                gate.waiting.insert(admission.position, admission.run);
            }
            Place::Starting | Place::Active => gate.taken += 1,
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
        let Some(gate) = self.gates.get_mut(&admission.tenant) else { return };
        match admission.place {
            Place::Waiting => {
                gate.waiting.remove(&admission.position);
            }
            Place::Starting | Place::Active => gate.taken = gate.taken.saturating_sub(1),
        }
    }

    fn touch(&mut self, admission: &Admission) {
        self.open.insert(admission.tenant);
        self.changed_runs.insert(admission.run);
    }
}

#[cfg(test)]
mod tests;
