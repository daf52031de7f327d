//! Projection `run_metrics`: a run's figures, taken from the sums of its stages; and, computed when read, its speed.

use luci_schema::{RunId, Stage, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::{Duration, OffsetDateTime};

use crate::{
    Projection, QuestionError, blocks,
    column::{big, column, count, word, word_or_null},
    projection,
    runs::RunRow,
    shape::{self, dollars, percent},
    status::RunStatus,
};

pub(crate) const PROJECTION: Projection = projection!("run_metrics", "run_id");

/// Completed blocks that speed is told from.
const RECENT: i64 = 64;

/// A row of `run_metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsRow {
    pub run_id: RunId,
    pub tenant_id: TenantId,
    pub total_leads: u64,
    pub processed: u64,
    pub enriched: u64,
    pub skip_traced: u64,
    pub scored: u64,
    pub pushed: u64,
    pub enrichment_processed: u64,
    pub skip_trace_processed: u64,
    pub score_sum: u64,
    pub enrichment_cost_micros: u64,
    pub skip_trace_cost_micros: u64,
    pub total_cost_micros: u64,
    /// Leads that failed, in whichever stage.
    pub error_count: u64,
    pub warning_count: u64,
    pub started_at: Option<OffsetDateTime>,
    pub completed_at: Option<OffsetDateTime>,
    pub position: i64,
}

impl MetricsRow {
    pub(crate) fn of(run: &RunRow) -> Self {
        let stage = |stage: Stage| run.stages.iter().find(|sum| sum.stage == stage);
        let counts = |s: Stage| stage(s).map(|sum| sum.counts).unwrap_or_default();
        let cost = |s: Stage| stage(s).map_or(0, |sum| sum.cost_micros);
        Self {
            run_id: run.run_id,
            tenant_id: run.tenant_id,
            total_leads: run.total_leads,
            processed: run.processed_leads,
            enriched: counts(Stage::Enrich).success,
            skip_traced: counts(Stage::SkipTrace).success,
            scored: counts(Stage::Score).success,
            pushed: counts(Stage::Push).success,
            enrichment_processed: counts(Stage::Enrich).processed(),
            skip_trace_processed: counts(Stage::SkipTrace).processed(),
            score_sum: stage(Stage::Score).map_or(0, |sum| sum.score_sum),
            enrichment_cost_micros: cost(Stage::Enrich),
            skip_trace_cost_micros: cost(Stage::SkipTrace),
            total_cost_micros: run.cost_micros,
            error_count: run.stages.iter().map(|sum| sum.counts.failed).sum(),
            warning_count: run.stages.iter().flat_map(|sum| sum.warnings.values()).sum(),
            started_at: run.started_at,
            completed_at: run.completed_at,
            position: run.position,
        }
    }

    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run_id: row.try_get("run_id")?,
            tenant_id: row.try_get("tenant_id")?,
            total_leads: count(row, "total_leads")?,
            processed: count(row, "processed")?,
            enriched: count(row, "enriched")?,
            skip_traced: count(row, "skip_traced")?,
            scored: count(row, "scored")?,
            pushed: count(row, "pushed")?,
            enrichment_processed: count(row, "enrichment_processed")?,
            skip_trace_processed: count(row, "skip_trace_processed")?,
            score_sum: count(row, "score_sum")?,
            enrichment_cost_micros: count(row, "enrichment_cost_micros")?,
            skip_trace_cost_micros: count(row, "skip_trace_cost_micros")?,
            total_cost_micros: count(row, "total_cost_micros")?,
            error_count: count(row, "error_count")?,
            warning_count: count(row, "warning_count")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            position: row.try_get("position")?,
        })
    }
}

