//! `POST /api/pipelines/{runId}/retry`: retries the failed blocks of a run, or starts a new run at a stage (`fromStage`).

use std::sync::Arc;

use luci_runs::core::RunCommand;
use luci_schema::{Hash, RunId, Stage, event::RunInput};
use serde::Deserialize;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::Request,
    routes::{
        HandlerResult,
        runs::{command::issue, earlier_run, queue::queue},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryBody {
    from_stage: Option<Stage>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<RetryBody>().await?;
    match body.from_stage {
        Some(stage) => retry_from(app, caller, request, stage, digest).await,
        None => {
            let run: RunId = request.id(0, "run")?;
            earlier_run::check_retried(&app, &caller, run, None).await?;
            let outcome = json!({"runId": run, "status": "running"});
            issue(&app, &caller, &request, run, RunCommand::RetryRun, outcome, digest).await
        }
    }
}

/// A new run of the stages from `stage` on, on the output of the stage before.
async fn retry_from(app: Arc<App>, caller: Caller, request: Request, stage: Stage, digest: Hash) -> HandlerResult {
    let parent_id: RunId = request.id(0, "run")?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let parent = earlier_run::load_ended(&app, &caller, parent_id).await?;
    let mut queued = earlier_run::requeued(&app, &parent, &caller).await?;
    let index = queued.stages.iter().position(|spec| spec.stage == stage);
    let index = index.ok_or_else(|| Problem::invalid("fromStage", "the run does not have this stage"))?;
    if index > 0 {
        let before = queued.stages[index - 1].stage;
        queued.input = RunInput::Artifacts { run_id: parent_id, stage: before };
        queued.total_leads = earlier_run::output_leads(&parent, before);
        queued.stages.drain(1..index);
    }
    if queued.total_leads == 0 {
        return Err(Problem::invalid("fromStage", "the stage before it has no output").into());
    }
    earlier_run::check_input(&app, &caller, &queued).await?;
    queued.parent_run_id = Some(parent_id);
    queue(&app, &caller, &request, command, digest, RunId::generate(), queued).await
}
