//! GET /api/pipelines/{runId}/seal: the newest event of the run that is under a seal, and what proves that it is.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{
    RunId, Version,
    log::{hashes, last_seal, seal_over},
    seal::Sealed,
};

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    problem::Problem,
    reads::{run_exists, version_at},
    serve,
};

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let newest = run_exists(&app, &caller, run).await?;
    // A seal is over all tenants' events; what is told of the others' is hashes of hashes.
    let not_yet =
        || Problem::not_found("seal").detail("No event of the run is sealed yet; the log is sealed each minute.");
    let last = last_seal(&mut *app.engine_pool.acquire().await?).await?.ok_or_else(not_yet)?;
    let version = version_at(&app, caller.tenant, run, last.to_position, newest).await?;
    let before = Version(version.0.checked_sub(1).ok_or_else(not_yet)?);
    let event = app.log.read_stream(caller.tenant, run.into(), before, 1).await?.into_iter().next();
    let event = event.ok_or_else(not_yet)?;
    // Only now: the log reads by connections of the same pool, and who holds one must not wait for another.
    let mut c = app.engine_pool.acquire().await?;
    let seal = seal_over(&mut c, event.position).await?.ok_or_else(not_yet)?;
    let hashes = hashes(&mut c, seal.from_position, seal.to_position).await?;
    let sealed = Sealed::under(seal, &hashes, (event.version, event.position, event.hash));
    Ok(serve::json(StatusCode::OK, &sealed))
}
