//! Table `webhook_events`: the deliveries of webhooks, each recorded once by its source and external id.

use luci_schema::{LeadId, TenantId, WebhookId};
use sqlx::PgConnection;

use crate::store::webhook_tokens::WebhookPurpose;

/// A delivery to record.
#[derive(Debug, Clone)]
pub struct NewWebhookEvent<'a> {
    pub id: WebhookId,
    pub source: &'a str,
    pub external_id: &'a str,
    pub purpose: WebhookPurpose,
    pub kind: &'a str,
    pub verified_by: &'a str,
    pub object_path: &'a str,
    pub size_bytes: u64,
    pub checksum: &'a str,
}

/// The delivery that was recorded under this external id.
pub async fn find(
    c: &mut PgConnection,
    tenant: TenantId,
    source: &str,
    external_id: &str,
) -> Result<Option<WebhookId>, sqlx::Error> {
    sqlx::query_scalar("select id from webhook_events where tenant_id = $1 and source = $2 and external_id = $3")
        .bind(tenant)
        .bind(source)
        .bind(external_id)
        .fetch_optional(c)
        .await
}

/// Records a delivery. False: the source has delivered it before.
pub async fn insert(c: &mut PgConnection, tenant: TenantId, new: &NewWebhookEvent<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into webhook_events (tenant_id, id, source, external_id, purpose, kind, verified_by, object_path,
                                     size_bytes, checksum, handled_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now()) on conflict (tenant_id, source, external_id) do nothing",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(new.source)
    .bind(new.external_id)
    .bind(new.purpose.to_string())
    .bind(new.kind)
    .bind(new.verified_by)
    .bind(new.object_path)
    .bind(i64::try_from(new.size_bytes).unwrap_or(i64::MAX))
    .bind(new.checksum)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records the sender and the class of an incoming message.
pub async fn set_class(
    c: &mut PgConnection,
    tenant: TenantId,
    id: WebhookId,
    lead: Option<LeadId>,
    class: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update webhook_events set lead_id = $3, class = $4 where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .bind(lead)
        .bind(class)
        .execute(c)
        .await?;
    Ok(())
}
