//! The figures of a run, computed from the sums of its stages.

use luci_schema::Stage;
use sqlx::PgConnection;

use super::table::{self, MetricsRow};
use crate::{
    fold::{Fold, TableFuture},
    run_state::{RunRow, RunState},
};

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
}

/// Writes the figures of the runs that changed; it holds no rows of its own.
#[derive(Debug)]
pub(super) struct MetricsFold;

impl Fold for MetricsFold {
    fn write<'a>(&'a self, c: &'a mut PgConnection, runs: &'a RunState) -> TableFuture<'a> {
        Box::pin(async move {
            let rows: Vec<_> = runs.changed_runs().into_iter().map(MetricsRow::of).collect();
            if rows.is_empty() { Ok(()) } else { table::write(c, &rows).await }
        })
    }
}
