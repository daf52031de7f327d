//! Table `provider_prices`: prices of all tenants. A price is never changed; a later one is another row. A run keeps the prices
//! that were valid when it was queued.

use std::collections::BTreeMap;

use luci_schema::event::{RunPrices, StageSpec};
use sqlx::PgConnection;

/// The prices that are valid now, for a run of these stages.
///
/// `max_cost_per_lead`: the most micro-dollars that one lead can cost in a stage at these prices.
pub async fn pin(
    c: &mut PgConnection,
    stages: &[StageSpec],
    max_cost_per_lead: fn(&StageSpec, &RunPrices) -> u64,
) -> Result<RunPrices, sqlx::Error> {
    let mut prices = RunPrices { units: valid(c).await?, ..RunPrices::default() };
    for spec in stages {
        let most = max_cost_per_lead(spec, &prices);
        if most > 0 {
            prices.most_per_lead.insert(spec.stage, most);
        }
    }
    Ok(prices)
}

/// Micro-dollars by `provider/unit`.
async fn valid(c: &mut PgConnection) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select distinct on (provider, operation) provider || '/' || operation, price_micros
           from provider_prices where valid_from <= now() order by provider, operation, valid_from desc",
    )
    .fetch_all(c)
    .await?;
    Ok(rows.into_iter().map(|(key, micros)| (key, micros.unsigned_abs())).collect())
}
