//! Folds one event into the state. Nothing is decided here; an event that the state does not allow is an error.

use std::{collections::VecDeque, sync::Arc};

use luci_schema::{
    Counts, Version,
    event::{Event, RunEvent, RunQueued},
};

use crate::core::{
    RunStatus,
    corrupt::{CorruptStream, StreamFault},
    fold_block::fold_block,
    retryable_blocks::RetryableBlocks,
    state::{Run, StageState},
};

/// Folds `event`. Every event of the stream counts one version, including types that a newer process wrote.
///
/// # Errors
/// `CorruptStream` when the event cannot follow the run's state; `run` must be dropped then.
pub fn evolve(run: &mut Run, event: &Event) -> Result<(), CorruptStream> {
    fold(run, event).map_err(|fault| CorruptStream::decided(Version(run.version.0 + 1), event, fault))
}

pub(super) fn fold(run: &mut Run, event: &Event) -> Result<(), StreamFault> {
    match event {
        Event::Run(RunEvent::Queued(queued)) => begin(run, queued)?,
        Event::Run(event) => {
            check_exists(run)?;
            fold_run(run, event)?;
        }
        Event::Block(event) => {
            check_exists(run)?;
            fold_block(run, event)?;
        }
        Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
    }
    run.version.0 += 1;
    Ok(())
}

fn check_exists(run: &Run) -> Result<(), StreamFault> {
    match (run.exists(), run.deleted) {
        (true, false) => Ok(()),
        (true, true) => Err(StreamFault::Deleted),
        (false, _) => Err(StreamFault::NotQueued),
    }
}

fn fold_run(run: &mut Run, event: &RunEvent) -> Result<(), StreamFault> {
    match event {
        RunEvent::Queued(_) => return Err(StreamFault::QueuedTwice),
        RunEvent::Started(_) => become_status(run, RunStatus::Running)?,
        RunEvent::Paused(paused) => {
            become_status(run, RunStatus::Paused)?;
            run.pause_reason = paused.reason;
            run.missing_micros = paused.missing_micros.unwrap_or_default();
        }
        RunEvent::Resumed(resumed) => {
            become_status(run, RunStatus::Running)?;
            run.pause_reason = None;
            run.missing_micros = 0;
            run.budget = resumed.budget_micros.or(run.budget);
            run.error = None;
        }
        RunEvent::Completed(completed) => {
            become_status(run, RunStatus::Completed)?;
            run.totals.progress = 100;
            run.totals.processed_leads = completed.summary.processed_leads;
            forget_retryable(run);
        }
        RunEvent::Failed(failed) => {
            become_status(run, RunStatus::Failed)?;
            run.error = Some(failed.error.clone());
        }
        RunEvent::Cancelled(_) => {
            become_status(run, RunStatus::Cancelled)?;
            run.error = None;
            run.stages.iter_mut().for_each(|stage| stage.ready.clear());
            forget_retryable(run);
        }
        RunEvent::Deleted(_) if !run.status.ended() => return Err(StreamFault::Status { status: run.status }),
        RunEvent::Deleted(_) => run.deleted = true,
    }
    Ok(())
}

fn begin(run: &mut Run, queued: &RunQueued) -> Result<(), StreamFault> {
    if run.exists() {
        return Err(StreamFault::QueuedTwice);
    }
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
    Ok(())
}

fn become_status(run: &mut Run, to: RunStatus) -> Result<(), StreamFault> {
    if !run.status.can_become(to) {
        return Err(StreamFault::Transition { from: run.status, to });
    }
    run.status = to;
    Ok(())
}

/// In a final run no block is retried or skipped any more.
fn forget_retryable(run: &mut Run) {
    run.retryable = RetryableBlocks::default();
    run.due.clear();
}
