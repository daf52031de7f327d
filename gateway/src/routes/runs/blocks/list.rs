//! `GET /api/pipelines/{runId}/blocks`: the blocks of a run in pages, newest first.

use std::sync::Arc;

use luci_projections::blocks::{self, BlockFilter};
use luci_schema::RunId;

use crate::{
    App,
    caller::Caller,
    reads::{Reading, run_exists},
    request::Request,
    routes::HandlerResult,
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let filter = BlockFilter {
        stage: request.query_as("stage")?,
        status: request.query_as("status")?,
        cursor: request.query("cursor"),
        limit: request.limit(100, 100)?,
    };
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let page = blocks::page(&mut reading.tx, caller.tenant, run, &filter).await?;
    Ok(reading.respond(&page, page.position))
}
