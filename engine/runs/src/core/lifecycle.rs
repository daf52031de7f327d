//! Commands on a run as a whole. A command already in effect makes no event; one that the status forbids is refused.

use std::collections::BTreeSet;

use luci_schema::{
    BlockId, Stage,
    event::{
        BlockCancelled, BlockEvent, BlockReport, RunCancelled, RunDeleted, RunEvent, RunPaused, RunQueued, RunResumed,
        RunStarted,
    },
};

use crate::core::{
    Refusal, RunStatus, budget,
    decide::{DecideError, Decision},
    finish::finish,
    release::{queue_again, release},
    state::BlockState,
    totals,
};

pub(super) fn queue(decision: &mut Decision, queued: &RunQueued) -> Result<(), DecideError> {
    match &decision.run.pinned {
        Some(pinned) if **pinned == *queued => return Ok(()),
        Some(_) => return Err(decision.illegal("queue")),
        None => {}
    }
    check(queued)?;
    decision.emit(RunEvent::Queued(Box::new(queued.clone())))?;
    Ok(())
}

fn check(queued: &RunQueued) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::Invalid(why.to_owned()));
    let stages: BTreeSet<Stage> = queued.stages.iter().map(|spec| spec.stage).collect();
    if queued.stages.first().map(|spec| spec.stage) != Some(Stage::Import) {
        return invalid("stages: the first one must be import");
    }
    if stages.len() != queued.stages.len() {
        return invalid("stages: each stage may appear only once");
    }
    let options = &queued.options;
    if !(1..=1_000).contains(&options.block_size) {
        return invalid("blockSize must be 1 to 1000");
    }
    if !(1..=256).contains(&options.window) {
        return invalid("window must be 1 to 256");
    }
    if queued.total_leads > options.max_leads {
        return Err(Refusal::TooManyLeads { leads: queued.total_leads, max_leads: options.max_leads });
    }
    Ok(())
}

pub(super) fn start(decision: &mut Decision) -> Result<(), DecideError> {
    match decision.run.status {
        RunStatus::Running => Ok(()),
        RunStatus::Queued => {
            let sector_id = decision.run.pinned.as_ref().and_then(|pinned| pinned.sector_id);
            decision.emit(RunEvent::Started(RunStarted { sector_id }))?;
            release(decision)
        }
        RunStatus::Paused | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(decision.illegal("start"))
        }
    }
}

/// Running blocks finish and are recorded; no block is released.
pub(super) fn pause(decision: &mut Decision) -> Result<(), DecideError> {
    match decision.run.status {
        RunStatus::Paused => Ok(()),
        RunStatus::Running => {
            decision.emit(RunEvent::Paused(RunPaused::default()))?;
            Ok(())
        }
        RunStatus::Queued | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(decision.illegal("pause"))
        }
    }
}

/// Pending blocks are queued again: workers dropped those that they tried to start while the run was paused. A run whose
/// budget does not cover the next block stays paused.
pub(super) fn resume(decision: &mut Decision, budget_micros: Option<u64>) -> Result<(), DecideError> {
    match decision.run.status {
        RunStatus::Running if budget_micros.is_none_or(|new| decision.run.budget == Some(new)) => Ok(()),
        RunStatus::Paused => {
            if let Some(missing_micros) = budget_micros.and_then(|new| budget::committed_beyond(&decision.run, new)) {
                return Err(Refusal::OverBudget { missing_micros }.into());
            }
            decision.emit(RunEvent::Resumed(RunResumed { budget_micros }))?;
            for id in in_sequence(decision, &[BlockState::Pending]) {
                queue_again(decision, id)?;
            }
            release(decision)?;
            if decision.run.status == RunStatus::Paused {
                return Err(Refusal::OverBudget { missing_micros: decision.run.missing_micros }.into());
            }
            finish(decision)
        }
        RunStatus::Running | RunStatus::Queued | RunStatus::Failed | RunStatus::Completed | RunStatus::Cancelled => {
            Err(decision.illegal("resume"))
        }
    }
}

/// Cancels blocks that have not started; running ones are cancelled when their workers report what was done and spent.
pub(super) fn cancel(decision: &mut Decision) -> Result<(), DecideError> {
    match decision.run.status {
        RunStatus::Cancelled => Ok(()),
        RunStatus::Completed => Err(decision.illegal("cancel")),
        RunStatus::Queued | RunStatus::Running | RunStatus::Paused | RunStatus::Failed => {
            for id in in_sequence(decision, &[BlockState::Waiting, BlockState::Pending]) {
                cancel_block(decision, id, None)?;
            }
            let summary = totals::summary(&decision.run);
            decision.emit(RunEvent::Cancelled(RunCancelled { summary }))?;
            Ok(())
        }
    }
}

/// Marks an ended run as deleted. Cancels blocks of a cancelled run that never reported, since no event may follow.
pub(super) fn delete(decision: &mut Decision) -> Result<(), DecideError> {
    if !decision.run.status.ended() {
        return Err(decision.illegal("delete"));
    }
    for id in in_sequence(decision, &[BlockState::Running]) {
        cancel_block(decision, id, None)?;
    }
    decision.emit(RunEvent::Deleted(RunDeleted {}))?;
    Ok(())
}

pub(super) fn cancel_block(
    decision: &mut Decision,
    block_id: BlockId,
    report: Option<BlockReport>,
) -> Result<(), DecideError> {
    let block = decision.run.open.get(&block_id).ok_or(Refusal::Stale)?;
    let spent = report.as_ref().map_or(0, |report| report.cost_micros);
    let event = BlockCancelled {
        block_id,
        stage: block.stage,
        block_number: block.number,
        attempt: block.attempt,
        totals: totals::spent(&decision.run, spent),
        report,
    };
    decision.emit(BlockEvent::Cancelled(Box::new(event)))?;
    Ok(())
}

fn in_sequence(decision: &Decision, states: &[BlockState]) -> Vec<BlockId> {
    let mut blocks: Vec<_> = decision.run.open_blocks().filter(|(_, block)| states.contains(&block.state)).collect();
    blocks.sort_by_key(|(_, block)| block.sequence);
    blocks.into_iter().map(|(id, _)| id).collect()
}
