//! Table `attempt_logs`: every attempt to reach a lead, one row a queued message or call.

use luci_schema::{AttemptId, BlockId, LeadId, RunId, TenantId};
use sqlx::PgConnection;

use crate::lead::channel::Channel;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub lead_id: LeadId,
    /// The `msg_` or `call_` id of the queue's row.
    pub queue_id: String,
    pub channel: Channel,
    /// Whether a person must approve it first.
    pub approval_required: bool,
}

/// Records attempts as queued, in the transaction that queued them. Recording one again changes nothing. Attempts of
/// other campaigns at the same lead are counted as previous.
pub async fn record(
    c: &mut PgConnection,
    tenant: TenantId,
    (run, block): (RunId, BlockId),
    campaign: &str,
    attempts: &[Attempt],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into attempt_logs (tenant_id, run_id, block_id, campaign_id, id, lead_id, queue_id, channel,
                                   approval_required, previous_attempts)
         select $1, $2, $3, $4, new.id, new.lead_id, new.queue_id, new.channel, new.approval_required,
                (select count(*) from (select campaign_id from attempt_logs
                                        where tenant_id = $1 and lead_id = new.lead_id
                                        -- The order makes the index by lead the only plan, also while the table is new.
                                        order by created_at desc limit 1000) as old
                  where old.campaign_id <> $4)
           from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::bool[])
                as new (id, lead_id, queue_id, channel, approval_required)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(run)
    .bind(block)
    .bind(campaign)
    .bind(attempts.iter().map(|a| a.id).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.lead_id).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.queue_id.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.channel.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.approval_required).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}
