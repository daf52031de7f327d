//! Table `import_mappings`: the mapping of columns that a tenant saved for its files.

use luci_schema::TenantId;
use sqlx::{PgConnection, types::Json};

use crate::read::mapping::Choices;

/// The tenant's mapping; empty when it has saved none.
pub async fn get(c: &mut PgConnection, tenant: TenantId) -> Result<Choices, sqlx::Error> {
    let stored: Option<Json<Choices>> = sqlx::query_scalar("select mapping from import_mappings where tenant_id = $1")
        .bind(tenant)
        .fetch_optional(c)
        .await?;
    Ok(stored.map(|json| json.0).unwrap_or_default())
}

/// Replaces the tenant's mapping.
pub async fn save(c: &mut PgConnection, tenant: TenantId, mapping: &Choices) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into import_mappings (tenant_id, mapping) values ($1, $2)
         on conflict (tenant_id) do update set mapping = excluded.mapping, updated_at = now()",
    )
    .bind(tenant)
    .bind(Json(mapping))
    .execute(c)
    .await?;
    Ok(())
}
