//! The first frame of a stream: the state of the read model and the position that it reflects.

use luci_projections::{
    runs::{self, RunFilter},
    snapshot,
};
use luci_schema::{Position, RunId, TenantId, Version};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{App, problem::Problem, run_waits};

/// The number of newest runs in the snapshot of all runs.
const RUNS: u32 = 100;

pub struct Snapshot {
    pub frame: Utf8Bytes,
    /// The snapshot includes every event up to here.
    pub position: Position,
    /// The version of the run in the snapshot; 0 if the read model does not have the run yet, and for all runs.
    pub version: Version,
}

/// The snapshot of one run, or of the newest runs of the tenant. An unknown run is a 404.
pub async fn take(app: &App, tenant: TenantId, run: Option<RunId>) -> Result<Snapshot, Problem> {
    match run {
        Some(run) => of_run(app, tenant, run).await,
        None => of_runs(app, tenant).await,
    }
}

async fn of_runs(app: &App, tenant: TenantId) -> Result<Snapshot, Problem> {
    let mut tx = snapshot::begin(&app.read_pool, tenant).await?;
    let mut page = runs::list(&mut tx, tenant, &RunFilter { limit: RUNS, ..RunFilter::default() }).await?;
    run_waits::add(app, tenant, page.runs.iter_mut()).await?;
    let position = page.position;
    let body = json!({"type": "snapshot", "topic": "runs", "position": position, "runs": page.runs,
        "counts": page.counts, "total": page.total, "totalCapped": page.total_capped});
    Ok(Snapshot { frame: body.to_string().into(), position, version: Version(0) })
}

async fn of_run(app: &App, tenant: TenantId, run: RunId) -> Result<Snapshot, Problem> {
    if app.log.stream_head(tenant, run.into()).await?.is_none() {
        return Err(Problem::not_found("run"));
    }
    let mut tx = snapshot::begin(&app.read_pool, tenant).await?;
    let Some(mut detail) = runs::get(&mut tx, tenant, run).await? else {
        // Just queued: the watcher gets its events from the first one on.
        let body = json!({"type": "snapshot", "topic": format!("run:{run}"), "position": 0, "runId": run,
            "run": Value::Null});
        return Ok(Snapshot { frame: body.to_string().into(), position: Position(0), version: Version(0) });
    };
    run_waits::add(app, tenant, [&mut detail.run].into_iter()).await?;
    let version = Version(u64::try_from(detail.run.version).unwrap_or(0));
    let body = json!({"type": "snapshot", "topic": format!("run:{run}"), "position": detail.position,
        "runId": run, "run": detail.run, "stages": detail.stages, "blocks": detail.blocks});
    Ok(Snapshot { frame: body.to_string().into(), position: detail.position, version })
}
