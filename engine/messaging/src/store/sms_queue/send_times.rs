//! When a queued message may be sent.

use std::collections::HashMap;

use luci_schema::{MessageId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::store::send_settings::SendSettings;

/// When a message may be sent, the tenant's limits aside. Times by Postgres' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendTimes {
    /// Later than `now` after a refusal: the time of the retry.
    pub due: Micros,
    /// From when on the recipient's window is open, now or later; none: never, with these settings.
    pub opens: Option<Micros>,
    pub now: Micros,
}

/// The times of those messages that are approved or pending.
pub async fn send_times(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &SendSettings,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, SendTimes>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, scheduled_at, send_window_next(now(), coalesce(time_zone, $3), $4::time, $5::time, $6), now()
           from sms_queue where tenant_id = $1 and id = any ($2) and status in ('approved', 'pending')",
    )
    .bind(tenant)
    .bind(ids)
    .bind(&settings.time_zone)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.iso_days())
    .fetch_all(c)
    .await?;
    let read = |row: &PgRow| {
        let times = SendTimes {
            due: row.try_get::<OffsetDateTime, _>(1)?.into(),
            opens: row.try_get::<Option<OffsetDateTime>, _>(2)?.map(Micros::from),
            now: row.try_get::<OffsetDateTime, _>(3)?.into(),
        };
        Ok((row.try_get(0)?, times))
    };
    rows.iter().map(read).collect()
}
