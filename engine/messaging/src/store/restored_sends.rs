//! Table `restored_sends`: what was sent after the state that the database was restored to.

use luci_schema::{Micros, TenantId};
use sqlx::PgConnection;

use crate::rules::channel::SendKeys;

/// Whether the send happened, or, in the last 30 days, the same attempt of some campaign at the same number. That is as long as
/// the longest limit on how often a number is written to.
pub async fn contains(c: &mut PgConnection, tenant: TenantId, keys: &SendKeys) -> Result<bool, sqlx::Error> {
    let sql = "select exists (select from restored_sends
                               where tenant_id = $1 and (send_key = $2
                                     or (contact = $3 and sent_at > now() - interval '30 days')))";
    let query = sqlx::query_scalar(sql).bind(tenant).bind(keys.send_key).bind(keys.contact);
    query.fetch_one(c).await
}

/// Adds an entry of the journal; one that is there stays.
pub async fn add(
    c: &mut PgConnection,
    tenant: TenantId,
    keys: &SendKeys,
    (journal, at): (&str, Micros),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into restored_sends (tenant_id, journal, send_key, contact, sent_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(journal)
    .bind(keys.send_key)
    .bind(keys.contact)
    .bind(at.date_time())
    .execute(c)
    .await?;
    Ok(())
}
