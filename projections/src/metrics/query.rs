//! A run's figures as the API shows them, and its speed, computed when read.

use luci_schema::{RunId, Stage, TenantId};
use serde::Serialize;
use sqlx::{FromRow as _, PgConnection, Row as _};
use time::{Duration, OffsetDateTime};

use super::table::{self, MetricsRow};
use crate::{
    blocks,
    column::{count, parse, parse_or_null},
    numbers::{self, dollars, percent},
    query_error::QuestionError,
    status::RunStatus,
};

/// Newest completed blocks that the speed is computed from.
const RECENT: i64 = 64;

/// A run's figures as the API shows them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    pub total_leads: u64,
    pub processed: u64,
    pub enriched: u64,
    pub skip_traced: u64,
    pub scored: u64,
    pub pushed: u64,
    pub enrichment_hit_rate: f64,
    pub skip_trace_hit_rate: f64,
    /// One decimal; absent before a lead was scored.
    pub average_score: Option<f64>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub estimated_completion: Option<OffsetDateTime>,
    /// Leads a minute of the current stage; absent unless the run is running and a block has completed.
    pub current_throughput: Option<u64>,
    /// Dollars.
    pub enrichment_cost: f64,
    pub enrichment_cost_micros: u64,
    pub skip_trace_cost: f64,
    pub skip_trace_cost_micros: u64,
    pub total_cost: f64,
    pub total_cost_micros: u64,
    pub error_count: u64,
    pub warning_count: u64,
}

impl Metrics {
    pub(crate) fn new(row: &MetricsRow, speed: Speed) -> Self {
        let average = |sum: u64, n: u64| numbers::tenths((sum * 10 + n / 2) / n);
        Self {
            total_leads: row.total_leads,
            processed: row.processed,
            enriched: row.enriched,
            skip_traced: row.skip_traced,
            scored: row.scored,
            pushed: row.pushed,
            enrichment_hit_rate: percent(row.enriched, row.enrichment_processed),
            skip_trace_hit_rate: percent(row.skip_traced, row.skip_trace_processed),
            average_score: (row.scored > 0).then(|| average(row.score_sum, row.scored)),
            started_at: row.started_at,
            estimated_completion: speed.estimated_completion,
            current_throughput: speed.throughput,
            enrichment_cost: dollars(row.enrichment_cost_micros),
            enrichment_cost_micros: row.enrichment_cost_micros,
            skip_trace_cost: dollars(row.skip_trace_cost_micros),
            skip_trace_cost_micros: row.skip_trace_cost_micros,
            total_cost: dollars(row.total_cost_micros),
            total_cost_micros: row.total_cost_micros,
            error_count: row.error_count,
            warning_count: row.warning_count,
        }
    }
}

/// The speed of a running run, and when it completes at that speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Speed {
    pub throughput: Option<u64>,
    pub estimated_completion: Option<OffsetDateTime>,
}

/// `recent`: stage, start, end and leads of the newest completed blocks. `left`: lead-stages still to be done.
pub(crate) fn speed(
    recent: &[(Stage, OffsetDateTime, OffsetDateTime, u64)],
    current: Option<Stage>,
    left: u64,
    now: OffsetDateTime,
) -> Speed {
    let per_minute = |of: &dyn Fn(Stage) -> bool| {
        let newest = recent.iter().filter(|(stage, ..)| of(*stage));
        let first = newest.clone().map(|(_, started, ..)| *started).min()?;
        let leads: u64 = newest.map(|(.., leads)| leads).sum();
        // Up to now, not to the last completion: a run without completions gets slower.
        let millis = u64::try_from((now - first).whole_milliseconds()).unwrap_or(0).max(1);
        Some(leads.saturating_mul(60_000) / millis)
    };
    let throughput = current.and_then(|stage| per_minute(&|s| s == stage));
    let all = per_minute(&|_| true).filter(|n| *n > 0);
    let estimated_completion = all.map(|n| {
        let seconds = i64::try_from(left.saturating_mul(60) / n).unwrap_or(i64::MAX).min(365 * 86_400);
        now + Duration::seconds(seconds)
    });
    Speed { throughput, estimated_completion }
}

/// A run's figures. `None`: no such run of this tenant.
pub async fn get(c: &mut PgConnection, tenant: TenantId, run: RunId) -> Result<Option<Metrics>, QuestionError> {
    let found = table::find(&mut *c, tenant, run).await?;
    let Some(found) = found else { return Ok(None) };
    let row = MetricsRow::from_row(&found)?;
    let speed = match parse::<RunStatus>(&found, "status")? {
        RunStatus::Running => {
            let recent = blocks::recent_completions(c, tenant, run, RECENT).await?;
            let remaining = 100 - u64::try_from(found.try_get::<i16, _>("progress")?).unwrap_or(0).min(100);
            let left = row.total_leads.saturating_mul(count(&found, "stage_count")?).saturating_mul(remaining) / 100;
            speed(&recent, parse_or_null(&found, "current_stage")?, left, numbers::now())
        }
        RunStatus::Queued | RunStatus::Paused | RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => {
            Speed::default()
        }
    };
    Ok(Some(Metrics::new(&row, speed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_of_the_current_stage_and_falls_while_nothing_happens() {
        let at = |seconds: i64| OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let recent = [(Stage::Score, at(0), at(10), 100), (Stage::Enrich, at(0), at(30), 200)];
        let now = speed(&recent, Some(Stage::Score), 600, at(60));
        assert_eq!(now.throughput, Some(100));
        assert_eq!(now.estimated_completion, Some(at(60 + 120)), "600 lead-stages at 300 a minute");
        assert_eq!(speed(&recent, Some(Stage::Score), 600, at(120)).throughput, Some(50));
        assert_eq!(speed(&[], Some(Stage::Score), 600, at(60)), Speed::default());
        assert_eq!(speed(&recent, Some(Stage::Push), 600, at(60)).throughput, None);
    }
}
