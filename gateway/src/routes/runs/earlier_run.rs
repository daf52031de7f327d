//! An ended run as the template of a new one.

use std::sync::Arc;

use luci_runs::core::Run;
use luci_schema::{
    RunId, Stage,
    event::{RunQueued, TriggerType},
};

use crate::{App, caller::Caller, problem::Problem};

/// The run, which must have ended and not be deleted.
pub async fn load_ended(app: &App, caller: &Caller, run: RunId) -> Result<Arc<Run>, Problem> {
    let run = app.issuer.load_newest(caller.tenant, run).await?.ok_or_else(|| Problem::not_found("run"))?;
    if run.deleted() || !run.status().ended() {
        let reason = if run.deleted() { "The run was deleted." } else { "The run has not ended." };
        return Err(Problem::illegal_status(&run, reason));
    }
    Ok(run)
}

/// The `run:queued` of the run, with this caller and the current prices.
pub async fn requeued(app: &App, run: &Run, caller: &Caller) -> Result<RunQueued, Problem> {
    let mut queued = RunQueued::clone(run.queued());
    queued.triggered_by = caller.author();
    queued.trigger_type = TriggerType::Replay;
    queued.parent_run_id = None;
    queued.replayed_from_run_id = None;
    queued.prices = luci_stages::start::pin_prices(&mut *app.engine_pool.acquire().await?, &queued.stages).await?;
    Ok(queued)
}

/// Leads that a stage of the run put out.
pub fn output_leads(run: &Run, stage: Stage) -> u64 {
    run.stages().iter().find(|state| state.stage == stage).map_or(0, |state| state.sums.output())
}