/// Writes rows as they are now; each row once.
pub(crate) async fn write(c: &mut PgConnection, rows: &[MetricsRow]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into run_metrics (run_id, tenant_id, total_leads, processed, enriched, skip_traced, scored, pushed,
           enrichment_processed, skip_trace_processed, score_sum, enrichment_cost_micros, skip_trace_cost_micros,
           total_cost_micros, error_count, warning_count, started_at, completed_at, position)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::bigint[]),
           unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]),
           unnest($9::bigint[]), unnest($10::bigint[]), unnest($11::bigint[]), unnest($12::bigint[]),
           unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::bigint[]),
           unnest($17::timestamptz[]), unnest($18::timestamptz[]), unnest($19::bigint[])
         on conflict (run_id) do update set total_leads = excluded.total_leads, processed = excluded.processed,
           enriched = excluded.enriched, skip_traced = excluded.skip_traced, scored = excluded.scored,
           pushed = excluded.pushed, enrichment_processed = excluded.enrichment_processed,
           skip_trace_processed = excluded.skip_trace_processed, score_sum = excluded.score_sum,
           enrichment_cost_micros = excluded.enrichment_cost_micros,
           skip_trace_cost_micros = excluded.skip_trace_cost_micros, total_cost_micros = excluded.total_cost_micros,
           error_count = excluded.error_count, warning_count = excluded.warning_count, started_at = excluded.started_at,
           completed_at = excluded.completed_at, position = excluded.position",
    )
    .bind(column!(rows, |m| m.run_id))
    .bind(column!(rows, |m| m.tenant_id))
    .bind(column!(rows, |m| big(m.total_leads)))
    .bind(column!(rows, |m| big(m.processed)))
    .bind(column!(rows, |m| big(m.enriched)))
    .bind(column!(rows, |m| big(m.skip_traced)))
    .bind(column!(rows, |m| big(m.scored)))
    .bind(column!(rows, |m| big(m.pushed)))
    .bind(column!(rows, |m| big(m.enrichment_processed)))
    .bind(column!(rows, |m| big(m.skip_trace_processed)))
    .bind(column!(rows, |m| big(m.score_sum)))
    .bind(column!(rows, |m| big(m.enrichment_cost_micros)))
    .bind(column!(rows, |m| big(m.skip_trace_cost_micros)))
    .bind(column!(rows, |m| big(m.total_cost_micros)))
    .bind(column!(rows, |m| big(m.error_count)))
    .bind(column!(rows, |m| big(m.warning_count)))
    .bind(column!(rows, |m| m.started_at))
    .bind(column!(rows, |m| m.completed_at))
    .bind(column!(rows, |m| m.position))
    .execute(c)
    .await?;
    Ok(())
}

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
        let average = |sum: u64, n: u64| shape::tenths((sum * 10 + n / 2) / n);
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

/// How fast a running run goes, and when it should end at that speed.
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
    let per_minute = |wanted: &dyn Fn(Stage) -> bool| {
        let newest = recent.iter().filter(|(stage, ..)| wanted(*stage));
        let first = newest.clone().map(|(_, started, ..)| *started).min()?;
        let leads: u64 = newest.map(|(.., leads)| leads).sum();
        // Up to now, not to the last completion: a run that stands still gets slower.
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
    let found = sqlx::query(
        "select m.*, r.status, r.current_stage, r.progress, json_array_length(r.stages)::bigint as stage_count
         from run_metrics m join pipeline_runs r using (run_id) where m.tenant_id = $1 and m.run_id = $2",
    )
    .bind(tenant)
    .bind(run)
    .fetch_optional(&mut *c)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let row = MetricsRow::from_row(&found)?;
    let speed = match word::<RunStatus>(&found, "status")? {
        RunStatus::Running => {
            let recent = blocks::recent_completions(c, tenant, run, RECENT).await?;
            let undone = 100 - u64::try_from(found.try_get::<i16, _>("progress")?).unwrap_or(0).min(100);
            let left = row.total_leads.saturating_mul(count(&found, "stage_count")?).saturating_mul(undone) / 100;
            speed(&recent, word_or_null(&found, "current_stage")?, left, shape::now())
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
