//! GET /api/pipelines/{runId}/compare/{other}: two runs side by side, in total, by stage, and what they had pinned.

use std::sync::Arc;

use luci_projections::runs::{RunDetail, StageAnswer};
use luci_schema::{
    RunId, Stage,
    difference::{Difference, differences},
    event::RunQueued,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Answer, run};
use crate::{App, ask::Ask, caller::Caller, problem::Problem, reads::Reading};

/// Differences of what was pinned that are listed.
const MOST: usize = 200;
/// What no two runs have in common.
const OWN: [&str; 5] = ["rootRunId", "parentRunId", "replayedFromRunId", "triggeredBy", "triggerType"];

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let (a, b): (RunId, RunId) = (ask.id(0, "run")?, ask.id(1, "run")?);
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let details = [run::now(&app, &caller, &mut reading, a).await?, run::now(&app, &caller, &mut reading, b).await?];
    let (of_a, of_b) = (queued(&app, &caller, a).await?, queued(&app, &caller, b).await?);
    let position = details.iter().map(|detail| detail.position).max().unwrap_or_default();
    let [a, b] = &details;
    let body = json!({
        "runs": [a.run, b.run],
        "figures": figures(&totals(a), &totals(b)),
        "stages": stages(&a.stages, &b.stages),
        "pinned": pinned(&of_a, &of_b)?,
        "position": position,
    });
    Ok(reading.answer(&body, position))
}

async fn queued(app: &App, caller: &Caller, run: RunId) -> Result<RunQueued, Problem> {
    let run = app.issuer.load_newest(caller.tenant, run).await?.ok_or_else(|| Problem::not_found("run"))?;
    Ok(RunQueued::clone(run.queued()))
}

/// A figure's name and its value, which may not be known yet.
type Figure = (&'static str, Option<i64>);

fn whole(count: u64) -> Option<i64> {
    i64::try_from(count).ok()
}

fn totals(detail: &RunDetail) -> Vec<Figure> {
    let run = &detail.run;
    vec![
        ("totalLeads", whole(run.total_leads)),
        ("processedLeads", whole(run.processed_leads)),
        ("progress", Some(run.progress.into())),
        ("costMicros", whole(run.cost_micros)),
        ("durationMs", run.duration_ms),
    ]
}

fn of_stage(stage: &StageAnswer) -> Vec<Figure> {
    let took = stage.started_at.zip(stage.completed_at).map(|(from, to)| (to - from).whole_milliseconds());
    let metrics = &stage.metrics;
    vec![
        ("totalBlocks", stage.total_blocks.map(i64::from)),
        ("inputCount", whole(metrics.input_count)),
        ("successCount", whole(metrics.success_count)),
        ("noMatchCount", whole(metrics.no_match_count)),
        ("failedCount", whole(metrics.failed_count)),
        ("skippedCount", whole(metrics.skipped_count)),
        ("costMicros", whole(stage.cost_micros)),
        ("durationMs", took.and_then(|millis| i64::try_from(millis).ok())),
    ]
}

/// Each figure of both, and what the second has more.
fn figures(a: &[Figure], b: &[Figure]) -> Vec<Value> {
    let pair = |((name, a), (_, b)): (&Figure, &Figure)| {
        let difference = a.zip(*b).map(|(a, b)| b - a);
        json!({"figure": name, "a": a, "b": b, "difference": difference})
    };
    a.iter().zip(b).map(pair).collect()
}

/// In the pipeline's order; a stage that one of the two does not have is null there.
fn stages(a: &[StageAnswer], b: &[StageAnswer]) -> Vec<Value> {
    let of = |list: &[StageAnswer], stage: Stage| list.iter().find(|one| one.stage == stage).map(of_stage);
    let pair = |stage: &Stage| {
        let (a, b) = (of(a, *stage), of(b, *stage));
        let known = |figures: &Option<Vec<Figure>>| figures.as_ref().is_some();
        let (in_a, in_b) = (known(&a), known(&b));
        let names = a.as_ref().or(b.as_ref())?.clone();
        let blank: Vec<Figure> = names.iter().map(|(name, _)| (*name, None)).collect();
        let figures = figures(&a.unwrap_or_else(|| blank.clone()), &b.unwrap_or(blank));
        Some(json!({"stage": stage, "inA": in_a, "inB": in_b, "figures": figures}))
    };
    Stage::ALL.iter().filter_map(pair).collect()
}

/// Where what the two had pinned differs: path, and both values.
fn pinned(a: &RunQueued, b: &RunQueued) -> Result<Vec<Difference>, Problem> {
    let mut found = differences(&plain(a)?, &plain(b)?);
    found.truncate(MOST);
    Ok(found)
}

/// Stages by their names, so that one more does not move the others.
fn plain(queued: &impl Serialize) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(queued).map_err(|error| Problem::internal(&error))?;
    if let Some(fields) = value.as_object_mut() {
        OWN.iter().for_each(|name| drop(fields.remove(*name)));
        let stages = fields.remove("stages").unwrap_or_default();
        let named = |one: &Value| Some((one["name"].as_str()?.to_owned(), one.clone()));
        let stages: Map<String, Value> = stages.as_array().into_iter().flatten().filter_map(named).collect();
        fields.insert("stages".into(), stages.into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pinned_is_told_apart_by_path() {
        let run = |size: u32, more: Value| {
            let mut stages = vec![json!({"name": "import", "stage": "import", "config": {}})];
            stages.extend(more.as_array().cloned().unwrap_or_default());
            json!({"rootRunId": size, "options": {"blockSize": size, "window": 8}, "stages": stages})
        };
        let enrich = |ask: &str| json!([{"name": "enrich", "stage": "enrich", "config": {"organizations": ask}}]);
        let (a, b, c) = (run(250, enrich("ask")), run(10, enrich("skip")), run(250, json!([])));
        let told = |a: &Value, b: &Value| {
            let found = differences(&plain(a).unwrap(), &plain(b).unwrap());
            found.into_iter().map(|one| one.field).collect::<Vec<_>>()
        };
        assert_eq!(told(&a, &a), Vec::<String>::new());
        assert_eq!(told(&a, &b), ["options.blockSize", "stages.enrich.config.organizations"]);
        assert_eq!(told(&a, &c), ["stages.enrich"]);
    }
}
