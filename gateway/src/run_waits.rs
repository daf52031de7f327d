//! Adds to runs what their events do not say: that the object store is unavailable, or that they wait for results of a provider.

use std::time::Duration;

use luci_projections::{
    RunStatus,
    runs::{Run, Waiting},
};
use luci_providers::{ProviderName, async_batches};
use luci_schema::{RunId, Stage, TenantId};

use crate::{App, problem::Problem};

/// The store's state is at most this old.
const STORE_CHECK_AGE: Duration = Duration::from_secs(2);

/// Sets `waitingFor` of the running runs.
pub async fn add<'a>(app: &App, tenant: TenantId, runs: impl Iterator<Item = &'a mut Run>) -> Result<(), Problem> {
    let running: Vec<&mut Run> = runs.filter(|run| run.status == RunStatus::Running).collect();
    if running.is_empty() {
        return Ok(());
    }
    if let Err(fault) = app.storage.health(STORE_CHECK_AGE).await {
        // No block of any stage can read or write.
        for run in running {
            run.waiting_for = Some(Waiting::Store { state: fault.as_str() });
        }
        return Ok(());
    }
    provider(app, tenant, running).await
}

/// Runs that wait for an asynchronous batch, unless they wait for something else.
async fn provider(app: &App, tenant: TenantId, mut runs: Vec<&mut Run>) -> Result<(), Problem> {
    runs.retain(|run| matches!(run.waiting_for, None | Some(Waiting::Provider { .. })));
    if runs.is_empty() {
        return Ok(());
    }
    let ids: Vec<RunId> = runs.iter().map(|run| run.run_id).collect();
    let mut c = app.engine_pool.acquire().await?;
    let waits = async_batches::waits(&mut c, tenant, &ids).await?;
    for run in runs {
        let Some(wait) = waits.get(&run.run_id) else { continue };
        run.waiting_for = Some(Waiting::Provider {
            provider: ProviderName::REALESTATE.to_string(),
            stage: Stage::SkipTrace,
            since: wait.since.rfc3339(),
            until: Some(wait.until.rfc3339()),
        });
    }
    Ok(())
}
