//! `GET /api/pipelines/{runId}/seal`: the newest sealed event of a run, with the proof.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{
    RunId, Version,
    log::{hashes, last_seal, seal_over},
    seal::Sealed,
};

use crate::{
    App, caller::Caller, problem::Problem, reads::run_exists, reply, request::Request, routes::HandlerResult,
    run_version::version_at,
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let newest = run_exists(&app, &caller, run).await?;
    // A seal covers the events of all tenants; of the others, the response contains hashes of hashes only.
    let unsealed =
        || Problem::not_found("seal").detail("No event of the run is sealed yet. The log is sealed every minute.");
    let last = last_seal(&mut *app.engine_pool.acquire().await?).await?.ok_or_else(unsealed)?;
    let version = version_at(&app, caller.tenant, run, last.to_position, newest).await?;
    let before = Version(version.0.checked_sub(1).ok_or_else(unsealed)?);
    let event = app.log.read_stream(caller.tenant, run.into(), before, 1).await?.into_iter().next();
    let event = event.ok_or_else(unsealed)?;
    // Acquired last: the log takes connections of the same pool, and a holder of one must not wait for another.
    let mut c = app.engine_pool.acquire().await?;
    let seal = seal_over(&mut c, event.position).await?.ok_or_else(unsealed)?;
    let hashes = hashes(&mut c, seal.from_position, seal.to_position).await?;
    let sealed = Sealed::under(seal, &hashes, (event.version, event.position, event.hash));
    Ok(reply::json(StatusCode::OK, &sealed))
}
