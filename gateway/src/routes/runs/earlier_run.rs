//! An ended run as the template of a new one.

use std::sync::Arc;

use luci_runs::core::{Block, BlockState, Run};
use luci_schema::{
    BlockId, RunId, Stage,
    event::{BlockInput, RunInput, RunQueued, TriggerType},
};
use luci_stages::stage_outputs;

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

/// Refuses an input that contradicts what the events say of it.
pub async fn check_input(app: &App, caller: &Caller, queued: &RunQueued) -> Result<(), Problem> {
    let (input, total) = (&queued.input, queued.total_leads);
    // The output of an earlier stage is found in the whole history of its run.
    let _turn = match input {
        RunInput::Artifacts { .. } => Some(app.heavy_reads.begin(caller.tenant).await?),
        RunInput::Import { .. } | RunInput::Leads { .. } | RunInput::Artifact { .. } | RunInput::Sector { .. } => None,
    };
    Ok(stage_outputs::check(&app.log, &app.storage, caller.tenant, input, total).await?)
}

/// The same for the inputs of the blocks that a retry queues again: one block, or all that failed.
pub async fn check_retried(app: &App, caller: &Caller, run: RunId, block: Option<BlockId>) -> Result<(), Problem> {
    let Some(run) = app.issuer.load_newest(caller.tenant, run).await? else { return Ok(()) };
    let retried = |(id, found): &(BlockId, &Block)| match block {
        Some(block) => *id == block,
        None => matches!(found.state, BlockState::Failed(_)),
    };
    let inputs = run.retryable_blocks().filter(retried).filter_map(|(_, block)| match &block.input {
        BlockInput::Artifact { object_path, digest: Some(digest), .. } => Some((object_path.clone(), digest.clone())),
        BlockInput::Artifact { .. } | BlockInput::Source { .. } => None,
    });
    Ok(stage_outputs::check_sizes(&app.storage, inputs.collect::<Vec<_>>()).await?)
}

/// Leads that a stage of the run put out.
pub fn output_leads(run: &Run, stage: Stage) -> u64 {
    run.stages().iter().find(|state| state.stage == stage).map_or(0, |state| state.sums.output())
}
