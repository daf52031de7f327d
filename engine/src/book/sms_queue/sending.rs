//! Sending: a row is claimed and committed as `processing` before any provider is called, and what was claimed is never
//! sent again unless the provider said no.

use std::time::Duration;

use luci_schema::{LeadId, MessageId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::admin::sending::Settings;

/// A message that this process alone may send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub id: MessageId,
    pub lead_id: LeadId,
    pub to: String,
    pub from: String,
    pub body: String,
    pub media_url: Option<String>,
    /// `signalhouse` or `twilio`.
    pub provider: String,
    /// Fences older holders.
    pub claim: i64,
    /// It cannot have been sent before.
    pub queued_at: Micros,
    pub attempts: i16,
    pub max_attempts: i16,
}

/// Until the transaction ends, no other sender claims for this tenant: limits are counted by one at a time. False when
/// another is at it.
pub async fn lock(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('sender:' || $1, 0))")
        .bind(tenant)
        .fetch_one(c)
        .await
}

/// Approved messages become pending; answers whether there is anything due at all.
pub async fn deploy(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'pending', updated_at = now() where tenant_id = $1 and status = 'approved'",
    )
    .bind(tenant)
    .execute(&mut *c)
    .await?;
    sqlx::query_scalar(
        "select exists (select from sms_queue where tenant_id = $1 and status = 'pending' and scheduled_at <= now())",
    )
    .bind(tenant)
    .fetch_one(c)
    .await
}

/// Locks the next message whose recipient's window is open; skips what others hold. Its id, lead and number.
pub async fn next(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &Settings,
) -> Result<Option<(MessageId, LeadId, String)>, sqlx::Error> {
    let row = sqlx::query(
        "select id, lead_id, to_number from sms_queue q
          where tenant_id = $1 and status = 'pending' and scheduled_at <= now()
            and send_window_open(now(), coalesce(q.time_zone, $2), $3::time, $4::time, $5)
          order by priority desc, created_at limit 1 for update of q skip locked",
    )
    .bind(tenant)
    .bind(&settings.time_zone)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.days.iter().copied().map(i16::from).collect::<Vec<_>>())
    .fetch_optional(c)
    .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).transpose()
}

/// Takes a locked message. The caller commits before it calls the provider.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    provider: &str,
    from: &str,
) -> Result<Claimed, sqlx::Error> {
    let row = sqlx::query(
        "update sms_queue
            set status = 'processing', claim = claim + 1, claimed_at = clock_timestamp(), attempts = attempts + 1,
                provider = $3, from_number = $4, updated_at = now()
          where tenant_id = $1 and id = $2 returning *",
    )
    .bind(tenant)
    .bind(id)
    .bind(provider)
    .bind(from)
    .fetch_one(c)
    .await?;
    read(&row)
}

/// Calls a message off that must not be sent, whatever state short of sending it is in.
pub async fn call_off(c: &mut PgConnection, tenant: TenantId, id: MessageId, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'cancelled', error_code = $3, updated_at = now()
          where tenant_id = $1 and id = $2 and status in ('draft', 'approved', 'pending')",
    )
    .bind(tenant)
    .bind(id)
    .bind(why)
    .execute(c)
    .await?;
    Ok(())
}

/// The provider took it. A fact, whoever holds the row by now.
pub async fn sent(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    provider_message_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'sent', sent_at = now(), provider_message_id = $3, error_code = null,
                              updated_at = now()
          where tenant_id = $1 and id = $2 and status in ('processing', 'failed', 'cancelled')",
    )
    .bind(tenant)
    .bind(id)
    .bind(provider_message_id)
    .execute(c)
    .await?;
    Ok(())
}

/// What comes of a message that the provider certainly did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Due again after so long; counts as an attempt.
    Again(Duration),
    /// The same, when the message is not to blame: no attempt is used up.
    Later(Duration),
    /// For good.
    Never,
}

/// Puts a refused message back, or ends it. False when another holds the row by now.
pub async fn refused(
    c: &mut PgConnection,
    tenant: TenantId,
    claimed: &Claimed,
    code: &str,
    next: Next,
) -> Result<bool, sqlx::Error> {
    let (status, wait, attempts) = match next {
        Next::Again(wait) if claimed.attempts < claimed.max_attempts => ("pending", wait, 0),
        Next::Later(wait) => ("pending", wait, 1),
        Next::Again(_) | Next::Never => ("failed", Duration::ZERO, 0),
    };
    let done = sqlx::query(
        "update sms_queue
            set status = $4, error_code = $5, scheduled_at = now() + make_interval(secs => $6),
                attempts = attempts - $7, claimed_at = case when $4 = 'pending' then null else claimed_at end,
                updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'processing'",
    )
    .bind(tenant)
    .bind(claimed.id)
    .bind(claimed.claim)
    .bind(status)
    .bind(code)
    .bind(wait.as_secs_f64())
    .bind(attempts as i16)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A message whose holder went away in the middle: nobody knows whether it was sent. Taken over, so that two do not ask.
pub async fn abandoned(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Duration,
) -> Result<Option<Claimed>, sqlx::Error> {
    let row = sqlx::query(
        "update sms_queue q set claim = q.claim + 1, claimed_at = now(), updated_at = now()
           from (select id from sms_queue
                  where tenant_id = $1 and status = 'processing'
                    and claimed_at < now() - make_interval(secs => $2)
                  limit 1 for update skip locked) as old
          where q.tenant_id = $1 and q.id = old.id
         returning q.*",
    )
    .bind(tenant)
    .bind(after.as_secs_f64())
    .fetch_optional(c)
    .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        id: row.try_get("id")?,
        lead_id: row.try_get("lead_id")?,
        to: row.try_get("to_number")?,
        from: row.try_get::<Option<String>, _>("from_number")?.unwrap_or_default(),
        body: row.try_get("body")?,
        media_url: row.try_get("media_url")?,
        provider: row.try_get::<Option<String>, _>("provider")?.unwrap_or_default(),
        claim: row.try_get("claim")?,
        queued_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        attempts: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
    })
}

/// Whether it has failed for good.
pub async fn ended(c: &mut PgConnection, tenant: TenantId, id: MessageId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select status = 'failed' from sms_queue where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .fetch_one(c)
        .await
}

/// Holds an abandoned message for a person: it may have been sent, so it is not sent again.
pub async fn unknown(c: &mut PgConnection, tenant: TenantId, claimed: &Claimed) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'failed', error_code = 'unknown_outcome', updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'processing'",
    )
    .bind(tenant)
    .bind(claimed.id)
    .bind(claimed.claim)
    .execute(c)
    .await?;
    Ok(())
}
