//! `GET /api/pipelines/{runId}/artifacts`: the artifacts of a run, in pages.

use std::sync::Arc;

use luci_projections::artifacts::{self, ArtifactFilter};
use luci_schema::RunId;

use crate::{
    App,
    caller::Caller,
    reads::{Reading, run_exists},
    request::Request,
    routes::{HandlerResult, runs::artifacts::removed},
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let filter = ArtifactFilter {
        artifact_type: request.query("type"),
        cursor: request.query("cursor"),
        limit: request.limit(100, 100)?,
    };
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let mut page = artifacts::page(&mut reading.tx, caller.tenant, run, &filter).await?;
    removed::mark(&mut reading.tx, caller.tenant, &mut page.artifacts).await?;
    Ok(reading.respond(&page, page.position))
}
