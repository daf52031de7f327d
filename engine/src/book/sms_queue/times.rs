//! When a message that waits may go.

use std::collections::HashMap;

use luci_schema::{MessageId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::admin::sending::Settings;

/// When a message may be sent, its recipient's window and the tenant's limits aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Later than now: it was refused, and is tried again then.
    pub due: Micros,
    /// From when on the recipient's window is open, now or later; none: never, with these settings.
    pub opens: Option<Micros>,
    pub now: Micros,
}

/// Those of the messages that have yet to be sent.
pub async fn times(
    c: &mut PgConnection,
    tenant: TenantId,
    settings: &Settings,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Times>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, scheduled_at, send_window_next(now(), coalesce(time_zone, $3), $4::time, $5::time, $6), now()
           from sms_queue where tenant_id = $1 and id = any ($2) and status in ('approved', 'pending')",
    )
    .bind(tenant)
    .bind(ids)
    .bind(&settings.time_zone)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.days.iter().copied().map(i16::from).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    let read = |row: &PgRow| {
        let times = Times {
            due: row.try_get::<OffsetDateTime, _>(1)?.into(),
            opens: row.try_get::<Option<OffsetDateTime>, _>(2)?.map(Micros::from),
            now: row.try_get::<OffsetDateTime, _>(3)?.into(),
        };
        Ok((row.try_get(0)?, times))
    };
    rows.iter().map(read).collect()
}
