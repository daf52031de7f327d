//! What workers say of blocks. Each is held against the newest delivery and attempt: a fact is recorded once, however
//! often a block is delivered.

use luci_schema::{
    BlockId, Failure, Version,
    event::{BlockCompleted, BlockEvent, BlockFailed, BlockInput, BlockStarted},
};

use super::{
    Completion, Refusal, RunStatus, backoff,
    decide::Draft,
    finish::finish,
    lifecycle::cancel_block,
    release::release,
    report,
    state::{Block, BlockState, Run},
    totals::{self, Change},
};

/// A worker takes the block. One that is running, as the worker knew, was delivered again, its worker is gone: the new
/// attempt fences the old one. In a cancelled run it is closed instead.
pub(super) fn start(
    draft: &mut Draft,
    id: BlockId,
    queued: Version,
    after: u32,
    provider: &str,
) -> Result<(), Refusal> {
    let block = delivered(&draft.run, id, queued)?;
    if block.attempt > after {
        return Err(Refusal::Stale);
    }
    match (draft.run.status, &block.state) {
        (RunStatus::Paused, BlockState::Pending) => return Err(draft.illegal("start_block")),
        (RunStatus::Cancelled, _) => cancel_block(draft, id, None),
        _ => {
            let event = BlockStarted {
                block_id: id,
                stage: block.stage,
                block_number: block.number,
                attempt: block.attempt + 1,
                provider: provider.to_owned(),
            };
            draft.emit(BlockEvent::Started(event));
        }
    }
    Ok(())
}

pub(super) fn complete(draft: &mut Draft, completion: &Completion) -> Result<(), Refusal> {
    let (block, attempt) = reported(&draft.run, completion)?;
    if draft.run.status == RunStatus::Cancelled {
        cancel_block(draft, completion.block, Some(completion.report.clone()));
        return Ok(());
    }
    let report = completion.report.clone();
    report::check(&block, &draft.run.queued().options, &report)?;
    let merged = report::merge(&block, report.counts);
    let totals = totals::after(
        &draft.run,
        &Change {
            stage: block.stage,
            before: block.merged,
            after: merged,
            cost_micros: report.cost_micros,
            drains: matches!(block.input, BlockInput::Source { .. }) && report.next.is_none(),
        },
    );
    draft.emit(BlockEvent::Completed(Box::new(BlockCompleted {
        block_id: completion.block,
        stage: block.stage,
        block_number: block.number,
        attempt,
        provider: completion.provider.clone(),
        started_at_micros: completion.started_at,
        report,
        merged,
        totals,
    })));
    release(draft);
    finish(draft);
    Ok(())
}

/// The stage could not be carried out. The block's leads stay where they are: it is retried by itself, by a person, or
/// skipped.
pub(super) fn fail(draft: &mut Draft, completion: &Completion, failure: &Failure) -> Result<(), Refusal> {
    let (block, attempt) = reported(&draft.run, completion)?;
    if draft.run.status == RunStatus::Cancelled {
        cancel_block(draft, completion.block, Some(completion.report.clone()));
        return Ok(());
    }
    let run = &draft.run;
    let report = report::account(&block, &run.queued().options, totals::unread(run), failure, &completion.report)?;
    let retry_at_micros = backoff::retry_at(failure, block.tries, draft.context.now);
    let totals = totals::spent(run, report.cost_micros);
    draft.emit(BlockEvent::Failed(Box::new(BlockFailed {
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
    })));
    release(draft);
    finish(draft);
    Ok(())
}

/// The block of this delivery, unless it ended or was queued again since.
fn delivered(run: &Run, id: BlockId, queued: Version) -> Result<Block, Refusal> {
    let block = run.open.get(&id).filter(|block| block.queued == queued && block.state.in_flight());
    block.cloned().ok_or(Refusal::Stale)
}

/// The block and attempt of this report, unless fenced. One without an attempt stands only while nobody else started.
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
