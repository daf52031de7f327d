//! What is heard afterwards: reports of the provider, answers and opt-outs of those who were written to.

use luci_schema::{LeadId, TenantId};
use sqlx::PgConnection;

/// Gives the oldest message to this number whose fate nobody knew the id that the provider reports. Answers its id and
/// its provider.
pub async fn identify(
    c: &mut PgConnection,
    tenant: TenantId,
    to: &str,
    provider_id: &str,
) -> Result<Option<(String, Option<String>)>, sqlx::Error> {
    sqlx::query_as(
        "update sms_queue set status = 'sent', provider_message_id = $3, error_code = null,
                              sent_at = coalesce(sent_at, claimed_at, now()), updated_at = now()
          where tenant_id = $1
            and not exists (select from sms_queue where provider_message_id = $3 and tenant_id = $1)
            and id = (select id from sms_queue where to_number = $2 and tenant_id = $1 and status = 'failed'
                         and error_code = 'unknown_outcome' order by claimed_at limit 1)
         returning id, provider",
    )
    .bind(tenant)
    .bind(to)
    .bind(provider_id)
    .fetch_optional(c)
    .await
}

/// The provider took it but could not bring it.
pub async fn undelivered(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    code: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'failed', error_code = $3, updated_at = now()
          where tenant_id = $1 and provider_message_id = $2 and status = 'sent'",
    )
    .bind(tenant)
    .bind(provider_id)
    .bind(code)
    .execute(c)
    .await?;
    Ok(())
}

/// Leads that were written to at this number, the newest first.
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

/// Calls off what is queued for the number or the leads, drafts included. Answers the ids.
pub async fn silence(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    leads: &[LeadId],
    why: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "update sms_queue set status = 'cancelled', error_code = $4, updated_at = now()
          where tenant_id = $1 and (to_number = $2 or lead_id = any($3)) and status in ('draft', 'approved', 'pending')
         returning id",
    )
    .bind(tenant)
    .bind(number)
    .bind(leads)
    .bind(why)
    .fetch_all(c)
    .await
}
