//! `POST /api/pipelines/estimate`: leads, cost and duration of a run before it is started.

use std::sync::Arc;

use http::StatusCode;
use luci_projections::past::{self, Past};
use luci_schema::{
    Stage,
    event::{RunPrices, StageSpec},
};
use luci_stages::{start as engine, start_limits};
use serde_json::{Value, json};

use crate::{
    App,
    caller::Caller,
    reads::Reading,
    reply,
    request::Request,
    routes::{HandlerResult, runs::start::StartBody},
};

/// Leads found per thousand, low and high, where no earlier run has data.
const DEFAULT_FOUND: (u64, u64) = (400, 1_000);

/// Throughput where no earlier run has data.
const DEFAULT_LEADS_PER_MINUTE: u64 = 600;

/// The body is that of a start.
pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, _) = request.json::<StartBody>().await?;
    let start = body.into_start()?;
    let mut c = app.engine_pool.acquire().await?;
    let leads = engine::leads_of(&mut c, caller.tenant, &start.source).await?.total;
    let blueprint = engine::blueprint(&mut c, caller.tenant, start.blueprint).await?;
    let prices = luci_stages::start::pin_prices(&mut c, &blueprint.stages).await?;
    let missing = engine::missing_providers(&mut c, caller.tenant, &app.own_providers, &blueprint.stages).await?;
    let limits = start_limits::reached(&mut c, caller.tenant, &app.provider_limits, &blueprint.stages, leads).await?;
    drop(c);
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let past = past::of_tenant(&mut reading.tx, caller.tenant).await?;
    let mut estimate = estimate(leads, &blueprint.stages, &prices, &past);
    estimate["blueprintId"] = json!(blueprint.blueprint_id);
    estimate["blueprintVersion"] = json!(blueprint.version);
    estimate["budgetMicros"] = json!(start.budget_micros);
    estimate["missingProviders"] = json!(missing);
    estimate["limits"] = json!(limits);
    estimate["maxLeads"] = json!(start.options.max_leads);
    Ok(reply::json(StatusCode::OK, &estimate))
}

fn estimate(leads: u64, specs: &[StageSpec], prices: &RunPrices, past: &Past) -> Value {
    let (mut left, mut low, mut high, mut worst) = (leads, 0, 0, 0);
    let mut stages = Vec::new();
    for spec in specs {
        let price = prices.most_per_lead.get(&spec.stage).copied().unwrap_or(0);
        let found = found(spec.stage, past);
        let share = |per_thousand: u64| left.saturating_mul(per_thousand).div_ceil(1_000).saturating_mul(price);
        let (cheap, dear) = (share(found.0), share(found.1));
        stages.push(json!({
            "stage": spec.stage, "leads": left, "priceMicros": price, "lowMicros": cheap, "highMicros": dear,
            "foundPerThousand": {"low": found.0, "high": found.1}, "fromEarlierRuns": past.stages.contains_key(&spec.stage),
        }));
        low += cheap;
        high += dear;
        worst += left.saturating_mul(price);
        left = output(left, spec.stage, past);
    }
    let per_minute = past.leads_per_minute.unwrap_or(DEFAULT_LEADS_PER_MINUTE);
    json!({
        "leads": leads,
        "cost": {"lowMicros": low, "highMicros": high, "mostMicros": worst},
        "duration": {"seconds": (leads * 60).div_ceil(per_minute), "leadsPerMinute": per_minute},
        "stages": stages,
        "basis": {"runs": past.runs, "found": if past.runs == 0 { "default" } else { "earlier runs" }},
    })
}

fn found(stage: Stage, past: &Past) -> (u64, u64) {
    past.stages.get(&stage).map_or(DEFAULT_FOUND, |earlier| earlier.found)
}

/// Leads that reach the next stage: all of them where no earlier run has data.
fn output(leads: u64, stage: Stage, past: &Past) -> u64 {
    let earlier = past.stages.get(&stage).map(|earlier| earlier.counts).filter(|counts| counts.input > 0);
    earlier.map_or(leads, |counts| leads.saturating_mul(counts.output()).div_ceil(counts.input))
}

#[cfg(test)]
mod tests {
    use luci_projections::past::StagePast;
    use luci_schema::Counts;

    use super::*;

    fn specs(stages: &[Stage]) -> Vec<StageSpec> {
        let spec = |stage: &Stage| StageSpec { name: stage.to_string(), stage: *stage, config: json!({}) };
        stages.iter().map(spec).collect()
    }

    #[test]
    fn earlier_runs_determine_output_and_found_leads() {
        let specs = specs(&[Stage::Import, Stage::Validate, Stage::Enrich]);
        let prices = RunPrices { most_per_lead: [(Stage::Enrich, 100_000)].into(), ..RunPrices::default() };
        let default = estimate(1_000, &specs, &prices, &Past::default());
        assert_eq!(
            default["cost"],
            json!({"lowMicros": 40_000_000, "highMicros": 100_000_000, "mostMicros": 100_000_000})
        );
        assert_eq!((&default["basis"]["found"], &default["duration"]["seconds"]), (&json!("default"), &json!(100)));

        let counts = Counts { input: 200, success: 150, no_match: 0, failed: 50, skipped: 0 };
        let validate = StagePast { counts, found: (750, 750) };
        let enrich = StagePast { counts, found: (500, 800) };
        let stages = [(Stage::Validate, validate), (Stage::Enrich, enrich)].into();
        let estimated = estimate(1_000, &specs, &prices, &Past { runs: 2, stages, leads_per_minute: Some(3_000) });
        assert_eq!(estimated["stages"][2]["leads"], 750);
        assert_eq!(
            estimated["cost"],
            json!({"lowMicros": 37_500_000, "highMicros": 60_000_000, "mostMicros": 75_000_000})
        );
        assert_eq!(estimated["duration"]["seconds"], 20);
    }
}
