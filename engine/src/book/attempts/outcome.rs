//! What became of an attempt: sent, refused, called off, delivered, answered. Each is one row's change, by the queue's id
//! or the provider's.

use luci_schema::{LeadId, TenantId};
use sqlx::{PgConnection, Row};

/// The provider took it. After the hours of its run's rules the lead may be tried again, where the run allowed it.
pub async fn sent(
    c: &mut PgConnection,
    tenant: TenantId,
    queue_id: &str,
    provider: &str,
    provider_id: &str,
    provider_status: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs
            set status = case when status in ('queued', 'failed', 'cancelled') then 'sent' else status end,
                sent_at = coalesce(sent_at, now()), provider = $3, provider_message_id = $4, provider_status = $5,
                error_code = null, error_message = null,
                retarget_at = case when auto_retarget then now() + make_interval(hours => retarget_hours) end
          where tenant_id = $1 and id = 'att_' || split_part($2, '_', 2)",
    )
    .bind(tenant)
    .bind(queue_id)
    .bind(provider)
    .bind(provider_id)
    .bind(provider_status)
    .execute(c)
    .await?;
    Ok(())
}

/// It was not sent, or nobody knows.
pub async fn failed(
    c: &mut PgConnection,
    tenant: TenantId,
    queue_id: &str,
    code: &str,
    message: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs set status = 'failed', error_code = $3, error_message = $4
          where tenant_id = $1 and id = 'att_' || split_part($2, '_', 2) and status = 'queued'",
    )
    .bind(tenant)
    .bind(queue_id)
    .bind(code)
    .bind(message)
    .execute(c)
    .await?;
    Ok(())
}

/// It will not be sent.
pub async fn cancelled(
    c: &mut PgConnection,
    tenant: TenantId,
    queue_ids: &[String],
    why: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs set status = 'cancelled', error_code = $3
          where tenant_id = $1 and id in (select 'att_' || split_part(called_off, '_', 2) from unnest($2::text[]) as called_off)
            and status = 'queued'",
    )
    .bind(tenant)
    .bind(queue_ids)
    .bind(why)
    .execute(c)
    .await?;
    Ok(())
}

/// A person let it go.
pub async fn approved(c: &mut PgConnection, tenant: TenantId, queue_id: &str, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs set approved_by = $3, approved_at = now(), status = 'queued', error_code = null
          where tenant_id = $1 and id = 'att_' || split_part($2, '_', 2)",
    )
    .bind(tenant)
    .bind(queue_id)
    .bind(by)
    .execute(c)
    .await?;
    Ok(())
}

/// What a provider reports, in our words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Sent,
    Delivered,
    Failed,
    Undelivered,
}

impl Report {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Undelivered => "bounced",
        }
    }
}

/// A provider's report. Reports come in any order: a delivered or answered attempt is not un-delivered by a late `sent`.
pub async fn reported(
    c: &mut PgConnection,
    tenant: TenantId,
    queue_id: &str,
    report: Report,
    word: &str,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt_logs
            set provider_status = $4, error_code = coalesce($5, error_code),
                delivered_at = case when $3 = 'delivered' then coalesce(delivered_at, now()) else delivered_at end,
                status = case when status in ('queued', 'sent') or (status in ('failed', 'bounced') and $3 = 'delivered')
                              then $3 else status end
          where tenant_id = $1 and id = 'att_' || split_part($2, '_', 2)",
    )
    .bind(tenant)
    .bind(queue_id)
    .bind(report.as_str())
    .bind(word)
    .bind(error)
    .execute(c)
    .await?;
    Ok(())
}

/// The lead answered: its newest attempt that was sent has a response. Answers that attempt's queue id.
pub async fn responded(
    c: &mut PgConnection,
    tenant: TenantId,
    lead: LeadId,
    text: &str,
    class: Option<&str>,
) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(
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
    .await?;
    row.map(|row| row.try_get(0)).transpose()
}
