//! What a run waits for outside, beside what its events tell: answers of leads that were handed over, and until when.

use luci_engine::provider::{ProviderName, handed};
use luci_projections::{
    RunStatus,
    runs::{Run, Waiting},
};
use luci_schema::{RunId, Stage, TenantId};

use crate::{App, problem::Problem};

/// Says of those runs that nothing else holds up that they wait for their provider's answers.
pub async fn tell<'a>(app: &App, tenant: TenantId, runs: impl Iterator<Item = &'a mut Run>) -> Result<(), Problem> {
    let begun = |run: &&mut Run| {
        run.status == RunStatus::Running && matches!(run.waiting_for, None | Some(Waiting::Provider { .. }))
    };
    let runs: Vec<&mut Run> = runs.filter(begun).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let ids: Vec<RunId> = runs.iter().map(|run| run.run_id).collect();
    let mut c = app.engine_pool.acquire().await?;
    let waits = handed::waits(&mut c, tenant, &ids).await?;
    for run in runs {
        let Some(wait) = waits.get(&run.run_id) else { continue };
        run.waiting_for = Some(Waiting::Provider {
            provider: ProviderName::RealEstate.to_string(),
            stage: Stage::SkipTrace,
            since: wait.since.rfc3339(),
            until: Some(wait.until.rfc3339()),
        });
    }
    Ok(())
}
