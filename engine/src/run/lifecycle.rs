//! Commands on a run as a whole. One that is in effect already makes no event; one that the status forbids is refused.

use std::collections::BTreeSet;

use luci_schema::{
    BlockId, Stage,
    event::{
        BlockCancelled, BlockEvent, BlockReport, RunCancelled, RunDeleted, RunEvent, RunPaused, RunQueued, RunResumed,
        RunStarted,
    },
};

use super::{
    Refusal, RunStatus, budget,
    decide::Draft,
    finish::finish,
    release::{queue_again, release},
    state::BlockState,
    totals,
};

pub(super) fn queue(draft: &mut Draft, queued: &RunQueued) -> Result<(), Refusal> {
    match &draft.run.pinned {
        Some(pinned) if **pinned == *queued => return Ok(()),
        Some(_) => return Err(draft.illegal("queue")),
        None => {}
    }
    check(queued)?;
    draft.emit(RunEvent::Queued(Box::new(queued.clone())));
    Ok(())
}

fn check(queued: &RunQueued) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::Invalid(why.to_owned()));
    let stages: BTreeSet<Stage> = queued.stages.iter().map(|spec| spec.stage).collect();
    if queued.stages.first().map(|spec| spec.stage) != Some(Stage::Import) {
        return invalid("the first stage of a run is import");
    }
    if stages.len() != queued.stages.len() {
        return invalid("a stage stands twice in the blueprint");
    }
    let options = &queued.options;
    if !(1..=1_000).contains(&options.block_size) {
        return invalid("blockSize is 1 to 1000");
    }
    if !(1..=256).contains(&options.window) {
        return invalid("window is 1 to 256");
    }
    if queued.total_leads > options.max_leads {
        return Err(Refusal::TooManyLeads { leads: queued.total_leads, max_leads: options.max_leads });
    }
    Ok(())
}

pub(super) fn start(draft: &mut Draft) -> Result<(), Refusal> {
    match draft.run.status {
        RunStatus::Running => Ok(()),
        RunStatus::Queued => {
            let sector_id = draft.run.pinned.as_ref().and_then(|pinned| pinned.sector_id);
            draft.emit(RunEvent::Started(RunStarted { sector_id }));
            release(draft);
            Ok(())
        }
        RunStatus::Paused | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(draft.illegal("start"))
        }
    }
}

/// Begun blocks finish and record; nothing is released.
pub(super) fn pause(draft: &mut Draft) -> Result<(), Refusal> {
    match draft.run.status {
        RunStatus::Paused => Ok(()),
        RunStatus::Running => {
            draft.emit(RunEvent::Paused(RunPaused::default()));
            Ok(())
        }
        RunStatus::Queued | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(draft.illegal("pause"))
        }
    }
}

/// Blocks that were refused their start meanwhile were dropped by the workers: all pending ones are queued again. A run
/// that its budget would hold back at once stays paused.
pub(super) fn resume(draft: &mut Draft, budget_micros: Option<u64>) -> Result<(), Refusal> {
    match draft.run.status {
        RunStatus::Running if budget_micros.is_none_or(|given| draft.run.budget == Some(given)) => Ok(()),
        RunStatus::Paused => {
            if let Some(missing_micros) = budget_micros.and_then(|given| budget::committed_beyond(&draft.run, given)) {
                return Err(Refusal::OverBudget { missing_micros });
            }
            draft.emit(RunEvent::Resumed(RunResumed { budget_micros }));
            for id in in_sequence(draft, &[BlockState::Pending]) {
                queue_again(draft, id);
            }
            release(draft);
            if draft.run.status == RunStatus::Paused {
                return Err(Refusal::OverBudget { missing_micros: draft.run.missing_micros });
            }
            finish(draft);
            Ok(())
        }
        RunStatus::Running | RunStatus::Queued | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(draft.illegal("resume"))
        }
    }
}

/// Blocks not begun are cancelled here; running ones when their workers report what was done and spent.
pub(super) fn cancel(draft: &mut Draft) -> Result<(), Refusal> {
    match draft.run.status {
        RunStatus::Cancelled => Ok(()),
        RunStatus::Completed => Err(draft.illegal("cancel")),
        RunStatus::Queued | RunStatus::Running | RunStatus::Paused | RunStatus::Failed => {
            for id in in_sequence(draft, &[BlockState::Waiting, BlockState::Pending]) {
                cancel_block(draft, id, None);
            }
            let summary = totals::summary(&draft.run);
            draft.emit(RunEvent::Cancelled(RunCancelled { summary }));
            Ok(())
        }
    }
}

/// A mark on an ended run. Blocks of a cancelled run that never reported are closed by it: nothing comes after it.
pub(super) fn delete(draft: &mut Draft) -> Result<(), Refusal> {
    if !draft.run.status.ended() {
        return Err(draft.illegal("delete"));
    }
    for id in in_sequence(draft, &[BlockState::Running]) {
        cancel_block(draft, id, None);
    }
    draft.emit(RunEvent::Deleted(RunDeleted {}));
    Ok(())
}

pub(super) fn cancel_block(draft: &mut Draft, block_id: BlockId, report: Option<BlockReport>) {
    let Some(block) = draft.run.open.get(&block_id) else { return };
    let spent = report.as_ref().map_or(0, |report| report.cost_micros);
    let event = BlockCancelled {
        block_id,
        stage: block.stage,
        block_number: block.number,
        attempt: block.attempt,
        totals: totals::spent(&draft.run, spent),
        report,
    };
    draft.emit(BlockEvent::Cancelled(Box::new(event)));
}

fn in_sequence(draft: &Draft, states: &[BlockState]) -> Vec<BlockId> {
    let mut blocks: Vec<_> = draft.run.open_blocks().filter(|(_, block)| states.contains(&block.state)).collect();
    blocks.sort_by_key(|(_, block)| block.sequence);
    blocks.into_iter().map(|(id, _)| id).collect()
}
