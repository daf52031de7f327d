//! What a tenant's runs have cost, in total and by stage. Deleted runs are included.

use std::collections::BTreeMap;

use luci_schema::{Position, Stage, TenantId};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{numbers::dollars, position, query_error::QuestionError, runs::table};

/// Costs of the runs that were queued at or after `from` and before `to`.
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
    /// Micro-dollars by stage; stages without costs are left out.
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
    let (runs, cost_micros) = table::cost(c, tenant, from, to).await?;
    let stages = table::cost_by_stage(c, tenant, from, to).await?.into_iter().collect();
    Ok(Costs { from, to, runs, cost_micros, cost: dollars(cost_micros), stages, position })
}
