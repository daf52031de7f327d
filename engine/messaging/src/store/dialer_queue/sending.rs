//! What the sender reads of table `dialer_queue`: the next due call, and what the limits leave.

use luci_schema::{CallId, LeadId, Micros, TenantId};
use sqlx::PgConnection;

use crate::store::{remaining_quota::RemainingQuota, send_settings::SendSettings};

pub async fn newest_claim(c: &mut PgConnection, tenant: TenantId, id: CallId) -> Result<Option<i64>, sqlx::Error> {
    let sql = "select claim from dialer_queue where tenant_id = $1 and id = $2";
    sqlx::query_scalar(sql).bind(tenant).bind(id).fetch_optional(c).await
}

pub async fn any_due(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    let sql = "select exists (select from dialer_queue where tenant_id = $1 and status = 'pending' and scheduled_at <= now())";
    sqlx::query_scalar(sql).bind(tenant).fetch_one(c).await
}

/// A due row whose number is not on hold and whose zones are all among `open_zones`.
pub async fn lock_next(
    c: &mut PgConnection,
    tenant: TenantId,
    open_zones: &[&str],
) -> Result<Option<(CallId, LeadId, String)>, sqlx::Error> {
    sqlx::query_as(
        "select id, lead_id, phone from dialer_queue q
          where tenant_id = $1 and status = 'pending' and scheduled_at <= now() and time_zones <@ $2
            and not number_on_hold(tenant_id, phone)
          order by priority desc, created_at limit 1 for update of q skip locked",
    )
    .bind(tenant)
    .bind(open_zones)
    .fetch_optional(c)
    .await
}

/// Queued rows whose zones are not recorded: their ids, leads and numbers, at most `limit`.
pub async fn without_zones(
    c: &mut PgConnection,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<(CallId, LeadId, String)>, sqlx::Error> {
    sqlx::query_as(
        "select id, lead_id, phone from dialer_queue
          where tenant_id = $1 and time_zones is null and status = 'pending' limit $2",
    )
    .bind(tenant)
    .bind(limit)
    .fetch_all(c)
    .await
}

pub async fn remaining(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &SendSettings,
    now: Micros,
) -> Result<RemainingQuota, sqlx::Error> {
    let (day_starts, day_ends) = settings.day(now);
    let row = sqlx::query(
        "with claims as (select claimed_at from dialer_queue
                          where tenant_id = $1 and claimed_at >= least($2, now() - interval '1 hour'))
         select (select count(*) from claims where claimed_at >= $2),
                (select count(*) from claims where claimed_at >= now() - interval '1 hour'),
                (select $5::timestamptz where $4 > 0),
                (select claimed_at + interval '1 hour' from claims where $3 > 0
                  order by claimed_at desc offset greatest($3 - 1, 0) limit 1)",
    )
    .bind(tenant)
    .bind(day_starts.date_time())
    .bind(i64::from(settings.hourly_limit))
    .bind(i64::from(settings.daily_limit))
    .bind(day_ends.date_time())
    .fetch_one(c)
    .await?;
    RemainingQuota::read(&row, settings)
}

pub async fn by_provider_id(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
) -> Result<Option<CallId>, sqlx::Error> {
    let sql = "select id from dialer_queue where tenant_id = $1 and provider_call_id = $2";
    sqlx::query_scalar(sql).bind(tenant).bind(provider_id).fetch_optional(c).await
}
