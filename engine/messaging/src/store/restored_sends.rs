//! Table `restored_sends`: what was sent after the state that the database was restored to.

use luci_schema::TenantId;
use sqlx::PgConnection;

use crate::rules::channel::SendKeys;

/// Whether one of the keys was sent.
pub async fn contains(c: &mut PgConnection, tenant: TenantId, keys: &SendKeys) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from restored_sends where tenant_id = $1 and key = any($2))")
        .bind(tenant)
        .bind(keys.all())
        .fetch_one(c)
        .await
}

/// Adds the keys of one entry of the journal; those that are there stay.
pub async fn add(c: &mut PgConnection, tenant: TenantId, keys: &SendKeys, journal: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into restored_sends (tenant_id, key, journal) select $1, key, $3 from unnest($2::bytea[]) as key
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(keys.all())
    .bind(journal)
    .execute(c)
    .await?;
    Ok(())
}
