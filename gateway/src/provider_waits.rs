//! Adds to runs what their events do not say: that they wait for results of a provider, and until when.

use luci_projections::{
    RunStatus,
    runs::{Run, Waiting},
};
use luci_providers::{ProviderName, async_batches};
use luci_schema::{RunId, Stage, TenantId};

use crate::{App, problem::Problem};

/// Sets `waitingFor` of the running runs that wait for an asynchronous batch, unless they wait for something else.
pub async fn add<'a>(app: &App, tenant: TenantId, runs: impl Iterator<Item = &'a mut Run>) -> Result<(), Problem> {
    let may_wait = |run: &&mut Run| {
        run.status == RunStatus::Running && matches!(run.waiting_for, None | Some(Waiting::Provider { .. }))
    };
    let runs: Vec<&mut Run> = runs.filter(may_wait).collect();
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
