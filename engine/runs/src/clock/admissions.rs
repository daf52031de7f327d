//! Tables `admissions` and `admission_limits`: the clock's saved slots.

use std::time::Duration;

use luci_schema::{
    EventId, Position, RunId, TenantId,
    log::{Log, LogError, follower_position},
};
use sqlx::{PgConnection, PgPool};

use crate::clock::slots::{Admission, SlotState, Slots};

/// For the clock to read to the log's end; it saves twice a second.
const CLOCK_TRIES: u32 = 50;
const CLOCK_WAIT: Duration = Duration::from_millis(100);

pub(super) async fn load(c: &mut PgConnection) -> Result<Slots, sqlx::Error> {
    let limits: Vec<(TenantId, i32)> =
        sqlx::query_as("select tenant_id, active_runs from admission_limits").fetch_all(&mut *c).await?;
    let rows: Vec<(TenantId, RunId, i64, EventId, bool)> =
        sqlx::query_as("select tenant_id, run_id, position, event_id, active from admissions").fetch_all(c).await?;
    let limits = limits.into_iter().map(|(tenant, limit)| (tenant, limit.unsigned_abs())).collect();
    let runs = rows.into_iter().map(|(tenant, run, position, event, active)| Admission {
        tenant,
        run,
        position: Position(position.unsigned_abs()),
        event,
        state: if active { SlotState::Active } else { SlotState::Waiting },
    });
    Ok(Slots::restore(limits, runs.collect()))
}

/// Whether a person of the tenant is being erased: then no run starts.
pub(super) async fn erasing(pool: &PgPool, tenant: TenantId) -> Result<bool, sqlx::Error> {
    let sql = "select exists (select from erasures where status = 'pending' and tenant_id = $1)";
    sqlx::query_scalar(sql).bind(tenant).fetch_one(pool).await
}

/// The tenant's runs that have a slot, as last saved.
async fn active_of(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<RunId>, sqlx::Error> {
    sqlx::query_scalar("select run_id from admissions where active and tenant_id = $1 order by position")
        .bind(tenant)
        .fetch_all(c)
        .await
}

/// The tenant's runs that were running or paused at the log's end; `None` while the clock has not read that far.
pub async fn active_runs(log: &Log, tenant: TenantId) -> Result<Option<Vec<RunId>>, LogError> {
    let newest = log.newest().await?;
    for _ in 0..CLOCK_TRIES {
        let mut c = log.pool().acquire().await?;
        if follower_position(&mut c, "clock").await? >= newest {
            return Ok(Some(active_of(&mut c, tenant).await?));
        }
        drop(c);
        tokio::time::sleep(CLOCK_WAIT).await;
    }
    Ok(None)
}

/// The tenant's runs that have not ended, as last saved: running, paused or waiting for a slot.
///
/// # Errors
/// When the table cannot be read.
pub async fn open_runs(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<RunId>, sqlx::Error> {
    sqlx::query_scalar("select run_id from admissions where tenant_id = $1").bind(tenant).fetch_all(c).await
}

/// The runs that have a slot, as last saved.
pub(super) async fn active(pool: &PgPool) -> Result<Vec<(TenantId, RunId)>, sqlx::Error> {
    sqlx::query_as("select tenant_id, run_id from admissions where active order by position").fetch_all(pool).await
}

/// What a save writes.
pub(super) struct AdmissionChanges {
    removed: Vec<RunId>,
    kept: Vec<Admission>,
    limits: Vec<(TenantId, i32)>,
}

impl AdmissionChanges {
    /// What changed since the last call.
    pub(super) fn take(slots: &mut Slots) -> Self {
        let (runs, tenants) = (std::mem::take(&mut slots.changed_runs), std::mem::take(&mut slots.changed_limits));
        let limit = |tenant| Some((tenant, i32::try_from(slots.limit_of(tenant)?).unwrap_or(i32::MAX)));
        Self {
            removed: runs.iter().filter(|run| slots.run(**run).is_none()).copied().collect(),
            kept: runs.iter().filter_map(|run| slots.run(*run)).copied().collect(),
            limits: tenants.into_iter().filter_map(limit).collect(),
        }
    }
}

/// A starting run is saved as waiting: after a crash its start is issued again.
pub(super) async fn save(c: &mut PgConnection, changes: AdmissionChanges) -> Result<(), sqlx::Error> {
    if !changes.removed.is_empty() {
        sqlx::query("delete from admissions where run_id = any($1)").bind(changes.removed).execute(&mut *c).await?;
    }
    save_runs(c, &changes.kept).await?;
    if changes.limits.is_empty() {
        return Ok(());
    }
    let (tenants, limits): (Vec<TenantId>, Vec<i32>) = changes.limits.into_iter().unzip();
    sqlx::query(
        "insert into admission_limits (tenant_id, active_runs)
         select * from unnest($1::text[], $2::int[])
         on conflict (tenant_id) do update set active_runs = excluded.active_runs",
    )
    .bind(tenants)
    .bind(limits)
    .execute(c)
    .await?;
    Ok(())
}

async fn save_runs(c: &mut PgConnection, kept: &[Admission]) -> Result<(), sqlx::Error> {
    let (mut tenants, mut runs, mut positions, mut events, mut active) = (vec![], vec![], vec![], vec![], vec![]);
    for admission in kept {
        tenants.push(admission.tenant);
        runs.push(admission.run);
        positions.push(i64::try_from(admission.position.0).unwrap_or(i64::MAX));
        events.push(admission.event);
        active.push(admission.state == SlotState::Active);
    }
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into admissions (tenant_id, run_id, position, event_id, active)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bool[])
         on conflict (run_id) do update set active = excluded.active",
    )
    .bind(tenants)
    .bind(runs)
    .bind(positions)
    .bind(events)
    .bind(active)
    .execute(c)
    .await?;
    Ok(())
}
