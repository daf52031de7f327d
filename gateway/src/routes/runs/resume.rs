//! `POST /api/pipelines/{runId}/resume`: continues a paused run, with a new budget if one is given.

use std::sync::Arc;

use luci_runs::core::RunCommand;
use luci_schema::RunId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    request::Request,
    routes::{HandlerResult, runs::command::issue},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResumeBody {
    /// The new budget of the run.
    budget_micros: Option<u64>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let (body, digest) = request.json::<ResumeBody>().await?;
    let command = match body.budget_micros {
        None => RunCommand::Resume,
        Some(0) => return Err(Problem::invalid("budgetMicros", "1 or more").into()),
        Some(budget_micros) => RunCommand::ResumeWith { budget_micros },
    };
    let outcome = json!({"runId": run, "status": "running"});
    issue(&app, &caller, &request, run, command, outcome, digest).await
}
