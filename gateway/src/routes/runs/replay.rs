//! `POST /api/pipelines/{runId}/replay`: a new run on the same input and pinned blueprint.

use std::sync::Arc;

use luci_schema::{
    RunId, Stage,
    event::{RunInput, RunQueued},
};

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::Request,
    routes::{
        HandlerResult,
        runs::{earlier_run, queue::queue},
    },
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let parent: RunId = request.id(0, "run")?;
    let (_, digest) = request.json::<serde_json::Map<String, serde_json::Value>>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let queued = replayed(&app, &caller, parent).await?;
    queue(&app, &caller, &request, command, digest, RunId::generate(), queued).await
}

/// The `run:queued` of a replay.
pub async fn replayed(app: &App, caller: &Caller, parent_id: RunId) -> Result<RunQueued, Problem> {
    let parent = earlier_run::load_ended(app, caller, parent_id).await?;
    let mut queued = earlier_run::requeued(app, &parent, caller).await?;
    if matches!(queued.input, RunInput::Sector { .. }) {
        // The sector may have other members now; the leads that the run read are in its artifacts.
        queued.input = RunInput::Artifacts { run_id: parent_id, stage: Stage::Import };
        queued.total_leads = earlier_run::output_leads(&parent, Stage::Import);
    }
    earlier_run::check_input(app, caller, &queued).await?;
    queued.replayed_from_run_id = Some(parent_id);
    Ok(queued)
}
