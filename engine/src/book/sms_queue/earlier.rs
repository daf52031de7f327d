//! What a message was sent with: the next attempt at the same lead goes the same way.

use std::collections::HashMap;

use luci_schema::{MessageId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};

/// An earlier message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// E.164
    pub to: String,
    /// 1..=10
    pub priority: i16,
    pub agent: String,
}

pub async fn earlier(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Earlier>, sqlx::Error> {
    let rows =
        sqlx::query("select id, to_number, priority, agent from sms_queue where tenant_id = $1 and id = any ($2)")
            .bind(tenant)
            .bind(ids)
            .fetch_all(c)
            .await?;
    let read = |row: &PgRow| {
        Ok((row.try_get(0)?, Earlier { to: row.try_get(1)?, priority: row.try_get(2)?, agent: row.try_get(3)? }))
    };
    rows.iter().map(read).collect()
}
