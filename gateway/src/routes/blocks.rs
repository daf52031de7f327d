//! GET /api/pipelines/{runId}/blocks: pages of a run's blocks, newest first.

use std::sync::Arc;

use luci_projections::blocks::{self, BlockFilter};
use luci_schema::RunId;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    reads::{Reading, run_exists},
};

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let filter = BlockFilter {
        stage: ask.query_as("stage")?,
        status: ask.query_as("status")?,
        cursor: ask.query("cursor"),
        limit: ask.limit(100, 100)?,
    };
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let page = blocks::page(&mut reading.tx, caller.tenant, run, &filter).await?;
    Ok(reading.answer(&page, page.position))
}
