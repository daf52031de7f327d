//! Retry and skip: for failed blocks, and for completed blocks with failed leads.

use luci_schema::{
    Actor, BlockId,
    event::{BlockEvent, BlockInput, BlockRetried, BlockSkipped, RunEvent, RunResumed},
};

use crate::core::{
    Refusal, RunStatus,
    decide::{DecideError, Decision},
    finish::finish,
    release::release,
    report,
    state::BlockState,
    totals::{self, TotalsChange},
};

/// Blocks that one command retries at most, so that one append stays bounded. The others stay failed.
const MAX_RETRIED: usize = 1_000;

/// All failed blocks of a failed run.
pub(super) fn retry_run(decision: &mut Decision) -> Result<(), DecideError> {
    let mut failed: Vec<_> = decision
        .run
        .retryable_blocks()
        .filter(|(_, block)| matches!(block.state, BlockState::Failed(_)))
        .map(|(id, block)| (block.sequence, id))
        .collect();
    if decision.run.status != RunStatus::Failed || failed.is_empty() {
        return Err(decision.illegal("retry_run"));
    }
    failed.sort_unstable();
    resume_failed(decision)?;
    for (_, id) in failed.into_iter().take(MAX_RETRIED) {
        retry(decision, id)?;
    }
    release(decision)
}

/// Retries one failed block, or the failed leads of a completed one. From the clock it has no effect when the automatic
/// retry is no longer due, for example because a person was faster.
pub(super) fn retry_block(decision: &mut Decision, id: BlockId) -> Result<(), DecideError> {
    repairable(decision, "retry_block")?;
    if decision.context.actor == Actor::System && !decision.run.due.contains(&id) {
        return Ok(());
    }
    let unfit = |why| Err(Refusal::Unfit { block: id, command: "retry_block", why }.into());
    match decision.run.open.get(&id) {
        Some(block) if block.retry_count > 0 => return Ok(()),
        Some(_) => return unfit("it has not ended"),
        None if decision.run.retryable.get(id).is_none() => return unfit("it has no failed leads to send again"),
        None => {}
    }
    resume_failed(decision)?;
    retry(decision, id)?;
    release(decision)
}

/// Skips a failed block: its failed leads leave the pipeline, its output goes on to the next stage.
pub(super) fn skip_block(decision: &mut Decision, id: BlockId) -> Result<(), DecideError> {
    if decision.run.skipped.contains(&id) {
        return Ok(());
    }
    repairable(decision, "skip_block")?;
    let unfit = Refusal::Unfit { block: id, command: "skip_block", why: "it is not failed" };
    let Some(block) = decision.run.retryable.get(id).cloned() else { return Err(unfit.into()) };
    let BlockState::Failed(failed) = &block.state else { return Err(unfit.into()) };
    resume_failed(decision)?;
    let totals = totals::after(
        &decision.run,
        &TotalsChange {
            stage: block.stage,
            before: block.merged,
            after: report::merge(&block, failed.counts),
            cost_micros: 0,
            drains: matches!(block.input, BlockInput::Source { .. }) && failed.next.is_none(),
        },
    );
    decision.emit(BlockEvent::Skipped(BlockSkipped {
        block_id: id,
        stage: block.stage,
        block_number: block.number,
        totals,
    }))?;
    release(decision)?;
    finish(decision)
}

fn repairable(decision: &Decision, command: &'static str) -> Result<(), DecideError> {
    match decision.run.status {
        RunStatus::Running | RunStatus::Paused | RunStatus::Failed => Ok(()),
        RunStatus::Queued | RunStatus::Completed | RunStatus::Cancelled => Err(decision.illegal(command)),
    }
}

/// Resumes the run if it is failed.
fn resume_failed(decision: &mut Decision) -> Result<(), DecideError> {
    if decision.run.status == RunStatus::Failed {
        decision.emit(RunEvent::Resumed(RunResumed::default()))?;
    }
    Ok(())
}

fn retry(decision: &mut Decision, block_id: BlockId) -> Result<(), DecideError> {
    let block = decision.run.retryable.get(block_id).ok_or(Refusal::Stale)?;
    let event =
        BlockRetried { block_id, stage: block.stage, block_number: block.number, retry_count: block.retry_count + 1 };
    decision.emit(BlockEvent::Retried(event))?;
    Ok(())
}
