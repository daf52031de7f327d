//! `GET /api/pipelines/{runId}/compare/{otherRunId}`: two runs side by side: totals, stages, pinned configuration.

use std::sync::Arc;

use luci_projections::runs::{RunDetail, StageAnswer};
use luci_schema::{
    RunId, Stage,
    difference::{Difference, differences},
    event::RunQueued,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::Reading,
    request::Request,
    routes::{HandlerResult, runs::get},
    run_pinned::queued,
};

/// Listed differences of the pinned configuration.
const MAX_DIFFERENCES: usize = 200;

/// Fields that differ between any two runs.
const IGNORED: [&str; 5] = ["rootRunId", "parentRunId", "replayedFromRunId", "triggeredBy", "triggerType"];

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let (a, b): (RunId, RunId) = (request.id(0, "run")?, request.id(1, "run")?);
    let (of_a, of_b) = (queued(&app, caller.tenant, a).await?, queued(&app, caller.tenant, b).await?);
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let details =
        [get::current(&app, &caller, &mut reading, a).await?, get::current(&app, &caller, &mut reading, b).await?];
    let position = details.iter().map(|detail| detail.position).max().unwrap_or_default();
    let [a, b] = &details;
    let body = json!({
        "runs": [a.run, b.run],
        "figures": figures(&totals(a), &totals(b)),
        "stages": stages(&a.stages, &b.stages),
        "pinned": pinned(&of_a, &of_b)?,
        "position": position,
    });
    Ok(reading.respond(&body, position))
}

/// The name of a figure and its value, which may not be known yet.
type Figure = (&'static str, Option<i64>);

fn signed(count: u64) -> Option<i64> {
    i64::try_from(count).ok()
}

fn totals(detail: &RunDetail) -> Vec<Figure> {
    let run = &detail.run;
    vec![
        ("totalLeads", signed(run.total_leads)),
        ("processedLeads", signed(run.processed_leads)),
        ("progress", Some(run.progress.into())),
        ("costMicros", signed(run.cost_micros)),
        ("durationMs", run.duration_ms),
    ]
}

fn of_stage(stage: &StageAnswer) -> Vec<Figure> {
    let took = stage.started_at.zip(stage.completed_at).map(|(from, to)| (to - from).whole_milliseconds());
    let metrics = &stage.metrics;
    vec![
        ("totalBlocks", stage.total_blocks.map(i64::from)),
        ("inputCount", signed(metrics.input_count)),
        ("successCount", signed(metrics.success_count)),
        ("noMatchCount", signed(metrics.no_match_count)),
        ("failedCount", signed(metrics.failed_count)),
        ("skippedCount", signed(metrics.skipped_count)),
        ("costMicros", signed(stage.cost_micros)),
        ("durationMs", took.and_then(|millis| i64::try_from(millis).ok())),
    ]
}

/// Each figure of both runs, and the difference of the second from the first.
fn figures(a: &[Figure], b: &[Figure]) -> Vec<Value> {
    let pair = |((name, a), (_, b)): (&Figure, &Figure)| {
        let difference = a.zip(*b).map(|(a, b)| b - a);
        json!({"figure": name, "a": a, "b": b, "difference": difference})
    };
    a.iter().zip(b).map(pair).collect()
}

/// In the order of the pipeline. The figures of a stage that a run does not have are null.
fn stages(a: &[StageAnswer], b: &[StageAnswer]) -> Vec<Value> {
    let of = |list: &[StageAnswer], stage: Stage| list.iter().find(|one| one.stage == stage).map(of_stage);
    let pair = |stage: &Stage| {
        let (a, b) = (of(a, *stage), of(b, *stage));
        let (in_a, in_b) = (a.is_some(), b.is_some());
        let names = a.as_ref().or(b.as_ref())?.clone();
        let blank: Vec<Figure> = names.iter().map(|(name, _)| (*name, None)).collect();
        let figures = figures(&a.unwrap_or_else(|| blank.clone()), &b.unwrap_or(blank));
        Some(json!({"stage": stage, "inA": in_a, "inB": in_b, "figures": figures}))
    };
    Stage::ALL.iter().filter_map(pair).collect()
}

/// Differences of the pinned configuration: path and both values.
fn pinned(a: &RunQueued, b: &RunQueued) -> Result<Vec<Difference>, Problem> {
    let mut found = differences(&comparable(a)?, &comparable(b)?);
    found.truncate(MAX_DIFFERENCES);
    Ok(found)
}

/// Stages as an object by name, so that an additional stage does not shift the others.
fn comparable(queued: &impl Serialize) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(queued).map_err(|error| Problem::internal(&error))?;
    if let Some(fields) = value.as_object_mut() {
        IGNORED.iter().for_each(|name| drop(fields.remove(*name)));
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
    fn differences_of_the_pinned_configuration_have_paths() {
        let run = |size: u32, more: Value| {
            let mut stages = vec![json!({"name": "import", "stage": "import", "config": {}})];
            stages.extend(more.as_array().cloned().unwrap_or_default());
            json!({"rootRunId": size, "options": {"blockSize": size, "window": 8}, "stages": stages})
        };
        let enrich = |mode: &str| json!([{"name": "enrich", "stage": "enrich", "config": {"organizations": mode}}]);
        let (a, b, c) = (run(250, enrich("ask")), run(10, enrich("skip")), run(250, json!([])));
        let paths = |a: &Value, b: &Value| {
            let found = differences(&comparable(a).unwrap(), &comparable(b).unwrap());
            found.into_iter().map(|one| one.field).collect::<Vec<_>>()
        };
        assert_eq!(paths(&a, &a), Vec::<String>::new());
        assert_eq!(paths(&a, &b), ["options.blockSize", "stages.enrich.config.organizations"]);
        assert_eq!(paths(&a, &c), ["stages.enrich"]);
    }
}
