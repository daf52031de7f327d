//! Table `retention_rules`: days by tenant and domain.

use std::collections::BTreeMap;

use luci_schema::TenantId;
use sqlx::PgConnection;

/// The tenant's days by domain.
pub async fn of(c: &mut PgConnection, tenant: TenantId) -> Result<BTreeMap<String, u32>, sqlx::Error> {
    let rows: Vec<(String, i32)> = sqlx::query_as("select domain, days from retention_rules where tenant_id = $1")
        .bind(tenant)
        .fetch_all(c)
        .await?;
    Ok(rows.into_iter().map(|(domain, days)| (domain, days.unsigned_abs())).collect())
}

/// The tenants that have rules.
pub(super) async fn tenants(c: &mut PgConnection) -> Result<Vec<TenantId>, sqlx::Error> {
    sqlx::query_scalar("select distinct tenant_id from retention_rules order by tenant_id").fetch_all(c).await
}

pub(super) async fn replace(
    c: &mut PgConnection,
    tenant: TenantId,
    days: &BTreeMap<String, u32>,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from retention_rules where tenant_id = $1 and not (domain = any($2))")
        .bind(tenant)
        .bind(days.keys().collect::<Vec<_>>())
        .execute(&mut *c)
        .await?;
    sqlx::query(
        "insert into retention_rules (tenant_id, domain, days) select $1, * from unnest($2::text[], $3::int[])
         on conflict (tenant_id, domain) do update set days = excluded.days, updated_at = now()",
    )
    .bind(tenant)
    .bind(days.keys().collect::<Vec<_>>())
    .bind(days.values().map(|days| i32::try_from(*days).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}
