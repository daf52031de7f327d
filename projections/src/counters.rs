//! Projection `run_counters`: a tenant's runs by status, so that tiles and totals need no counting. Deleted runs are out.

use std::collections::{BTreeSet, HashMap};

use luci_schema::TenantId;
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    Projection, QuestionError,
    column::{big, column},
    projection,
    status::RunStatus,
};

pub(crate) const PROJECTION: Projection = projection!("run_counters", "tenant_id || '/' || status");

/// A tenant's runs by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCounts {
    pub queued: u64,
    pub running: u64,
    pub paused: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl RunCounts {
    pub const fn of(&self, status: RunStatus) -> u64 {
        match status {
            RunStatus::Queued => self.queued,
            RunStatus::Running => self.running,
            RunStatus::Paused => self.paused,
            RunStatus::Completed => self.completed,
            RunStatus::Failed => self.failed,
            RunStatus::Cancelled => self.cancelled,
        }
    }

    /// Runs that hold one of the tenant's slots: a paused one keeps it.
    pub const fn active(&self) -> u64 {
        self.running + self.paused
    }

    fn slot(&mut self, status: RunStatus) -> &mut u64 {
        match status {
            RunStatus::Queued => &mut self.queued,
            RunStatus::Running => &mut self.running,
            RunStatus::Paused => &mut self.paused,
            RunStatus::Completed => &mut self.completed,
            RunStatus::Failed => &mut self.failed,
            RunStatus::Cancelled => &mut self.cancelled,
        }
    }
}

/// The counters in the fold's memory, and which of them a batch touched.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    tenants: HashMap<TenantId, RunCounts>,
    touched: BTreeSet<(TenantId, RunStatus)>,
}

impl Counters {
    pub(crate) fn knows(&self, tenant: TenantId) -> bool {
        self.tenants.contains_key(&tenant)
    }

    /// A run moved from one status to another; `None` is: it did not count before, or no longer counts.
    pub(crate) fn moved(&mut self, tenant: TenantId, from: Option<RunStatus>, to: Option<RunStatus>) {
        if from == to {
            return;
        }
        let counts = self.tenants.entry(tenant).or_default();
        for (status, change) in [(from, -1_i64), (to, 1)] {
            if let Some(status) = status {
                let slot = counts.slot(status);
                *slot = slot.saturating_add_signed(change);
                self.touched.insert((tenant, status));
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        self.touched.clear();
    }

    pub(crate) async fn load(&mut self, c: &mut PgConnection, tenants: &[TenantId]) -> Result<(), sqlx::Error> {
        for tenant in tenants {
            self.tenants.insert(*tenant, RunCounts::default());
        }
        let rows: Vec<(TenantId, String, i64)> =
            sqlx::query_as("select tenant_id, status, runs from run_counters where tenant_id = any($1)")
                .bind(tenants)
                .fetch_all(c)
                .await?;
        for (tenant, status, runs) in rows {
            *self.tenants.entry(tenant).or_default().slot(read(&status)?) = u64::try_from(runs).unwrap_or(0);
        }
        Ok(())
    }

    pub(crate) async fn write(&self, c: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let counted = |(tenant, status): &(TenantId, RunStatus)| self.tenants.get(tenant).map_or(0, |n| n.of(*status));
        sqlx::query(
            "insert into run_counters (tenant_id, status, runs)
             select unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[])
             on conflict (tenant_id, status) do update set runs = excluded.runs",
        )
        .bind(column!(self.touched, |key| key.0))
        .bind(column!(self.touched, |key| key.1.as_str()))
        .bind(column!(self.touched, |key| big(counted(key))))
        .execute(c)
        .await?;
        Ok(())
    }
}

fn read(status: &str) -> Result<RunStatus, sqlx::Error> {
    status.parse().map_err(|e: crate::status::UnknownStatus| sqlx::Error::Decode(e.into()))
}

/// The tenant's runs by status, deleted ones left out.
pub async fn get(c: &mut PgConnection, tenant: TenantId) -> Result<RunCounts, QuestionError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select status, runs from run_counters where tenant_id = $1").bind(tenant).fetch_all(c).await?;
    let mut counts = RunCounts::default();
    for (status, runs) in rows {
        *counts.slot(read(&status)?) = u64::try_from(runs).unwrap_or(0);
    }
    Ok(counts)
}
