//! How much a tenant may send now from a queue.

use luci_schema::{Micros, TenantId};
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::Queue;
use crate::admin::sending::Settings;

/// How many more may be sent now by each limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub today: u32,
    /// Midnight in the tenant's zone, when today's count begins anew; none while the limit is 0.
    pub day_ends: Option<Micros>,
    pub hour: u32,
    /// Where the hour is full: when there is room again; never while the limit is 0.
    pub hour_frees: Option<Micros>,
}

impl Room {
    pub fn is_full(self) -> bool {
        self.today == 0 || self.hour == 0
    }
}

/// Today's limit began at midnight of the tenant's zone, the hour's an hour ago.
pub async fn room(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    settings: &Settings,
) -> Result<Room, sqlx::Error> {
    let row = sqlx::query(queue.sql(
        "with days as (select date_trunc('day', now() at time zone $2) as day),
              taken as (select claimed_at, day at time zone $2 as midnight from days, {queue}
                         where tenant_id = $1
                           and claimed_at >= least(day at time zone $2, now() - interval '1 hour'))
         select (select count(*) from taken where claimed_at >= midnight),
                (select count(*) from taken where claimed_at >= now() - interval '1 hour'),
                (select (day + interval '1 day') at time zone $2 from days where $4 > 0),
                (select claimed_at + interval '1 hour' from taken where $3 > 0
                  order by claimed_at desc offset greatest($3 - 1, 0) limit 1)",
    ))
    .bind(tenant)
    .bind(&settings.time_zone)
    .bind(i64::from(settings.hourly_limit))
    .bind(i64::from(settings.daily_limit))
    .fetch_one(c)
    .await?;
    let left = |limit: u32, index: usize| -> Result<u32, sqlx::Error> {
        Ok(limit.saturating_sub(u32::try_from(row.try_get::<i64, _>(index)?).unwrap_or(u32::MAX)))
    };
    Ok(Room {
        today: left(settings.daily_limit, 0)?,
        hour: left(settings.hourly_limit, 1)?,
        day_ends: row.try_get::<Option<OffsetDateTime>, _>(2)?.map(Micros::from),
        hour_frees: row.try_get::<Option<OffsetDateTime>, _>(3)?.map(Micros::from),
    })
}
