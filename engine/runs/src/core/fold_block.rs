//! Folds the events of blocks: which blocks are open, running or retryable, and the sums of their stages.

use std::sync::Arc;

use luci_schema::{
    BlockId, Counts, Version,
    event::{BlockCompleted, BlockEvent, BlockFailed, BlockInput, BlockQueued, Cursor},
};

use crate::core::{
    RunStatus,
    corrupt::StreamFault,
    report,
    state::{Block, BlockState, FailedBlock, Ready, Run, SourceState},
};

pub(super) fn fold_block(run: &mut Run, event: &BlockEvent) -> Result<(), StreamFault> {
    match event {
        BlockEvent::Queued(queued) => fold_queued(run, queued)?,
        BlockEvent::Started(started) => {
            let block = in_flight(run, started.block_id)?;
            check_attempt(block, started.block_id, started.attempt)?;
            block.attempt = started.attempt;
            block.state = BlockState::Running;
        }
        BlockEvent::Completed(completed) => fold_completed(run, completed)?,
        BlockEvent::Failed(failed) => fold_failed(run, failed)?,
        BlockEvent::Retried(retried) => {
            let mut block = take_retryable(run, retried.block_id)?;
            block.retry_count = retried.retry_count;
            block.state = BlockState::Waiting;
            run.open.insert(retried.block_id, block);
        }
        BlockEvent::Skipped(skipped) => {
            run.totals = skipped.totals;
            Arc::make_mut(&mut run.skipped).insert(skipped.block_id);
            fold_skipped(run, skipped.block_id)?;
        }
        BlockEvent::Cancelled(cancelled) => {
            let block = cancelled.block_id;
            let open = run.open.remove(&block).ok_or(StreamFault::UnknownBlock { block })?;
            run.totals = cancelled.totals;
            if let Some(report) = &cancelled.report {
                let at = stage_index(run, &open)?;
                run.stages[at].cost_micros += report.cost_micros;
            }
        }
    }
    Ok(())
}

fn in_flight(run: &mut Run, block: BlockId) -> Result<&mut Block, StreamFault> {
    let open = run.open.get_mut(&block).filter(|block| block.state.in_flight());
    open.ok_or(StreamFault::UnknownBlock { block })
}

/// A start makes a new attempt.
fn check_attempt(block: &Block, id: BlockId, found: u32) -> Result<(), StreamFault> {
    if found <= block.attempt {
        return Err(StreamFault::Attempt { block: id, newest: block.attempt, found });
    }
    Ok(())
}

/// Takes the block out of the open ones. Its end names the attempt that runs, or a new one that was never started apart.
fn end(run: &mut Run, id: BlockId, attempt: u32) -> Result<Block, StreamFault> {
    let block = in_flight(run, id)?;
    if block.state != BlockState::Running {
        check_attempt(block, id, attempt)?;
    } else if block.attempt != attempt {
        return Err(StreamFault::Attempt { block: id, newest: block.attempt, found: attempt });
    }
    run.open.remove(&id).ok_or(StreamFault::UnknownBlock { block: id })
}

fn stage_index(run: &Run, block: &Block) -> Result<usize, StreamFault> {
    run.index(block.stage).ok_or(StreamFault::UnknownStage { stage: block.stage })
}

fn fold_queued(run: &mut Run, queued: &BlockQueued) -> Result<(), StreamFault> {
    if run.status != RunStatus::Running {
        return Err(StreamFault::Status { status: run.status });
    }
    let id = queued.block_id;
    let version = Version(run.version.0 + 1);
    if let Some(block) = run.open.get_mut(&id) {
        if block.state == BlockState::Running {
            return Err(StreamFault::UnknownBlock { block: id });
        }
        block.queued = version;
        block.state = BlockState::Pending;
        return Ok(());
    }
    if run.retryable.get(id).is_some() {
        return Err(StreamFault::UnknownBlock { block: id });
    }
    let input = take_input(run, queued)?;
    run.sequence = run.sequence.max(queued.sequence);
    let block = Block {
        stage: queued.stage,
        number: queued.block_number,
        sequence: queued.sequence,
        attempt: queued.attempt,
        retry_count: queued.retry_count,
        retry_of: queued.retry_of,
        input,
        queued: version,
        state: BlockState::Pending,
        merged: Counts::default(),
        paid: 0,
        auto_retries: 0,
    };
    run.open.insert(id, block);
    Ok(())
}

