//! Table `automation_watch`: where what the clock knows of automations survives a restart.

use luci_schema::{AutomationId, TenantId};
use sqlx::{PgConnection, types::Json};

use super::{automations::Automations, watched::Watched};

pub(super) async fn load(c: &mut PgConnection) -> Result<Automations, sqlx::Error> {
    let rows: Vec<(AutomationId, Json<Watched>)> =
        sqlx::query_as("select automation_id, state from automation_watch").fetch_all(c).await?;
    Ok(Automations::restore(rows.into_iter().map(|(id, state)| (id, state.0)).collect()))
}

/// Writes what changed.
pub(super) async fn save(c: &mut PgConnection, automations: &Automations) -> Result<(), sqlx::Error> {
    let gone: Vec<AutomationId> =
        automations.changed.iter().filter(|id| automations.get(**id).is_none()).copied().collect();
    if !gone.is_empty() {
        sqlx::query("delete from automation_watch where automation_id = any($1)").bind(gone).execute(&mut *c).await?;
    }
    let (mut tenants, mut ids, mut states): (Vec<TenantId>, Vec<AutomationId>, Vec<String>) = (vec![], vec![], vec![]);
    for (id, watched) in automations.changed.iter().filter_map(|id| Some((*id, automations.get(*id)?))) {
        tenants.push(watched.tenant);
        ids.push(id);
        states.push(serde_json::to_string(watched).map_err(|error| sqlx::Error::Encode(Box::new(error)))?);
    }
    if ids.is_empty() {
        return Ok(());
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
