//! Every statement that writes table `attempt_logs`.

use luci_schema::{AttemptId, LeadId, TenantId};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    rules::{carrier::Carrier, delivery_status::DeliveryStatus, send_id::SendId},
    store::{attempts::NewAttempt, send_batch::SendBatch},
};

/// Records attempts as queued, in the transaction that queues them. Idempotent. Attempts of other campaigns at the same
/// lead, and earlier ones of this campaign, are counted as previous.
pub async fn record(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    campaign_name: Option<&str>,
    attempts: &[NewAttempt],
) -> Result<(), sqlx::Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into attempt_logs (tenant_id, run_id, block_id, campaign_id, campaign_name, context, template_category,
                                   agent, scheduled_at, id, lead_id, queue_id, channel, approval_required,
                                   attempt_number, auto_retarget, template_id, template_version, segments,
                                   retarget_threshold, retarget_max, retarget_hours, previous_attempts)
         select $1, $2, $3, $4, $5, $6, $7, $8, now(), new.*,
                (select count(*) from (select campaign_id, channel, attempt_number from attempt_logs
                                        where tenant_id = $1 and lead_id = new.lead_id
                                        -- The order makes the index by lead the only plan, also while the table is new.
                                        order by created_at desc limit 1000) as old
                  where old.campaign_id <> $4
                     or (old.channel = new.channel and old.attempt_number < new.attempt_number))
           from (select unnest($21::text[]), unnest($9::text[]) as lead_id, unnest($10::text[]) as queue_id,
                        unnest($11::text[]) as channel, unnest($12::bool[]), unnest($13::int[]) as attempt_number,
                        unnest($14::bool[]), unnest($15::text[]), unnest($16::int[]), unnest($17::smallint[]),
                        unnest($18::int[]), unnest($19::int[]), unnest($20::int[])) as new
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(batch.run)
    .bind(batch.block)
    .bind(batch.campaign)
    .bind(campaign_name)
    .bind(batch.context.as_str())
    .bind(batch.category())
    .bind(batch.agent)
    .bind(attempts.iter().map(|a| a.lead_id).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.send_id.to_string()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.send_id.channel().as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.approval_required).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.number)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.auto_retarget).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.template.as_deref()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.template_version.map(number)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.segments.map(|n| i16::try_from(n).unwrap_or(i16::MAX))).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.threshold)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.max)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.hours)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.send_id.attempt_id()).collect::<Vec<_>>())
    .execute(c)
    .await
    .map(drop)
}

/// The provider accepted the send. Sets the time of its retarget where the run's rules allow one.
pub async fn sent(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    carrier: Option<Carrier>,
    (provider_id, provider_status): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs
            set status = case when status in ('queued', 'failed', 'cancelled') then 'sent' else status end,
                sent_at = coalesce(sent_at, now()), provider = $3, provider_message_id = $4, provider_status = $5,
                error_code = null, error_message = null,
                retarget_at = case when auto_retarget then now() + make_interval(hours => retarget_hours) end
          where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id.attempt_id())
    .bind(carrier.map(Carrier::as_str))
    .bind(provider_id)
    .bind(provider_status)
    .execute(c)
    .await
    .map(drop)
}

/// The send failed for good, or its outcome is unknown.
pub async fn failed(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    (code, message): (&str, &str),
) -> Result<(), sqlx::Error> {
    let sql = "update attempt_logs set status = 'failed', error_code = $3, error_message = $4
                where tenant_id = $1 and id = $2 and status = 'queued'";
    sqlx::query(sql).bind(tenant).bind(id.attempt_id()).bind(code).bind(message).execute(c).await.map(drop)
}

/// The sends were cancelled before they happened.
pub async fn cancelled(c: &mut PgConnection, tenant: TenantId, ids: &[SendId], code: &str) -> Result<(), sqlx::Error> {
    let ids: Vec<AttemptId> = ids.iter().map(|id| id.attempt_id()).collect();
    let sql = "update attempt_logs set status = 'cancelled', error_code = $3
                where tenant_id = $1 and id = any($2) and status = 'queued'";
    sqlx::query(sql).bind(tenant).bind(ids).bind(code).execute(c).await.map(drop)
}

/// A person approved the send; also one that had failed with unknown outcome.
pub async fn approved(c: &mut PgConnection, tenant: TenantId, id: SendId, by: &str) -> Result<(), sqlx::Error> {
    let sql = "update attempt_logs set approved_by = $3, approved_at = now(), status = 'queued', error_code = null
                where tenant_id = $1 and id = $2";
    sqlx::query(sql).bind(tenant).bind(id.attempt_id()).bind(by).execute(c).await.map(drop)
}

/// Records a provider's report. Reports arrive in any order: a late `sent` does not change a delivered or answered attempt.
pub async fn reported(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    status: DeliveryStatus,
    provider_status: &str,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs
            set provider_status = $4, error_code = coalesce($5, error_code),
                delivered_at = case when $3 = 'delivered' then coalesce(delivered_at, now()) else delivered_at end,
                status = case when status in ('queued', 'sent') or (status in ('failed', 'bounced') and $3 = 'delivered')
                              then $3 else status end
          where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id.attempt_id())
    .bind(status.as_str())
    .bind(provider_status)
    .bind(error)
    .execute(c)
    .await
    .map(drop)
}

/// Records a lead's reply at its newest attempt that was sent. Returns that attempt's queue id (`msg_…`).
pub async fn responded(
    c: &mut PgConnection,
    tenant: TenantId,
    lead: LeadId,
    text: &str,
    class: Option<&str>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "update attempt_logs
            set status = 'responded', contact_made = true, response_text = $3, response_class = $4,
                responded_at = now(), retarget_at = null
          where tenant_id = $1 and id = (select id from attempt_logs
                                          where tenant_id = $1 and lead_id = $2 and channel = 'sms'
                                            and status in ('sent', 'delivered', 'responded')
                                          order by created_at desc limit 1)
         returning queue_id",
    )
    .bind(tenant)
    .bind(lead)
    .bind(text)
    .bind(class)
    .fetch_optional(c)
    .await
}

/// Clears the retarget time of the attempts that are due, the oldest `limit` of them, so that each is due once.
pub(super) async fn clear_due(c: &mut PgConnection, tenant: TenantId, limit: i64) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(
        "update attempt_logs as cleared set retarget_at = null
           from (select id from attempt_logs
                  where tenant_id = $1 and channel = 'sms' and retarget_at <= now()
                  order by retarget_at limit $2 for update skip locked) as due
          where cleared.tenant_id = $1 and cleared.id = due.id
         returning lead_id, campaign_id, campaign_name, run_id, block_id, queue_id, now(),
                   status in ('sent', 'delivered') and not contact_made
                   and not exists (select from attempt_logs as other
                                    where other.tenant_id = $1 and other.lead_id = cleared.lead_id
                                      and other.campaign_id = cleared.campaign_id and other.channel = 'sms'
                                      and other.status = 'queued'),
                   retarget_threshold, retarget_max, retarget_hours",
    )
    .bind(tenant)
    .bind(limit)
    .fetch_all(c)
    .await
}
