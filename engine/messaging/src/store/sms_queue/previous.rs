//! Messages that were queued before: what they were sent with, and which leads a number belongs to.

use std::collections::HashMap;

use luci_schema::{LeadId, MessageId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};

/// What the next attempt at the same lead takes over from the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousMessage {
    /// E.164
    pub to: String,
    /// 1..=10
    pub priority: i16,
    pub agent: String,
}

pub async fn previous(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, PreviousMessage>, sqlx::Error> {
    let rows =
        sqlx::query("select id, to_number, priority, agent from sms_queue where tenant_id = $1 and id = any ($2)")
            .bind(tenant)
            .bind(ids)
            .fetch_all(c)
            .await?;
    let read = |row: &PgRow| {
        Ok((
            row.try_get(0)?,
            PreviousMessage { to: row.try_get(1)?, priority: row.try_get(2)?, agent: row.try_get(3)? },
        ))
    };
    rows.iter().map(read).collect()
}

/// Leads with messages to this number, the one with the newest message first, at most 100.
pub async fn leads_at(c: &mut PgConnection, tenant: TenantId, number: &str) -> Result<Vec<LeadId>, sqlx::Error> {
    sqlx::query_scalar(
        "select lead_id from sms_queue where to_number = $2 and tenant_id = $1
          group by lead_id order by max(coalesce(sent_at, created_at)) desc limit 100",
    )
    .bind(tenant)
    .bind(number)
    .fetch_all(c)
    .await
}
