//! How many runs of a tenant began and ended in each part of a span of time: the bars of a dashboard.

use luci_schema::{Position, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use crate::{QuestionError, position};

/// Runs in each part of the span; deleted runs are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
    /// Runs that were queued in the part, in whatever state they ended.
    pub created: Vec<u32>,
    pub started: Vec<u32>,
    pub completed: Vec<u32>,
    pub failed: Vec<u32>,
    pub cancelled: Vec<u32>,
    pub position: Position,
}

/// `parts` of equal length from `from` to `to`. A range scan of one index for each of the three times.
pub async fn of_tenant(
    c: &mut PgConnection,
    tenant: TenantId,
    from: OffsetDateTime,
    to: OffsetDateTime,
    parts: u16,
) -> Result<Activity, QuestionError> {
    let position = position::current(c).await?;
    let zeros = || vec![0; usize::from(parts)];
    let (created, started, completed) = (zeros(), zeros(), zeros());
    let mut activity =
        Activity { from, to, created, started, completed, failed: zeros(), cancelled: zeros(), position };
    let rows = sqlx::query(
        "with times (kind, at) as (
           select 'created', created_at from pipeline_runs
            where tenant_id = $1 and deleted_at is null and created_at >= $2 and created_at < $3
           union all
           select 'started', started_key from pipeline_runs
            where tenant_id = $1 and deleted_at is null and started_key >= $2 and started_key < $3
           union all
           select status, completed_key from pipeline_runs
            where tenant_id = $1 and deleted_at is null and completed_key >= $2 and completed_key < $3)
         select kind, width_bucket(extract(epoch from at), extract(epoch from $2), extract(epoch from $3), $4) as part,
                count(*) as runs
           from times group by 1, 2",
    )
    .bind(tenant)
    .bind(from)
    .bind(to)
    .bind(i32::from(parts))
    .fetch_all(c)
    .await?;
    for row in rows {
        let bars = match row.try_get("kind")? {
            "created" => &mut activity.created,
            "started" => &mut activity.started,
            "completed" => &mut activity.completed,
            "failed" => &mut activity.failed,
            "cancelled" => &mut activity.cancelled,
            _ => continue,
        };
        let part = usize::try_from(row.try_get::<i32, _>("part")? - 1).unwrap_or(0);
        if let Some(bar) = bars.get_mut(part) {
            *bar = u32::try_from(row.try_get::<i64, _>("runs")?).unwrap_or(u32::MAX);
        }
    }
    Ok(activity)
}