/// A new block takes its input from ready input, or continues reading where the last IMPORT block stopped.
fn take_input(run: &mut Run, queued: &BlockQueued) -> Result<BlockInput, StreamFault> {
    let not_ready = StreamFault::InputNotReady { block: queued.block_id };
    let at = run.index(queued.stage).ok_or(StreamFault::UnknownStage { stage: queued.stage })?;
    let stage = &mut run.stages[at];
    stage.numbered = stage.numbered.max(queued.block_number);
    match &queued.input {
        BlockInput::Source { cursor } => match &run.source {
            SourceState::Next(next) if next == cursor => run.source = SourceState::Reading,
            SourceState::Next(_) | SourceState::Reading | SourceState::Drained => return Err(not_ready),
        },
        BlockInput::Artifact { .. } => {
            let ready = stage.ready.iter().position(|ready| ready.input.same_leads(&queued.input));
            // With the digest of the completion: the event may be of a release that recorded none here.
            return ready.and_then(|at| stage.ready.remove(at)).map(|ready| ready.input).ok_or(not_ready);
        }
    }
    Ok(queued.input.clone())
}

fn fold_completed(run: &mut Run, completed: &BlockCompleted) -> Result<(), StreamFault> {
    let mut block = end(run, completed.block_id, completed.attempt)?;
    run.totals = completed.totals;
    let report = &completed.report;
    let output = report::output(block.stage, report);
    settle(run, completed.block_id, &block, completed.merged, output, report.next.clone())?;
    spend(run, &block, report.counts.input, report.cost_micros)?;
    if let Some(input) = report::failed_leads(report) {
        block.attempt = completed.attempt;
        block.merged = completed.merged;
        block.input = input;
        block.paid = 0;
        block.state = BlockState::Completed;
        run.retryable.insert(completed.block_id, block);
    }
    Ok(())
}

fn fold_failed(run: &mut Run, failed: &BlockFailed) -> Result<(), StreamFault> {
    let mut block = end(run, failed.block_id, failed.attempt)?;
    run.totals = failed.totals;
    let report = &failed.report;
    spend(run, &block, report.counts.input, report.cost_micros)?;
    let at = stage_index(run, &block)?;
    run.stages[at].failed += 1;
    if failed.retry_at_micros.is_some() {
        block.auto_retries += 1;
        run.due.insert(failed.block_id);
    }
    block.attempt = failed.attempt;
    block.paid += report.cost_micros;
    block.state = BlockState::Failed(Box::new(FailedBlock {
        failure: failed.failure.clone(),
        counts: report.counts,
        output: report::output(block.stage, report),
        next: report.next.clone(),
        retry_at: failed.retry_at_micros,
    }));
    run.retryable.insert(failed.block_id, block);
    Ok(())
}

fn fold_skipped(run: &mut Run, id: BlockId) -> Result<(), StreamFault> {
    let block = take_retryable(run, id)?;
    let BlockState::Failed(failed) = &block.state else { return Err(StreamFault::UnknownBlock { block: id }) };
    let merged = report::merge(&block, failed.counts);
    settle(run, id, &block, merged, failed.output.clone(), failed.next.clone())
}

fn take_retryable(run: &mut Run, id: BlockId) -> Result<Block, StreamFault> {
    run.due.remove(&id);
    let block = run.retryable.remove(id).ok_or(StreamFault::UnknownBlock { block: id })?;
    if let BlockState::Failed(_) = &block.state {
        let at = stage_index(run, &block)?;
        let failed = run.stages[at].failed.checked_sub(1);
        run.stages[at].failed = failed.ok_or(StreamFault::Counts { block: id, stage: block.stage })?;
    }
    Ok(block)
}

/// Accounts for the block's leads: its counts into the stage's sums, its output to the next stage, IMPORT's cursor forward.
fn settle(
    run: &mut Run,
    id: BlockId,
    block: &Block,
    merged: Counts,
    output: Option<BlockInput>,
    next: Option<Cursor>,
) -> Result<(), StreamFault> {
    let at = stage_index(run, block)?;
    let sums = report::replaced(run.stages[at].sums, block.merged, merged);
    run.stages[at].sums = sums.ok_or(StreamFault::Counts { block: id, stage: block.stage })?;
    if let BlockInput::Source { .. } = block.input {
        run.source = next.map_or(SourceState::Drained, SourceState::Next);
    }
    if let (Some(input), Some(following)) = (output, run.stages.get_mut(at + 1)) {
        following.ready.push_back(Ready { input, retry_of: block.lineage(id) });
    }
    Ok(())
}

fn spend(run: &mut Run, block: &Block, leads: u64, cost_micros: u64) -> Result<(), StreamFault> {
    let at = stage_index(run, block)?;
    run.stages[at].cost_micros += cost_micros;
    run.stages[at].sent += leads;
    Ok(())
}
