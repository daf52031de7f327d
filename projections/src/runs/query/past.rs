//! Figures of a tenant's earlier runs, to estimate the next one: how many leads a stage finds, and how fast runs are.

use std::collections::BTreeMap;

use luci_schema::{Counts, Stage, TenantId};
use sqlx::PgConnection;

use crate::{query_error::QuestionError, run_state::stages::StageSum, runs::table};

/// Newest completed runs that are summed.
const RUNS: i64 = 20;

/// The tenant's newest completed runs, summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    pub runs: u64,
    pub stages: BTreeMap<Stage, StagePast>,
    /// From start to end, pauses included; absent without an earlier run.
    pub leads_per_minute: Option<u64>,
}

/// One stage over those runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagePast {
    pub counts: Counts,
    /// Leads found per thousand of the input: in the run with the fewest, and in that with the most.
    pub found: (u64, u64),
}

pub async fn of_tenant(c: &mut PgConnection, tenant: TenantId) -> Result<Past, QuestionError> {
    let runs = table::newest_completed(c, tenant, RUNS).await?;
    let mut past = Past { runs: runs.len() as u64, ..Past::default() };
    let (mut leads, mut millis) = (0_u64, 0_u64);
    for run in &runs {
        leads += run.total_leads;
        millis += u64::try_from((run.completed_at - run.started_at).whole_milliseconds()).unwrap_or(0).max(1);
        run.stages.iter().for_each(|sum| past.add(sum));
    }
    past.leads_per_minute = (millis > 0).then(|| (leads.saturating_mul(60_000) / millis).max(1));
    Ok(past)
}

impl Past {
    fn add(&mut self, sum: &StageSum) {
        let Some(found) = (sum.counts.success * 1_000).checked_div(sum.counts.input) else { return };
        let stage =
            self.stages.entry(sum.stage).or_insert(StagePast { counts: Counts::default(), found: (found, found) });
        stage.counts += sum.counts;
        stage.found = (stage.found.0.min(found), stage.found.1.max(found));
    }
}
