//! Which blocks begin next: the deepest stage first, so that leads leave before more are read, within the run's window.
//!
//! IMPORT reads on where its last block stopped, one block at a time, and not while a window of work lies ready: what a
//! run holds is bounded by its window. VALIDATE claims dedupe keys, so its blocks run one after another in number
//! order; one that awaits its automatic retry holds the next, one that failed for good does not.

use luci_schema::{
    BlockId, Stage,
    event::{BlockEvent, BlockInput, BlockQueued, PauseReason, RunEvent, RunPaused},
};

use super::{
    RunStatus, budget,
    decide::Draft,
    state::{Block, BlockState, Ready, Run, Source},
};

/// Work that may begin.
enum Work {
    /// A retried block, under its own number.
    Again(BlockId),
    Fresh(Stage, Ready),
}

/// Queues blocks until the window is full, nothing is ready, or the budget holds the next one back.
pub(super) fn release(draft: &mut Draft) {
    while draft.run.status == RunStatus::Running && draft.run.in_flight() < draft.run.window() {
        let Some(work) = next(&draft.run) else { return };
        let missing = match &work {
            Work::Again(id) => {
                let block = &draft.run.open[id];
                budget::missing(&draft.run, block.stage, &block.input, block.paid)
            }
            Work::Fresh(stage, ready) => budget::missing(&draft.run, *stage, &ready.input, 0),
        };
        if missing.is_some() {
            // Blocks in flight would be refused their start by a pause: the last of them to end decides.
            if draft.run.in_flight() == 0 {
                draft.emit(RunEvent::Paused(RunPaused { reason: Some(PauseReason::Budget), missing_micros: missing }));
            }
            return;
        }
        match work {
            Work::Again(id) => queue_again(draft, id),
            Work::Fresh(stage, ready) => queue_fresh(draft, stage, ready),
        }
    }
}

/// Queues an open block once more, under its own id; deliveries of its earlier `block:queued` are fenced by it.
pub(super) fn queue_again(draft: &mut Draft, id: BlockId) {
    let Some(block) = draft.run.open.get(&id).cloned() else { return };
    let Block { stage, number, sequence, attempt, retry_count, retry_of, input, .. } = block;
    queue(draft, id, BlockShape { stage, number, sequence, attempt, retry_count, retry_of, input });
}

fn queue_fresh(draft: &mut Draft, stage: Stage, ready: Ready) {
    let id = BlockId::from_ulid(draft.fresh());
    let numbered = draft.run.stages.iter().find(|state| state.stage == stage).map_or(0, |state| state.numbered);
    let shape = BlockShape {
        stage,
        number: numbered + 1,
        sequence: draft.run.sequence + 1,
        attempt: 0,
        retry_count: 0,
        retry_of: ready.retry_of,
        input: ready.input,
    };
    queue(draft, id, shape);
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

fn queue(draft: &mut Draft, block_id: BlockId, shape: BlockShape) {
    let artifact_id = luci_schema::ArtifactId::from_ulid(draft.fresh());
    let total_blocks = total_blocks(&draft.run, shape.stage, shape.number);
    let unix = draft.context.now.seconds();
    draft.emit(BlockEvent::Queued(Box::new(BlockQueued {
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
    })));
}

/// How many blocks the stage has in all, once no earlier stage can put out another.
fn total_blocks(run: &Run, stage: Stage, number: u32) -> Option<u32> {
    let at = run.index(stage)?;
    let earlier = &run.stages[..at];
    let idle = earlier.iter().all(|state| state.ready.is_empty() && state.failed == 0)
        && !run.open.values().any(|block| earlier.iter().any(|state| state.stage == block.stage));
    if run.source != Source::Drained || !idle {
        return None;
    }
    // A fresh block is still among the ready ones.
    let state = &run.stages[at];
    let fresh = u32::from(number > state.numbered);
    Some(state.numbered + u32::try_from(state.ready.len()).ok()?.max(fresh))
}

fn next(run: &Run) -> Option<Work> {
    let deepest_first = run.stages.iter().enumerate().rev();
    deepest_first.filter(|(_, state)| open_for(run, state.stage)).find_map(|(at, state)| {
        let again = run
            .open
            .iter()
            .filter(|(_, block)| block.stage == state.stage && block.state == BlockState::Waiting)
            .min_by_key(|(_, block)| block.sequence)
            .map(|(id, _)| Work::Again(*id));
        again.or_else(|| state.ready.front().map(|ready| Work::Fresh(state.stage, ready.clone()))).or_else(|| {
            let cursor = (at == 0).then(|| readable(run)).flatten()?;
            Some(Work::Fresh(state.stage, Ready { input: cursor, retry_of: None }))
        })
    })
}

/// IMPORT and VALIDATE run one block at a time; VALIDATE waits for a block that is retried by itself soon.
fn open_for(run: &Run, stage: Stage) -> bool {
    let busy = || run.open.values().any(|block| block.stage == stage && block.state.in_flight());
    let due = || run.due.iter().any(|id| run.shelf.get(*id).is_some_and(|block| block.stage == stage));
    match stage {
        Stage::Import => !busy(),
        Stage::Validate => !busy() && !due(),
        Stage::Enrich | Stage::SkipTrace | Stage::Score | Stage::Assign | Stage::Push => true,
    }
}

/// Where IMPORT reads on, unless a window of work lies ready already.
fn readable(run: &Run) -> Option<BlockInput> {
    let Source::Next(cursor) = &run.source else { return None };
    let ready: usize = run.stages.iter().map(|state| state.ready.len()).sum();
    let waiting = run.open.values().filter(|block| block.state == BlockState::Waiting).count();
    (ready + waiting + run.due.len() < run.window()).then(|| BlockInput::Source { cursor: cursor.clone() })
}
