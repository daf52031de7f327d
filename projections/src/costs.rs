//! What a tenant's runs have cost: the sums of its runs and of their stages, deleted runs included.

use std::collections::BTreeMap;

use luci_schema::{Position, Stage, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::{QuestionError, position, shape::dollars, stages::StageSum};

/// Costs of runs that were queued from one time on and before another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
    pub runs: u64,
    pub cost_micros: u64,
    /// Dollars.
    pub cost: f64,
    /// Micro-dollars by stage; those that cost nothing are left out.
    pub stages: BTreeMap<Stage, u64>,
    pub position: Position,
}

pub async fn of_tenant(
    c: &mut PgConnection,
    tenant: TenantId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Costs, QuestionError> {
    let position = position::current(c).await?;
    let rows: Vec<(i64, Json<Vec<StageSum>>)> = sqlx::query_as(
        "select cost_micros, stages from pipeline_runs
          where tenant_id = $1 and created_at >= $2 and created_at < $3 and cost_micros > 0",
    )
    .bind(tenant)
    .bind(from)
    .bind(to)
    .fetch_all(&mut *c)
    .await?;
    let runs: i64 = sqlx::query_scalar(
        "select count(*) from pipeline_runs where tenant_id = $1 and created_at >= $2 and created_at < $3",
    )
    .bind(tenant)
    .bind(from)
    .bind(to)
    .fetch_one(c)
    .await?;
    let cost_micros = rows.iter().map(|(cost, _)| cost.unsigned_abs()).sum();
    let mut stages = BTreeMap::new();
    for sum in rows.iter().flat_map(|(_, stages)| &stages.0).filter(|sum| sum.cost_micros > 0) {
        *stages.entry(sum.stage).or_default() += sum.cost_micros;
    }
    Ok(Costs { from, to, runs: runs.unsigned_abs(), cost_micros, cost: dollars(cost_micros), stages, position })
}
