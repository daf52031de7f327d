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
    /// A person must decide about the number first.
    pub on_hold: bool,
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
        "select id, scheduled_at, time_zones, now(), number_on_hold(tenant_id, to_number)
           from sms_queue where tenant_id = $1 and id = any ($2) and status in ('approved', 'pending')",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(c)
    .await?;
    let window = settings.window();
    let read = |row: &PgRow| {
        let now = row.try_get::<OffsetDateTime, _>(3)?.into();
        // Without zones the sender looks them up first.
        let zones: Option<Vec<String>> = row.try_get(2)?;
        let opens = zones.map_or(Some(now), |zones| window.next(now, &zones));
        let times =
            SendTimes { due: row.try_get::<OffsetDateTime, _>(1)?.into(), opens, on_hold: row.try_get(4)?, now };
        Ok((row.try_get(0)?, times))
    };
    rows.iter().map(read).collect()
}
