//! Attempts whose retarget is due: taken once, in the transaction that queues what follows.

use luci_schema::{BlockId, LeadId, MessageId, Micros, RunId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::lead::retarget::Rules;

/// A silent attempt, when its time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub lead_id: LeadId,
    pub campaign: String,
    pub campaign_name: Option<String>,
    /// The run and block that made it.
    pub run: RunId,
    pub block: BlockId,
    pub message: MessageId,
    /// Sent, not answered, and nothing else of the campaign is queued for the lead.
    pub silent: bool,
    /// As its run had pinned them.
    pub rules: Rules,
    /// Postgres' clock, which set the time.
    pub now: Micros,
}

/// Whether any is due.
pub async fn any(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from attempt_logs
                         where tenant_id = $1 and channel = 'sms' and retarget_at <= now())",
    )
    .bind(tenant)
    .fetch_one(c)
    .await
}

/// Takes the first ones; none of them is due again.
pub async fn take(c: &mut PgConnection, tenant: TenantId, most: i64) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "update attempt_logs as taken set retarget_at = null
           from (select id from attempt_logs
                  where tenant_id = $1 and channel = 'sms' and retarget_at <= now()
                  order by retarget_at limit $2 for update skip locked) as due
          where taken.tenant_id = $1 and taken.id = due.id
         returning lead_id, campaign_id, campaign_name, run_id, block_id, queue_id, now(),
                   status in ('sent', 'delivered') and not contact_made
                   and not exists (select from attempt_logs as other
                                    where other.tenant_id = $1 and other.lead_id = taken.lead_id
                                      and other.campaign_id = taken.campaign_id and other.channel = 'sms'
                                      and other.status = 'queued'),
                   retarget_threshold, retarget_max, retarget_hours",
    )
    .bind(tenant)
    .bind(most)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Due, sqlx::Error> {
    // The table admits no negative number.
    let number = |index: usize| row.try_get::<i32, _>(index).map(i32::unsigned_abs);
    Ok(Due {
        lead_id: row.try_get(0)?,
        campaign: row.try_get(1)?,
        campaign_name: row.try_get(2)?,
        run: row.try_get(3)?,
        block: row.try_get(4)?,
        message: row.try_get(5)?,
        now: row.try_get::<OffsetDateTime, _>(6)?.into(),
        silent: row.try_get(7)?,
        rules: Rules { threshold: number(8)?, max: number(9)?, hours: number(10)? },
    })
}
