//! What the sender reads of table `dialer_queue`: the next due call, and what the limits leave.

use luci_schema::{CallId, LeadId, TenantId};
use sqlx::PgConnection;

use crate::store::{remaining_quota::RemainingQuota, send_settings::SendSettings};

pub async fn any_due(c: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    let sql = "select exists (select from dialer_queue where tenant_id = $1 and status = 'pending' and scheduled_at <= now())";
    sqlx::query_scalar(sql).bind(tenant).fetch_one(c).await
}

pub async fn lock_next(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &SendSettings,
) -> Result<Option<(CallId, LeadId, String)>, sqlx::Error> {
    sqlx::query_as(
        "select id, lead_id, phone from dialer_queue q
          where tenant_id = $1 and status = 'pending' and scheduled_at <= now()
            and send_window_open(now(), coalesce(q.time_zone, $2), $3::time, $4::time, $5)
          order by priority desc, created_at limit 1 for update of q skip locked",
    )
    .bind(tenant)
    .bind(&settings.time_zone)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.iso_days())
    .fetch_optional(c)
    .await
}

pub async fn remaining(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &SendSettings,
) -> Result<RemainingQuota, sqlx::Error> {
    let row = sqlx::query(
        "with days as (select date_trunc('day', now() at time zone $2) as day),
              claims as (select claimed_at, day at time zone $2 as midnight from days, dialer_queue
                          where tenant_id = $1
                            and claimed_at >= least(day at time zone $2, now() - interval '1 hour'))
         select (select count(*) from claims where claimed_at >= midnight),
                (select count(*) from claims where claimed_at >= now() - interval '1 hour'),
                (select (day + interval '1 day') at time zone $2 from days where $4 > 0),
                (select claimed_at + interval '1 hour' from claims where $3 > 0
                  order by claimed_at desc offset greatest($3 - 1, 0) limit 1)",
    )
    .bind(tenant)
    .bind(&settings.time_zone)
    .bind(i64::from(settings.hourly_limit))
    .bind(i64::from(settings.daily_limit))
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
