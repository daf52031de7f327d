//! GET /api/pipelines/{runId}/metrics: a run's figures.

use std::sync::Arc;

use luci_projections::{metrics, position};
use luci_schema::RunId;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    problem::Problem,
    reads::{Reading, run_exists},
};

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let position = position::current(&mut reading.tx).await?;
    let found = metrics::get(&mut reading.tx, caller.tenant, run).await?;
    let metrics = found.ok_or_else(|| Problem::unavailable("The run was queued a moment ago; its figures follow."))?;
    Ok(reading.answer(&metrics, position))
}
