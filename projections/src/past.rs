//! What a tenant's earlier runs tell of the next one: how many leads a stage lets through and finds, and how fast they went.

use std::collections::BTreeMap;

use luci_schema::{Counts, Stage, TenantId};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::{QuestionError, stages::StageSum};

/// Completed runs that are looked at, the newest.
const RUNS: i64 = 20;

/// The tenant's newest completed runs, summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    pub runs: u64,
    pub stages: BTreeMap<Stage, StagePast>,
    /// From start to end, slots and pauses included; absent when there is no run to tell from.
    pub leads_per_minute: Option<u64>,
}

/// One stage over those runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagePast {
    pub counts: Counts,
    /// Leads found per thousand that went in, in the run where it was least and where it was most.
    pub found: (u64, u64),
}

pub async fn of_tenant(c: &mut PgConnection, tenant: TenantId) -> Result<Past, QuestionError> {
    let rows: Vec<(i64, OffsetDateTime, OffsetDateTime, Json<Vec<StageSum>>)> = sqlx::query_as(
        "select total_leads, started_at, completed_at, stages from pipeline_runs
          where tenant_id = $1 and deleted_at is null and completed_key < 'infinity' and status = 'completed'
            and started_at is not null and total_leads > 0
          order by completed_key desc, run_id desc limit $2",
    )
    .bind(tenant)
    .bind(RUNS)
    .fetch_all(c)
    .await?;
    let mut past = Past { runs: rows.len() as u64, ..Past::default() };
    let (mut leads, mut millis) = (0_u64, 0_u64);
    for (total, started, ended, sums) in &rows {
        leads += total.unsigned_abs();
        millis += u64::try_from((*ended - *started).whole_milliseconds()).unwrap_or(0).max(1);
        sums.iter().for_each(|sum| past.add(sum));
    }
    past.leads_per_minute = (millis > 0).then(|| (leads.saturating_mul(60_000) / millis).max(1));
    Ok(past)
}

impl Past {
    fn add(&mut self, sum: &StageSum) {
        let Some(found) = (sum.counts.success * 1_000).checked_div(sum.counts.input) else { return };
        let kept =
            self.stages.entry(sum.stage).or_insert(StagePast { counts: Counts::default(), found: (found, found) });
        kept.counts += sum.counts;
        kept.found = (kept.found.0.min(found), kept.found.1.max(found));
    }
}
