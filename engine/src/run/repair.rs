//! Retry and skip: how failed blocks, and failed leads of completed ones, are taken up again or given up.

use luci_schema::{
    Actor, BlockId,
    event::{BlockEvent, BlockInput, BlockRetried, BlockSkipped, RunEvent, RunResumed},
};

use super::{
    Refusal, RunStatus,
    decide::Draft,
    finish::finish,
    release::release,
    report,
    state::BlockState,
    totals::{self, Change},
};

/// Blocks that one command takes up at most: what it appends is bounded. The rest stays failed, and the run with it.
const RETRIED_AT_ONCE: usize = 1_000;

/// All failed blocks of a failed run.
pub(super) fn retry_run(draft: &mut Draft) -> Result<(), Refusal> {
    let mut failed: Vec<_> = draft
        .run
        .shelved_blocks()
        .filter(|(_, block)| matches!(block.state, BlockState::Failed(_)))
        .map(|(id, block)| (block.sequence, id))
        .collect();
    if draft.run.status != RunStatus::Failed || failed.is_empty() {
        return Err(draft.illegal("retry_run"));
    }
    failed.sort_unstable();
    take_up(draft);
    for (_, id) in failed.into_iter().take(RETRIED_AT_ONCE) {
        retried(draft, id);
    }
    release(draft);
    Ok(())
}

/// One failed block, or the failed leads of a completed one. The clock asks when a retry is due; if a person was faster,
/// or the block went another way, it asked for nothing.
pub(super) fn retry_block(draft: &mut Draft, id: BlockId) -> Result<(), Refusal> {
    repairable(draft, "retry_block")?;
    if draft.context.actor == Actor::System && !draft.run.due.contains(&id) {
        return Ok(());
    }
    let unfit = |why| Err(Refusal::Unfit { block: id, command: "retry_block", why });
    match draft.run.open.get(&id) {
        Some(block) if block.retry_count > 0 => return Ok(()),
        Some(_) => return unfit("it has not ended"),
        None if draft.run.shelf.get(id).is_none() => return unfit("it has no failed leads to send again"),
        None => {}
    }
    take_up(draft);
    retried(draft, id);
    release(draft);
    Ok(())
}

/// Gives a failed block up: its failed leads leave the pipeline, what it did goes on.
pub(super) fn skip_block(draft: &mut Draft, id: BlockId) -> Result<(), Refusal> {
    if draft.run.skipped.contains(&id) {
        return Ok(());
    }
    repairable(draft, "skip_block")?;
    let unfit = Refusal::Unfit { block: id, command: "skip_block", why: "it is not failed" };
    let Some(block) = draft.run.shelf.get(id).cloned() else { return Err(unfit) };
    let BlockState::Failed(broken) = &block.state else { return Err(unfit) };
    take_up(draft);
    let totals = totals::after(
        &draft.run,
        &Change {
            stage: block.stage,
            before: block.merged,
            after: report::merge(&block, broken.counts),
            cost_micros: 0,
            drains: matches!(block.input, BlockInput::Source { .. }) && broken.next.is_none(),
        },
    );
    draft.emit(BlockEvent::Skipped(BlockSkipped {
        block_id: id,
        stage: block.stage,
        block_number: block.number,
        totals,
    }));
    release(draft);
    finish(draft);
    Ok(())
}

fn repairable(draft: &Draft, command: &'static str) -> Result<(), Refusal> {
    match draft.run.status {
        RunStatus::Running | RunStatus::Paused | RunStatus::Failed => Ok(()),
        RunStatus::Queued | RunStatus::Completed | RunStatus::Cancelled => Err(draft.illegal(command)),
    }
}

/// A failed run goes on.
fn take_up(draft: &mut Draft) {
    if draft.run.status == RunStatus::Failed {
        draft.emit(RunEvent::Resumed(RunResumed::default()));
    }
}

fn retried(draft: &mut Draft, block_id: BlockId) {
    let Some(block) = draft.run.shelf.get(block_id) else { return };
    let event =
        BlockRetried { block_id, stage: block.stage, block_number: block.number, retry_count: block.retry_count + 1 };
    draft.emit(BlockEvent::Retried(event));
}
