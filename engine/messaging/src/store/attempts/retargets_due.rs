//! Attempts whose retarget is due. Each is due once: its time is cleared in the transaction that queues the next attempt.

use luci_schema::{BlockId, LeadId, MessageId, Micros, RunId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{rules::retarget::RetargetRules, store::attempts::table};

/// An attempt whose retarget time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRetarget {
    pub lead_id: LeadId,
    pub campaign: String,
    pub campaign_name: Option<String>,
    /// The run and block that queued it.
    pub run: RunId,
    pub block: BlockId,
    pub message: MessageId,
    /// Sent, not answered, and nothing else of the campaign is queued for the lead.
    pub silent: bool,
    /// As its run pinned them.
    pub rules: RetargetRules,
    /// By Postgres' clock, which also set the due time.
    pub now: Micros,
}

pub async fn any_due(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from attempt_logs
                         where tenant_id = $1 and channel = 'sms' and retarget_at <= now())",
    )
    .bind(tenant)
    .fetch_one(c)
    .await
}

/// The oldest due ones, at most `limit`; none of them is due again.
pub async fn claim_due(c: &mut PgConnection, tenant: TenantId, limit: i64) -> Result<Vec<DueRetarget>, sqlx::Error> {
    table::clear_due(c, tenant, limit).await?.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<DueRetarget, sqlx::Error> {
    // The table's constraints exclude negative numbers.
    let number = |index: usize| row.try_get::<i32, _>(index).map(i32::unsigned_abs);
    Ok(DueRetarget {
        lead_id: row.try_get(0)?,
        campaign: row.try_get(1)?,
        campaign_name: row.try_get(2)?,
        run: row.try_get(3)?,
        block: row.try_get(4)?,
        message: row.try_get(5)?,
        now: row.try_get::<OffsetDateTime, _>(6)?.into(),
        silent: row.try_get(7)?,
        rules: RetargetRules { threshold: number(8)?, max: number(9)?, hours: number(10)? },
    })
}
