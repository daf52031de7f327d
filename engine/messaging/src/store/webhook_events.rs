//! Table `webhook_events`: the deliveries of webhooks, each recorded once by its source and external id.

use luci_schema::{LeadId, Micros, TenantId, WebhookId, event::ObjectDigest};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

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
    /// Why it could not be understood.
    pub unread: Option<&'a str>,
}

/// A delivery that could not be understood, as the API lists it. Times are RFC 3339.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadDelivery {
    pub webhook_id: WebhookId,
    pub source: String,
    pub kind: String,
    /// `no_json`, `no_sender` …
    pub reason: String,
    pub size_bytes: i64,
    pub received_at: String,
    pub object_path: String,
    /// SHA-256 of the body in hex.
    #[serde(skip)]
    checksum: String,
}

impl UnreadDelivery {
    /// Size and digest of the body.
    pub fn digest(&self) -> ObjectDigest {
        ObjectDigest { size_bytes: self.size_bytes.unsigned_abs(), checksum: self.checksum.clone() }
    }
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

/// Those of the ids that are recorded.
pub async fn known(c: &mut PgConnection, tenant: TenantId, ids: &[WebhookId]) -> Result<Vec<WebhookId>, sqlx::Error> {
    sqlx::query_scalar("select id from webhook_events where tenant_id = $1 and id = any($2)")
        .bind(tenant)
        .bind(ids)
        .fetch_all(c)
        .await
}

/// Records a delivery. False: the source has delivered it before.
pub async fn insert(c: &mut PgConnection, tenant: TenantId, new: &NewWebhookEvent<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into webhook_events (tenant_id, id, source, external_id, purpose, kind, verified_by, object_path,
                                     size_bytes, checksum, unread, handled_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, case when $11::text is null then now() end) on conflict (tenant_id, source, external_id) do nothing",
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
    .bind(new.unread)
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

/// The objects of deliveries that could not be understood and that nobody has resolved.
pub async fn unresolved_paths(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<String>, sqlx::Error> {
    let sql = "select object_path from webhook_events
                where tenant_id = $1 and unread is not null and resolved_at is null";
    sqlx::query_scalar(sql).bind(tenant).fetch_all(c).await
}

/// Records the digest of a body from which an erased person was removed.
pub async fn body_erased(
    c: &mut PgConnection,
    tenant: TenantId,
    id: WebhookId,
    body: &ObjectDigest,
) -> Result<(), sqlx::Error> {
    sqlx::query("update webhook_events set size_bytes = $3, checksum = $4 where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .bind(i64::try_from(body.size_bytes).unwrap_or(i64::MAX))
        .bind(&body.checksum)
        .execute(c)
        .await?;
    Ok(())
}

/// Deliveries that could not be understood and that nobody has resolved, newest first, older than `before`.
pub async fn unread(
    c: &mut PgConnection,
    tenant: TenantId,
    before: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<UnreadDelivery>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, source, kind, unread, size_bytes, received_at, object_path, checksum from webhook_events
          where tenant_id = $1 and unread is not null and resolved_at is null and ($2::text is null or id < $2)
          order by id desc limit $3",
    )
    .bind(tenant)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(read_unread).collect()
}

/// The delivery, whether resolved or not; none where it was understood.
pub async fn get_unread(
    c: &mut PgConnection,
    tenant: TenantId,
    id: WebhookId,
) -> Result<Option<UnreadDelivery>, sqlx::Error> {
    let row = sqlx::query(
        "select id, source, kind, unread, size_bytes, received_at, object_path, checksum from webhook_events
          where tenant_id = $1 and id = $2 and unread is not null",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?;
    row.as_ref().map(read_unread).transpose()
}

fn read_unread(row: &PgRow) -> Result<UnreadDelivery, sqlx::Error> {
    Ok(UnreadDelivery {
        webhook_id: row.try_get(0)?,
        source: row.try_get(1)?,
        kind: row.try_get(2)?,
        reason: row.try_get(3)?,
        size_bytes: row.try_get(4)?,
        received_at: Micros::from(row.try_get::<OffsetDateTime, _>(5)?).rfc3339(),
        object_path: row.try_get(6)?,
        checksum: row.try_get(7)?,
    })
}

/// What resolving a delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    Now,
    /// It was resolved before.
    Before,
    /// There is no such delivery that could not be understood.
    Absent,
}

/// Records that a person has dealt with a delivery.
pub async fn resolve(
    c: &mut PgConnection,
    tenant: TenantId,
    id: WebhookId,
    (by, note): (&str, &str),
) -> Result<Resolved, sqlx::Error> {
    let was_resolved: Option<bool> = sqlx::query_scalar(
        "with delivery as (select id, resolved_at from webhook_events
                            where tenant_id = $1 and id = $2 and unread is not null for update),
              resolved as (update webhook_events w
                              set resolved_at = now(), handled_at = now(), resolved_by = $3, resolution = $4
                             from delivery
                            where w.tenant_id = $1 and w.id = delivery.id and delivery.resolved_at is null)
         select resolved_at is not null from delivery",
    )
    .bind(tenant)
    .bind(id)
    .bind(by)
    .bind(note)
    .fetch_optional(c)
    .await?;
    Ok(match was_resolved {
        None => Resolved::Absent,
        Some(true) => Resolved::Before,
        Some(false) => Resolved::Now,
    })
}
