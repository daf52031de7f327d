//! Which blocks are queued next, within the run's window: the last stage first, so that leads leave before more are read.
//!
//! IMPORT continues where its last block stopped, one block at a time, and waits while a full window of blocks is ready: the
//! window bounds what a run holds. VALIDATE claims dedupe keys, so its blocks run one after another in number order; a
//! block that awaits its automatic retry holds back the next, one that failed for good does not.

use luci_schema::{
    BlockId, BlockOrder, Stage,
    event::{BlockEvent, BlockInput, BlockQueued, PauseReason, RunEvent, RunPaused},
};

use crate::core::{
    Refusal, RunStatus, budget,
    decide::{DecideError, Decision},
    state::{Block, BlockState, Ready, Run, SourceState},
};

enum NextBlock {
    /// A retried block, under its own number.
    Requeued(BlockId),
    New(Stage, Ready),
}

/// Queues blocks until the window is full, nothing is ready, or the budget holds the next one back.
pub(super) fn release(decision: &mut Decision) -> Result<(), DecideError> {
    while decision.run.status == RunStatus::Running && decision.run.in_flight() < decision.run.window() {
        let Some(block) = next(&decision.run) else { return Ok(()) };
        let missing = match &block {
            NextBlock::Requeued(id) => {
                let block = &decision.run.open[id];
                budget::missing(&decision.run, block.stage, &block.input, block.paid)
            }
            NextBlock::New(stage, ready) => budget::missing(&decision.run, *stage, &ready.input, 0),
        };
        if missing.is_some() {
            // A pause would refuse the start of blocks in flight: the run pauses when the last of them has ended.
            if decision.run.in_flight() == 0 {
                decision
                    .emit(RunEvent::Paused(RunPaused { reason: Some(PauseReason::Budget), missing_micros: missing }))?;
            }
            return Ok(());
        }
        match block {
            NextBlock::Requeued(id) => queue_again(decision, id)?,
            NextBlock::New(stage, ready) => queue_new(decision, stage, ready)?,
        }
    }
    Ok(())
}

/// Queues an open block again under its own id; this fences deliveries of its earlier `block:queued`.
pub(super) fn queue_again(decision: &mut Decision, id: BlockId) -> Result<(), DecideError> {
    let block = decision.run.open.get(&id).cloned().ok_or(Refusal::Stale)?;
    let Block { stage, number, sequence, attempt, retry_count, retry_of, input, .. } = block;
    queue(decision, id, BlockShape { stage, number, sequence, attempt, retry_count, retry_of, input })
}

fn queue_new(decision: &mut Decision, stage: Stage, ready: Ready) -> Result<(), DecideError> {
    let id = BlockId::from_ulid(decision.fresh());
    let numbered = decision.run.stages.iter().find(|state| state.stage == stage).map_or(0, |state| state.numbered);
    let shape = BlockShape {
        stage,
        number: numbered + 1,
        sequence: decision.run.sequence + 1,
        attempt: 0,
        retry_count: 0,
        retry_of: ready.retry_of,
        input: ready.input,
    };
    queue(decision, id, shape)
}

struct BlockShape {
    stage: Stage,
    number: u32,
    sequence: u32,
    attempt: u32,
    retry_count: u32,
    retry_of: Option<BlockId>,
    input: BlockInput,
}

fn queue(decision: &mut Decision, block_id: BlockId, shape: BlockShape) -> Result<(), DecideError> {
    let artifact_id = luci_schema::ArtifactId::from_ulid(decision.fresh());
    let total_blocks = total_blocks(&decision.run, shape.stage, shape.number);
    let unix = decision.context.now.seconds();
    decision.emit(BlockEvent::Queued(Box::new(BlockQueued {
        block_id,
        stage: shape.stage,
        block_number: shape.number,
        sequence: shape.sequence,
        total_blocks,
        attempt: shape.attempt,
        retry_count: shape.retry_count,
        retry_of: shape.retry_of,
        input: shape.input,
        artifact_id,
        unix,
    })))?;
    Ok(())
}

/// The stage's final number of blocks; `None` while an earlier stage may still produce more.
fn total_blocks(run: &Run, stage: Stage, number: u32) -> Option<u32> {
    let at = run.index(stage)?;
    let earlier = &run.stages[..at];
    let idle = earlier.iter().all(|state| state.ready.is_empty() && state.failed == 0)
        && !run.open.values().any(|block| earlier.iter().any(|state| state.stage == block.stage));
    if run.source != SourceState::Drained || !idle {
        return None;
    }
    // A new block is still counted among the ready ones.
    let state = &run.stages[at];
    let new = u32::from(number > state.numbered);
    Some(state.numbered + u32::try_from(state.ready.len()).ok()?.max(new))
}

fn next(run: &Run) -> Option<NextBlock> {
    let deepest_first = run.stages.iter().enumerate().rev();
    deepest_first.filter(|(_, state)| open_for(run, state.stage)).find_map(|(at, state)| {
        let again = run
            .open
            .iter()
            .filter(|(_, block)| block.stage == state.stage && block.state == BlockState::Waiting)
            .min_by_key(|(_, block)| block.sequence)
            .map(|(id, _)| NextBlock::Requeued(*id));
        again.or_else(|| state.ready.front().map(|ready| NextBlock::New(state.stage, ready.clone()))).or_else(|| {
            let cursor = (at == 0).then(|| readable(run)).flatten()?;
            Some(NextBlock::New(state.stage, Ready { input: cursor, retry_of: None }))
        })
    })
}

/// Whether the stage takes another block now, by its `BlockOrder`.
fn open_for(run: &Run, stage: Stage) -> bool {
    let busy = || run.open.values().any(|block| block.stage == stage && block.state.in_flight());
    let due = || run.due.iter().any(|id| run.retryable.get(*id).is_some_and(|block| block.stage == stage));
    match stage.block_order() {
        BlockOrder::Sequential => !busy(),
        BlockOrder::SequentialWithRetries => !busy() && !due(),
        BlockOrder::Parallel => true,
    }
}

/// Where IMPORT continues to read; `None` while a full window of blocks is ready.
fn readable(run: &Run) -> Option<BlockInput> {
    let SourceState::Next(cursor) = &run.source else { return None };
    let ready: usize = run.stages.iter().map(|state| state.ready.len()).sum();
    let waiting = run.open.values().filter(|block| block.state == BlockState::Waiting).count();
    (ready + waiting + run.due.len() < run.window()).then(|| BlockInput::Source { cursor: cursor.clone() })
}
