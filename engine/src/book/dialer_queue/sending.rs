//! Placing calls: a row is claimed and committed as `in_progress` before the provider is called, and what was claimed is
//! never dialled again unless the provider said no.

use std::time::Duration;

use luci_schema::{CallId, LeadId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{admin::sending::Settings, book::sms_queue::sending::Next};

/// A call that this process alone may place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub id: CallId,
    pub lead_id: LeadId,
    pub to: String,
    pub from: String,
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
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('sender calls:' || $1, 0))")
        .bind(tenant)
        .fetch_one(c)
        .await
}

/// Whether any call is due at all.
pub async fn due(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from dialer_queue where tenant_id = $1 and status = 'pending' and scheduled_at <= now())",
    )
    .bind(tenant)
    .fetch_one(c)
    .await
}

/// How many more may be sent now: today's limit began at midnight of the tenant's zone, the hour's an hour ago.
pub async fn room(c: &mut PgConnection, tenant: TenantId, settings: &Settings) -> Result<u32, sqlx::Error> {
    let row = sqlx::query(
        "with days as (select date_trunc('day', now() at time zone $2) at time zone $2 as midnight)
         select count(*) filter (where claimed_at >= midnight),
                count(*) filter (where claimed_at >= now() - interval '1 hour')
           from days, dialer_queue
          where tenant_id = $1 and claimed_at >= least(midnight, now() - interval '1 hour')",
    )
    .bind(tenant)
    .bind(&settings.time_zone)
    .fetch_one(c)
    .await?;
    let left = |limit: u32, index: usize| -> Result<u32, sqlx::Error> {
        Ok(limit.saturating_sub(u32::try_from(row.try_get::<i64, _>(index)?).unwrap_or(u32::MAX)))
    };
    Ok(left(settings.daily_limit, 0)?.min(left(settings.hourly_limit, 1)?))
}

/// Locks the next call whose recipient's window is open; skips what others hold. Its id, lead and number.
pub async fn next(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &Settings,
) -> Result<Option<(CallId, LeadId, String)>, sqlx::Error> {
    let row = sqlx::query(
        "select id, lead_id, phone from dialer_queue q
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

/// Takes a locked call. The caller commits before it calls the provider.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    provider: &str,
    from: &str,
) -> Result<Claimed, sqlx::Error> {
    let row = sqlx::query(
        "update dialer_queue
            set status = 'in_progress', claim = claim + 1, claimed_at = clock_timestamp(), attempts = attempts + 1,
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

/// Passes over a call that must not be made.
pub async fn call_off(c: &mut PgConnection, tenant: TenantId, id: CallId, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update dialer_queue set status = 'skipped', error_code = $3, updated_at = now()
          where tenant_id = $1 and id = $2 and status = 'pending'",
    )
    .bind(tenant)
    .bind(id)
    .bind(why)
    .execute(c)
    .await?;
    Ok(())
}

/// The provider took it; how it ends is reported later. A fact, whoever holds the row by now.
pub async fn placed(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    provider_call_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update dialer_queue set status = 'in_progress', placed_at = now(), provider_call_id = $3, error_code = null,
                                 updated_at = now()
          where tenant_id = $1 and id = $2 and status in ('in_progress', 'failed') and provider_call_id is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(provider_call_id)
    .execute(c)
    .await?;
    Ok(())
}

/// Puts a refused call back, or ends it. False when another holds the row by now.
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
        "update dialer_queue
            set status = $4, error_code = $5, scheduled_at = now() + make_interval(secs => $6),
                attempts = attempts - $7, claimed_at = case when $4 = 'pending' then null else claimed_at end,
                updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'in_progress'",
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

/// A call whose holder went away in the middle: nobody knows whether it was placed. Taken over, so that two do not ask.
pub async fn abandoned(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Duration,
) -> Result<Option<Claimed>, sqlx::Error> {
    let row = sqlx::query(
        "update dialer_queue q set claim = q.claim + 1, claimed_at = now(), updated_at = now()
           from (select id from dialer_queue
                  where tenant_id = $1 and status = 'in_progress' and provider_call_id is null
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
        to: row.try_get("phone")?,
        from: row.try_get::<Option<String>, _>("from_number")?.unwrap_or_default(),
        provider: row.try_get::<Option<String>, _>("provider")?.unwrap_or_default(),
        claim: row.try_get("claim")?,
        queued_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        attempts: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
    })
}

/// Whether it has failed for good.
pub async fn ended(c: &mut PgConnection, tenant: TenantId, id: CallId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select status = 'failed' from dialer_queue where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .fetch_one(c)
        .await
}

/// Holds an abandoned call for a person: it may have been made, so it is not made again.
pub async fn unknown(c: &mut PgConnection, tenant: TenantId, claimed: &Claimed) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update dialer_queue set status = 'failed', error_code = 'unknown_outcome', updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'in_progress'",
    )
    .bind(tenant)
    .bind(claimed.id)
    .bind(claimed.claim)
    .execute(c)
    .await?;
    Ok(())
}
