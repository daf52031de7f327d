//! Folds one fact into the state. Facts are never judged here: what `decide` let through, happened.

use std::{collections::VecDeque, sync::Arc};

use luci_schema::{
    BlockId, Counts,
    event::{BlockCompleted, BlockEvent, BlockFailed, BlockInput, BlockQueued, Cursor, Event, RunEvent, RunQueued},
};

use super::{
    RunStatus, report,
    shelf::Shelf,
    state::{Block, BlockState, BrokenBlock, Ready, Run, Source, StageState},
};

/// Folds `event`; every event of the stream counts one version, also those that a newer process wrote.
pub fn evolve(run: &mut Run, event: &Event) {
    run.version.0 += 1;
    match event {
        Event::Run(event) => fold_run(run, event),
        Event::Block(event) => fold_block(run, event),
        Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
    }
}

fn fold_run(run: &mut Run, event: &RunEvent) {
    match event {
        RunEvent::Queued(queued) => begin(run, queued),
        RunEvent::Started(_) => become_status(run, RunStatus::Running),
        RunEvent::Paused(paused) => {
            become_status(run, RunStatus::Paused);
            run.pause_reason = paused.reason;
            run.missing_micros = paused.missing_micros.unwrap_or_default();
        }
        RunEvent::Resumed(resumed) => {
            run.pause_reason = None;
            run.missing_micros = 0;
            run.budget = resumed.budget_micros.or(run.budget);
            run.error = None;
            become_status(run, RunStatus::Running);
        }
        RunEvent::Completed(completed) => {
            become_status(run, RunStatus::Completed);
            run.totals.progress = 100;
            run.totals.processed_leads = completed.summary.processed_leads;
            forget_repairs(run);
        }
        RunEvent::Failed(failed) => {
            become_status(run, RunStatus::Failed);
            run.error = Some(failed.error.clone());
        }
        RunEvent::Cancelled(_) => {
            become_status(run, RunStatus::Cancelled);
            run.error = None;
            run.stages.iter_mut().for_each(|stage| stage.ready.clear());
            forget_repairs(run);
        }
        RunEvent::Deleted(_) => run.deleted = true,
    }
}

fn begin(run: &mut Run, queued: &RunQueued) {
    run.stages = queued
        .stages
        .iter()
        .map(|spec| StageState {
            stage: spec.stage,
            sums: Counts::default(),
            cost_micros: 0,
            sent: 0,
            numbered: 0,
            failed: 0,
            ready: VecDeque::new(),
        })
        .collect();
    run.budget = queued.budget_micros;
    run.pinned = Some(Arc::new(queued.clone()));
}

fn become_status(run: &mut Run, to: RunStatus) {
    debug_assert!(run.status.can_become(to), "{} -> {}", run.status.as_str(), to.as_str());
    run.status = to;
}

/// A final run needs no block to be found again.
fn forget_repairs(run: &mut Run) {
    run.shelf = Shelf::default();
    run.due.clear();
}

fn fold_block(run: &mut Run, event: &BlockEvent) {
    match event {
        BlockEvent::Queued(queued) => fold_queued(run, queued),
        BlockEvent::Started(started) => {
            if let Some(block) = run.open.get_mut(&started.block_id) {
                block.attempt = started.attempt;
                block.state = BlockState::Running;
            }
        }
        BlockEvent::Completed(completed) => fold_completed(run, completed),
        BlockEvent::Failed(failed) => fold_failed(run, failed),
        BlockEvent::Retried(retried) => {
            if let Some(mut block) = take_shelved(run, retried.block_id) {
                block.retry_count = retried.retry_count;
                block.state = BlockState::Waiting;
                run.open.insert(retried.block_id, block);
            }
        }
        BlockEvent::Skipped(skipped) => {
            run.totals = skipped.totals;
            Arc::make_mut(&mut run.skipped).insert(skipped.block_id);
            fold_skipped(run, skipped.block_id);
        }
        BlockEvent::Cancelled(cancelled) => {
            run.totals = cancelled.totals;
            run.open.remove(&cancelled.block_id);
            if let (Some(at), Some(report)) = (run.index(cancelled.stage), &cancelled.report) {
                run.stages[at].cost_micros += report.cost_micros;
            }
        }
    }
}

