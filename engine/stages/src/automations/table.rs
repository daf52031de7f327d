//! Tables `automation_watch` and `automation_triggers`: the reactor's state across restarts.

use luci_schema::{AutomationId, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use super::{fold::Automations, trigger::TriggerCause, watched::Watched};

pub(super) async fn load(c: &mut PgConnection) -> Result<Automations, sqlx::Error> {
    let rows: Vec<(AutomationId, Json<Watched>)> =
        sqlx::query_as("select automation_id, state from automation_watch").fetch_all(&mut *c).await?;
    let triggers: Vec<(AutomationId, Json<TriggerCause>)> =
        sqlx::query_as("select automation_id, cause from automation_triggers").fetch_all(c).await?;
    let rows = rows.into_iter().map(|(id, state)| (id, state.0)).collect();
    Ok(Automations::restore(rows, triggers.into_iter().map(|(id, cause)| (id, cause.0)).collect()))
}

/// What a save writes.
#[derive(Default)]
pub(super) struct Changes {
    removed: Vec<AutomationId>,
    /// Tenant, id, and the state as JSON.
    kept: Vec<(TenantId, AutomationId, String)>,
    /// Automation and key.
    settled: Vec<(AutomationId, String)>,
    /// Tenant, automation, key, and the cause as JSON.
    pending: Vec<(TenantId, AutomationId, String, String)>,
}

impl Changes {
    /// What changed since the last call.
    pub(super) fn take(automations: &mut Automations) -> Result<Self, sqlx::Error> {
        let mut changes = Self::default();
        for id in std::mem::take(&mut automations.changed) {
            match automations.get(id) {
                None => changes.removed.push(id),
                Some(watched) => changes.kept.push((watched.tenant, id, json(watched)?)),
            }
        }
        for (id, key) in std::mem::take(&mut automations.changed_triggers) {
            let Some(watched) = automations.get(id) else { continue };
            match watched.pending.get(&key) {
                None => changes.settled.push((id, key)),
                Some(cause) => changes.pending.push((watched.tenant, id, key, json(cause)?)),
            }
        }
        Ok(changes)
    }
}

fn json(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

pub(super) async fn save(c: &mut PgConnection, changes: Changes) -> Result<(), sqlx::Error> {
    if !changes.removed.is_empty() {
        sqlx::query("delete from automation_watch where automation_id = any($1)")
            .bind(changes.removed)
            .execute(&mut *c)
            .await?;
    }
    save_automations(c, changes.kept).await?;
    save_triggers(c, changes.settled, changes.pending).await
}

async fn save_automations(
    c: &mut PgConnection,
    kept: Vec<(TenantId, AutomationId, String)>,
) -> Result<(), sqlx::Error> {
    if kept.is_empty() {
        return Ok(());
    }
    let (mut tenants, mut ids, mut states) = (vec![], vec![], vec![]);
    for (tenant, id, state) in kept {
        tenants.push(tenant);
        ids.push(id);
        states.push(state);
    }
    sqlx::query(
        "insert into automation_watch (tenant_id, automation_id, state)
         select a, b, c::json from unnest($1::text[], $2::text[], $3::text[]) as rows (a, b, c)
         on conflict (automation_id) do update set state = excluded.state",
    )
    .bind(tenants)
    .bind(ids)
    .bind(states)
    .execute(c)
    .await?;
    Ok(())
}

async fn save_triggers(
    c: &mut PgConnection,
    settled: Vec<(AutomationId, String)>,
    pending: Vec<(TenantId, AutomationId, String, String)>,
) -> Result<(), sqlx::Error> {
    if !settled.is_empty() {
        let (ids, keys): (Vec<AutomationId>, Vec<String>) = settled.into_iter().unzip();
        sqlx::query(
            "delete from automation_triggers t using unnest($1::text[], $2::text[]) as settled (id, key)
              where t.automation_id = settled.id and t.trigger_key = settled.key",
        )
        .bind(ids)
        .bind(keys)
        .execute(&mut *c)
        .await?;
    }
    if pending.is_empty() {
        return Ok(());
    }
    let (mut tenants, mut ids, mut keys, mut causes) = (vec![], vec![], vec![], vec![]);
    for (tenant, id, key, cause) in pending {
        tenants.push(tenant);
        ids.push(id);
        keys.push(key);
        causes.push(cause);
    }
    sqlx::query(
        "insert into automation_triggers (tenant_id, automation_id, trigger_key, cause)
         select a, b, k, c::json from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as rows (a, b, k, c)
         on conflict (automation_id, trigger_key) do update set cause = excluded.cause",
    )
    .bind(tenants)
    .bind(ids)
    .bind(keys)
    .bind(causes)
    .execute(c)
    .await?;
    Ok(())
}
