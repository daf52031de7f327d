//! Table `timers`: where what is due survives a restart.

use luci_schema::{BlockId, EventId, Micros, RunId, TenantId};
use sqlx::PgConnection;

use super::due::{Due, Timer};

pub(super) async fn load(c: &mut PgConnection) -> Result<Due, sqlx::Error> {
    let rows: Vec<(TenantId, RunId, BlockId, i64, EventId, bool)> =
        sqlx::query_as("select tenant_id, run_id, block_id, due_at_micros, event_id, parked from timers")
            .fetch_all(c)
            .await?;
    let timers = rows.into_iter().map(|(tenant, run, block, due, event, parked)| Timer {
        tenant,
        run,
        block,
        due: Micros(due),
        event,
        parked,
    });
    Ok(Due::restore(timers.collect()))
}

/// Writes what changed.
pub(super) async fn save(c: &mut PgConnection, due: &Due) -> Result<(), sqlx::Error> {
    let (runs, blocks): (Vec<RunId>, Vec<BlockId>) =
        due.changed.iter().filter(|(_, block)| due.get(*block).is_none()).copied().unzip();
    if !runs.is_empty() {
        sqlx::query(
            "delete from timers using unnest($1::text[], $2::text[]) as gone (run_id, block_id)
             where timers.run_id = gone.run_id and timers.block_id = gone.block_id",
        )
        .bind(runs)
        .bind(blocks)
        .execute(&mut *c)
        .await?;
    }
    save_timers(c, due.changed.iter().filter_map(|(_, block)| due.get(*block))).await
}

async fn save_timers(c: &mut PgConnection, kept: impl Iterator<Item = &Timer>) -> Result<(), sqlx::Error> {
    let (mut tenants, mut runs, mut blocks, mut dues) = (vec![], vec![], vec![], vec![]);
    let (mut events, mut parked) = (vec![], vec![]);
    for timer in kept {
        tenants.push(timer.tenant);
        runs.push(timer.run);
        blocks.push(timer.block);
        dues.push(timer.due.0);
        events.push(timer.event);
        parked.push(timer.parked);
    }
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into timers (tenant_id, run_id, block_id, due_at_micros, event_id, parked)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bool[])
         on conflict (run_id, block_id) do update
         set due_at_micros = excluded.due_at_micros, event_id = excluded.event_id, parked = excluded.parked",
    )
    .bind(tenants)
    .bind(runs)
    .bind(blocks)
    .bind(dues)
    .bind(events)
    .bind(parked)
    .execute(c)
    .await?;
    Ok(())
}

/// Postgres' clock: what due times are compared with, wherever this process runs.
pub(super) async fn now(c: &mut PgConnection) -> Result<Micros, sqlx::Error> {
    sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
        .fetch_one(c)
        .await
        .map(Micros)
}
