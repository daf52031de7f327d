//! Commands of workers on blocks, checked against the newest delivery and attempt: a result is recorded once, however often
//! the block is delivered.

use luci_schema::{
    BlockId, Failure, Version,
    event::{BlockCompleted, BlockEvent, BlockFailed, BlockInput, BlockStarted},
};

use crate::core::{
    Completion, Refusal, RunStatus, auto_retry,
    decide::{DecideError, Decision},
    finish::finish,
    lifecycle::cancel_block,
    release::release,
    report,
    state::{Block, BlockState, Run},
    totals::{self, TotalsChange},
};

/// Starts an attempt. A running block that is delivered again has lost its worker: the new attempt fences the old one. In a
/// cancelled run the block is closed instead.
pub(super) fn start(
    decision: &mut Decision,
    id: BlockId,
    queued: Version,
    after: u32,
    provider: &str,
) -> Result<(), DecideError> {
    let block = delivered(&decision.run, id, queued)?;
    if block.attempt > after {
        return Err(Refusal::Stale.into());
    }
    match (decision.run.status, &block.state) {
        (RunStatus::Paused, BlockState::Pending) => return Err(decision.illegal("start_block")),
        (RunStatus::Cancelled, _) => cancel_block(decision, id, None)?,
        _ => {
            let event = BlockStarted {
                block_id: id,
                stage: block.stage,
                block_number: block.number,
                attempt: block.attempt + 1,
                provider: provider.to_owned(),
            };
            decision.emit(BlockEvent::Started(event))?;
        }
    }
    Ok(())
}

pub(super) fn complete(decision: &mut Decision, completion: &Completion) -> Result<(), DecideError> {
    let (block, attempt) = reported(&decision.run, completion)?;
    if decision.run.status == RunStatus::Cancelled {
        return cancel_block(decision, completion.block, Some(completion.report.clone()));
    }
    let report = completion.report.clone();
    report::check(&block, &decision.run.queued().options, &report)?;
    let merged = report::merge(&block, report.counts);
    let totals = totals::after(
        &decision.run,
        &TotalsChange {
            stage: block.stage,
            before: block.merged,
            after: merged,
            cost_micros: report.cost_micros,
            drains: matches!(block.input, BlockInput::Source { .. }) && report.next.is_none(),
        },
    );
    decision.emit(BlockEvent::Completed(Box::new(BlockCompleted {
        block_id: completion.block,
        stage: block.stage,
        block_number: block.number,
        attempt,
        provider: completion.provider.clone(),
        started_at_micros: completion.started_at,
        report,
        merged,
        totals,
    })))?;
    release(decision)?;
    finish(decision)
}

/// The block failed. Its leads stay with it until it is retried (by the clock or a person) or skipped.
pub(super) fn fail(decision: &mut Decision, completion: &Completion, failure: &Failure) -> Result<(), DecideError> {
    let (block, attempt) = reported(&decision.run, completion)?;
    if decision.run.status == RunStatus::Cancelled {
        return cancel_block(decision, completion.block, Some(completion.report.clone()));
    }
    let run = &decision.run;
    let report = report::account(&block, &run.queued().options, totals::unread(run), failure, &completion.report)?;
    let retry_at_micros = auto_retry::retry_at(failure, block.auto_retries, decision.context.now);
    let totals = totals::spent(run, report.cost_micros);
    decision.emit(BlockEvent::Failed(Box::new(BlockFailed {
        block_id: completion.block,
        stage: block.stage,
        block_number: block.number,
        attempt,
        provider: completion.provider.clone(),
        started_at_micros: completion.started_at,
        failure: failure.clone(),
        report,
        totals,
        retry_at_micros,
    })))?;
    release(decision)?;
    finish(decision)
}

/// The delivered block, unless it has ended or was queued again since.
fn delivered(run: &Run, id: BlockId, queued: Version) -> Result<Block, Refusal> {
    let block = run.open.get(&id).filter(|block| block.queued == queued && block.state.in_flight());
    block.cloned().ok_or(Refusal::Stale)
}

/// The reported block and attempt, unless fenced. A report without an attempt is valid only while none has started.
fn reported(run: &Run, completion: &Completion) -> Result<(Block, u32), Refusal> {
    let block = delivered(run, completion.block, completion.queued)?;
    match (&block.state, completion.attempt) {
        (BlockState::Running, Some(attempt)) if attempt == block.attempt => Ok((block, attempt)),
        (BlockState::Pending, None) => {
            let attempt = block.attempt + 1;
            Ok((block, attempt))
        }
        _ => Err(Refusal::Stale),
    }
}
