//! Table `timers`: the clock's saved block retries.

use luci_schema::{BlockId, EventId, Micros, RunId, TenantId};
use sqlx::PgConnection;

use crate::clock::retry_timers::{RetryTimer, RetryTimers};

pub(super) async fn load(c: &mut PgConnection) -> Result<RetryTimers, sqlx::Error> {
    type Row = (TenantId, RunId, BlockId, i64, EventId, bool, Option<String>);
    let rows: Vec<Row> =
        sqlx::query_as("select tenant_id, run_id, block_id, due_at_micros, event_id, parked, waits_for from timers")
            .fetch_all(c)
            .await?;
    let timers = rows.into_iter().map(|(tenant, run, block, due, event, parked, waits_for)| RetryTimer {
        tenant,
        run,
        block,
        due: Micros(due),
        event,
        parked,
        waits_for: waits_for.map(Into::into),
    });
    Ok(RetryTimers::restore(timers.collect()))
}

/// What a save writes.
pub(super) struct TimerChanges {
    removed: Vec<(RunId, BlockId)>,
    kept: Vec<RetryTimer>,
}

impl TimerChanges {
    /// What changed since the last call.
    pub(super) fn take(timers: &mut RetryTimers) -> Self {
        let changed = std::mem::take(&mut timers.changed);
        Self {
            removed: changed.iter().filter(|(_, block)| timers.get(*block).is_none()).copied().collect(),
            kept: changed.iter().filter_map(|(_, block)| timers.get(*block)).cloned().collect(),
        }
    }
}

pub(super) async fn save(c: &mut PgConnection, changes: TimerChanges) -> Result<(), sqlx::Error> {
    let (runs, blocks): (Vec<RunId>, Vec<BlockId>) = changes.removed.into_iter().unzip();
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
    save_timers(c, &changes.kept).await
}

async fn save_timers(c: &mut PgConnection, kept: &[RetryTimer]) -> Result<(), sqlx::Error> {
    let (mut tenants, mut runs, mut blocks, mut dues) = (vec![], vec![], vec![], vec![]);
    let (mut events, mut parked, mut providers) = (vec![], vec![], vec![]);
    for timer in kept {
        tenants.push(timer.tenant);
        runs.push(timer.run);
        blocks.push(timer.block);
        dues.push(timer.due.0);
        events.push(timer.event);
        parked.push(timer.parked);
        providers.push(timer.waits_for.as_deref());
    }
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into timers (tenant_id, run_id, block_id, due_at_micros, event_id, parked, waits_for)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bool[], $7::text[])
         on conflict (run_id, block_id) do update
         set due_at_micros = excluded.due_at_micros, event_id = excluded.event_id, parked = excluded.parked,
             waits_for = excluded.waits_for",
    )
    .bind(tenants)
    .bind(runs)
    .bind(blocks)
    .bind(dues)
    .bind(events)
    .bind(parked)
    .bind(providers)
    .execute(c)
    .await?;
    Ok(())
}