fn fold_queued(run: &mut Run, queued: &BlockQueued) {
    let version = run.version;
    if let Some(block) = run.open.get_mut(&queued.block_id) {
        block.queued = version;
        block.state = BlockState::Pending;
        return;
    }
    let Some(at) = run.index(queued.stage) else { return };
    run.sequence = run.sequence.max(queued.sequence);
    let stage = &mut run.stages[at];
    stage.numbered = stage.numbered.max(queued.block_number);
    match queued.input {
        BlockInput::Source { .. } => run.source = Source::Reading,
        BlockInput::Artifact { .. } => {
            if let Some(taken) = stage.ready.iter().position(|ready| ready.input == queued.input) {
                stage.ready.remove(taken);
            }
        }
    }
    let block = Block {
        stage: queued.stage,
        number: queued.block_number,
        sequence: queued.sequence,
        attempt: queued.attempt,
        retry_count: queued.retry_count,
        retry_of: queued.retry_of,
        input: queued.input.clone(),
        queued: version,
        state: BlockState::Pending,
        merged: Counts::default(),
        paid: 0,
        tries: 0,
    };
    run.open.insert(queued.block_id, block);
}

fn fold_completed(run: &mut Run, completed: &BlockCompleted) {
    run.totals = completed.totals;
    let Some(mut block) = run.open.remove(&completed.block_id) else { return };
    let report = &completed.report;
    let output = report::output(block.stage, report);
    settle(run, completed.block_id, &block, completed.merged, output, report.next.clone());
    spend(run, &block, report.counts.input, report.cost_micros);
    if let Some(input) = report::failed_leads(report) {
        block.attempt = completed.attempt;
        block.merged = completed.merged;
        block.input = input;
        block.paid = 0;
        block.state = BlockState::Completed;
        run.shelf.insert(completed.block_id, block);
    }
}

fn fold_failed(run: &mut Run, failed: &BlockFailed) {
    run.totals = failed.totals;
    let Some(mut block) = run.open.remove(&failed.block_id) else { return };
    let report = &failed.report;
    spend(run, &block, report.counts.input, report.cost_micros);
    if let Some(at) = run.index(block.stage) {
        run.stages[at].failed += 1;
    }
    if failed.retry_at_micros.is_some() {
        block.tries += 1;
        run.due.insert(failed.block_id);
    }
    block.attempt = failed.attempt;
    block.paid += report.cost_micros;
    block.state = BlockState::Failed(Box::new(BrokenBlock {
        failure: failed.failure.clone(),
        counts: report.counts,
        rest: report::output(block.stage, report),
        next: report.next.clone(),
        retry_at: failed.retry_at_micros,
    }));
    run.shelf.insert(failed.block_id, block);
}

fn fold_skipped(run: &mut Run, id: BlockId) {
    let Some(block) = take_shelved(run, id) else { return };
    if let BlockState::Failed(broken) = &block.state {
        let merged = report::merge(&block, broken.counts);
        settle(run, id, &block, merged, broken.rest.clone(), broken.next.clone());
    }
}

fn take_shelved(run: &mut Run, id: BlockId) -> Option<Block> {
    run.due.remove(&id);
    let block = run.shelf.remove(id)?;
    if let (BlockState::Failed(_), Some(at)) = (&block.state, run.index(block.stage)) {
        run.stages[at].failed -= 1;
    }
    Some(block)
}

/// The block's leads are accounted for: into the stage's sums, its output on to the next stage, IMPORT's cursor forward.
fn settle(run: &mut Run, id: BlockId, block: &Block, merged: Counts, output: Option<BlockInput>, next: Option<Cursor>) {
    let Some(at) = run.index(block.stage) else { return };
    report::replace(&mut run.stages[at].sums, block.merged, merged);
    if let BlockInput::Source { .. } = block.input {
        run.source = next.map_or(Source::Drained, Source::Next);
    }
    if let (Some(input), Some(following)) = (output, run.stages.get_mut(at + 1)) {
        following.ready.push_back(Ready { input, retry_of: block.lineage(id) });
    }
}

fn spend(run: &mut Run, block: &Block, leads: u64, cost_micros: u64) {
    if let Some(at) = run.index(block.stage) {
        run.stages[at].cost_micros += cost_micros;
        run.stages[at].sent += leads;
    }
}
