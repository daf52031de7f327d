//! Table `run_metrics`: rows read and written. The name is unqualified: `search_path` says which version is meant.

use luci_schema::{RunId, TenantId};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;

use crate::column::{bigint, column, count};

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

impl sqlx::FromRow<'_, PgRow> for MetricsRow {
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
pub(super) async fn write(c: &mut PgConnection, rows: &[MetricsRow]) -> Result<(), sqlx::Error> {
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
    .bind(column!(rows, |m| bigint(m.total_leads)))
    .bind(column!(rows, |m| bigint(m.processed)))
    .bind(column!(rows, |m| bigint(m.enriched)))
    .bind(column!(rows, |m| bigint(m.skip_traced)))
    .bind(column!(rows, |m| bigint(m.scored)))
    .bind(column!(rows, |m| bigint(m.pushed)))
    .bind(column!(rows, |m| bigint(m.enrichment_processed)))
    .bind(column!(rows, |m| bigint(m.skip_trace_processed)))
    .bind(column!(rows, |m| bigint(m.score_sum)))
    .bind(column!(rows, |m| bigint(m.enrichment_cost_micros)))
    .bind(column!(rows, |m| bigint(m.skip_trace_cost_micros)))
    .bind(column!(rows, |m| bigint(m.total_cost_micros)))
    .bind(column!(rows, |m| bigint(m.error_count)))
    .bind(column!(rows, |m| bigint(m.warning_count)))
    .bind(column!(rows, |m| m.started_at))
    .bind(column!(rows, |m| m.completed_at))
    .bind(column!(rows, |m| m.position))
    .execute(c)
    .await?;
    Ok(())
}

/// A run's row, with the columns `status`, `current_stage`, `progress` and `stage_count` of the run itself.
pub(super) async fn find(c: &mut PgConnection, tenant: TenantId, run: RunId) -> Result<Option<PgRow>, sqlx::Error> {
    sqlx::query(
        "select m.*, r.status, r.current_stage, r.progress, json_array_length(r.stages)::bigint as stage_count
         from run_metrics m join pipeline_runs r using (run_id) where m.tenant_id = $1 and m.run_id = $2",
    )
    .bind(tenant)
    .bind(run)
    .fetch_optional(c)
    .await
}
