//! Tables `admissions` and `admission_limits`: where the clock's slots survive a restart.

use luci_schema::{EventId, Position, RunId, TenantId};
use sqlx::PgConnection;

use super::slots::{Admission, Place, Slots};

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
        place: if active { Place::Active } else { Place::Waiting },
    });
    Ok(Slots::restore(limits, runs.collect()))
}

/// Writes what changed. A run that is only starting is written as waiting: after a crash it is started again.
pub(super) async fn save(c: &mut PgConnection, slots: &Slots) -> Result<(), sqlx::Error> {
    let gone: Vec<RunId> = slots.changed_runs.iter().filter(|r| slots.run(**r).is_none()).copied().collect();
    if !gone.is_empty() {
        sqlx::query("delete from admissions where run_id = any($1)").bind(gone).execute(&mut *c).await?;
    }
    save_runs(c, slots.changed_runs.iter().filter_map(|r| slots.run(*r))).await?;
    let (tenants, limits): (Vec<TenantId>, Vec<i32>) = slots
        .changed_limits
        .iter()
        .filter_map(|t| Some((*t, i32::try_from(slots.limit_of(*t)?).unwrap_or(i32::MAX))))
        .unzip();
    if tenants.is_empty() {
        return Ok(());
    }
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

async fn save_runs(c: &mut PgConnection, kept: impl Iterator<Item = &Admission>) -> Result<(), sqlx::Error> {
    let (mut tenants, mut runs, mut positions, mut events, mut active) = (vec![], vec![], vec![], vec![], vec![]);
    for admission in kept {
        tenants.push(admission.tenant);
        runs.push(admission.run);
        positions.push(i64::try_from(admission.position.0).unwrap_or(i64::MAX));
        events.push(admission.event);
        active.push(admission.place == Place::Active);
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
