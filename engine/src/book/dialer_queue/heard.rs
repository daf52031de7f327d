//! What is heard of calls afterwards: how they ended, and who must not be called.

use luci_schema::{LeadId, TenantId};
use sqlx::PgConnection;

/// How a call ended, in Twilio's word.
pub async fn reported(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    word: &str,
) -> Result<(), sqlx::Error> {
    let status = match word {
        "completed" => "completed",
        "busy" | "no-answer" => "no_answer",
        _ => "failed",
    };
    sqlx::query(
        "update dialer_queue set status = $3, updated_at = now()
          where tenant_id = $1 and provider_call_id = $2 and status = 'in_progress'",
    )
    .bind(tenant)
    .bind(provider_id)
    .bind(status)
    .execute(c)
    .await?;
    Ok(())
}

/// Passes over what is queued for the number or the leads. Answers the ids.
pub async fn silence(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    leads: &[LeadId],
    why: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "update dialer_queue set status = 'skipped', error_code = $4, updated_at = now()
          where tenant_id = $1 and (phone = $2 or lead_id = any($3)) and status = 'pending' returning id",
    )
    .bind(tenant)
    .bind(number)
    .bind(leads)
    .bind(why)
    .fetch_all(c)
    .await
}
