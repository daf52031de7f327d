//! Table `provider_prices`: what providers charge. Prices belong to no tenant; a price is never changed, a later one is
//! another row, and a run keeps to those that were valid when it was queued.

use std::collections::BTreeMap;

use luci_schema::{
    Stage,
    event::{RunPrices, StageSpec},
};
use serde::Deserialize as _;
use sqlx::PgConnection;

use crate::provider::{
    APOLLO_COMPANY, APOLLO_PERSON, MOST_NUMBERS, PhoneSource, ProviderName, REALESTATE_MATCH, TRACERFY_TRACE, of_stage,
};

/// The prices that are valid now, for a run of these stages.
pub async fn pin(c: &mut PgConnection, stages: &[StageSpec]) -> Result<RunPrices, sqlx::Error> {
    let mut prices = RunPrices { units: valid(c).await?, ..RunPrices::default() };
    for spec in stages {
        let most = most_per_lead(spec, &prices);
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

/// The most micro-dollars that one lead can cost in a stage: what a budget holds back for it before it is asked about.
fn most_per_lead(spec: &StageSpec, prices: &RunPrices) -> u64 {
    match spec.stage {
        Stage::Enrich => {
            let company = if spec.config["organizations"] == "ask" { APOLLO_COMPANY.pinned(prices) } else { 0 };
            APOLLO_PERSON.pinned(prices) + company
        }
        Stage::SkipTrace => {
            let trace = match of_stage(spec.stage, &spec.config) {
                Ok(ProviderName::Tracerfy) => TRACERFY_TRACE.pinned(prices),
                _ => REALESTATE_MATCH.pinned(prices),
            };
            // Settings that cannot be read fail the block before it asks for anything.
            let verify = PhoneSource::deserialize(&spec.config["verify"]).ok();
            trace + verify.map_or(0, |source| MOST_NUMBERS as u64 * source.price().pinned(prices))
        }
        Stage::Import | Stage::Validate | Stage::Score | Stage::Assign | Stage::Push => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn most(stage: Stage, config: serde_json::Value) -> u64 {
        most_per_lead(&StageSpec { name: stage.to_string(), stage, config }, &RunPrices::default())
    }

    #[test]
    fn what_a_stage_asks_beside_is_held_back_too() {
        assert_eq!(most(Stage::Enrich, json!({})), 100_000);
        assert_eq!(most(Stage::Enrich, json!({"organizations": "ask"})), 150_000);
        assert_eq!(most(Stage::SkipTrace, json!(null)), 100_000);
        assert_eq!(most(Stage::SkipTrace, json!({"provider": "tracerfy", "verify": "trestle"})), 20_000 + 5 * 15_000);
        assert_eq!(most(Stage::Score, json!({})), 0);
    }
}
