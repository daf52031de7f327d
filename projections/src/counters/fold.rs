//! Counts of runs by status: a run moves from one count to another with its status.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use luci_schema::{Recorded, TenantId};
use sqlx::PgConnection;

use super::{
    RunCounts,
    table::{self, CounterRow},
};
use crate::{
    fold::{Fold, TableFuture},
    fold_error::FoldError,
    run_state::{RunChange, RunState, run_of},
    status::RunStatus,
};

/// Tenants whose counts are kept after a batch. One takes about 0.1 kB.
const KEEP_TENANTS: usize = 40_000;

#[derive(Debug, Default)]
pub(super) struct CounterFold {
    tenants: HashMap<TenantId, RunCounts>,
    changed: BTreeSet<(TenantId, RunStatus)>,
}

impl CounterFold {
    fn missing(&self, batch: &[Arc<Recorded>]) -> Vec<TenantId> {
        let of_runs = batch.iter().filter(|r| run_of(r).is_some()).map(|r| r.tenant_id);
        let missing: HashSet<TenantId> = of_runs.filter(|tenant| !self.tenants.contains_key(tenant)).collect();
        missing.into_iter().collect()
    }

    /// Adds to one count; `None` when it would become negative.
    fn add(&mut self, tenant: TenantId, status: RunStatus, change: i64) -> Option<()> {
        let count = self.tenants.entry(tenant).or_default().of_mut(status);
        *count = count.checked_add_signed(change)?;
        self.changed.insert((tenant, status));
        Some(())
    }
}

impl Fold for CounterFold {
    fn load<'a>(
        &'a mut self,
        c: &'a mut PgConnection,
        _runs: &'a mut RunState,
        batch: &'a [Arc<Recorded>],
    ) -> TableFuture<'a> {
        Box::pin(async move {
            let missing = self.missing(batch);
            if missing.is_empty() {
                return Ok(());
            }
            self.tenants.extend(missing.iter().map(|tenant| (*tenant, RunCounts::default())));
            for row in table::load(c, &missing).await? {
                *self.tenants.entry(row.tenant_id).or_default().of_mut(row.status) = row.runs;
            }
            Ok(())
        })
    }

    fn apply(&mut self, event: &Recorded, run: Option<&RunChange<'_>>) -> Result<(), FoldError> {
        let Some(change) = run else { return Ok(()) };
        let (tenant, before, after) = (change.run.tenant_id, change.before, change.run.counts_as());
        if before == after {
            return Ok(());
        }
        for (status, change) in [(before, -1), (after, 1)] {
            if let Some(status) = status {
                self.add(tenant, status, change)
                    .ok_or_else(|| FoldError::negative(event, "a count of run_counters"))?;
            }
        }
        Ok(())
    }

    fn write<'a>(&'a self, c: &'a mut PgConnection, _runs: &'a RunState) -> TableFuture<'a> {
        Box::pin(async move {
            let row = |(tenant_id, status): &(TenantId, RunStatus)| {
                let runs = self.tenants.get(tenant_id)?.of(*status);
                Some(CounterRow { tenant_id: *tenant_id, status: *status, runs })
            };
            let rows: Vec<CounterRow> = self.changed.iter().filter_map(row).collect();
            if rows.is_empty() { Ok(()) } else { table::write(c, &rows).await }
        })
    }

    fn settle(&mut self) {
        self.changed.clear();
        if self.tenants.len() > KEEP_TENANTS {
            self.tenants = HashMap::new();
        }
    }
}
