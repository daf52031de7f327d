//! `GET /api/pipelines/{runId}/metrics`: the metrics of a run.

use std::sync::Arc;

use luci_projections::{metrics, position};
use luci_schema::RunId;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::{Reading, run_exists},
    request::Request,
    routes::HandlerResult,
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let position = position::current(&mut reading.tx).await?;
    let found = metrics::get(&mut reading.tx, caller.tenant, run).await?;
    let metrics = found.ok_or_else(|| Problem::unavailable("The run was just queued and has no metrics yet."))?;
    Ok(reading.respond(&metrics, position))
}
