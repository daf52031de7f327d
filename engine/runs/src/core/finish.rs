//! How a run ends: when nothing is in flight, ready or due for a retry.

use std::collections::BTreeMap;

use luci_schema::{
    FailureCode, Stage,
    event::{RunCompleted, RunError, RunEvent, RunFailed},
};

use crate::core::{
    RunStatus,
    decide::{DecideError, Decision},
    state::{BlockState, Run, SourceState},
    totals,
};

/// The reason in message and details of a run without a valid lead.
const NO_VALID_LEADS: &str = "no_valid_leads";

/// Ends the run if nothing is left to do. It fails when a block failed or VALIDATE passed no lead. A paused run completes
/// when it is resumed.
pub(super) fn finish(decision: &mut Decision) -> Result<(), DecideError> {
    let run = &decision.run;
    if !run.status.holds_slot() || !idle(run) {
        return Ok(());
    }
    let error = failed_block(run).or_else(|| no_valid_leads(run));
    let summary = totals::summary(run);
    match error {
        Some(error) => decision.emit(RunEvent::Failed(RunFailed { error, summary }))?,
        None if run.status == RunStatus::Running => decision.emit(RunEvent::Completed(RunCompleted { summary }))?,
        None => {}
    }
    Ok(())
}

fn idle(run: &Run) -> bool {
    run.open.is_empty()
        && run.due.is_empty()
        && run.stages.iter().all(|stage| stage.ready.is_empty())
        && !matches!(run.source, SourceState::Next(_))
}

/// The error of the failed block with the lowest sequence.
fn failed_block(run: &Run) -> Option<RunError> {
    if run.failed_blocks() == 0 {
        return None;
    }
    let failed_blocks = run.retryable.iter().filter_map(|(id, block)| match &block.state {
        BlockState::Failed(failed) => Some((id, block, failed)),
        BlockState::Waiting | BlockState::Pending | BlockState::Running | BlockState::Completed => None,
    });
    let (id, block, failed) = failed_blocks.min_by_key(|(_, block, _)| block.sequence)?;
    Some(RunError {
        code: failed.failure.code,
        message: failed.failure.message.clone(),
        stage: Some(block.stage),
        block_id: Some(id),
        retryable: failed.failure.retryable,
        details: failed.failure.reasons.clone(),
    })
}

fn no_valid_leads(run: &Run) -> Option<RunError> {
    let validate = run.stages.iter().find(|state| state.stage == Stage::Validate)?;
    if validate.sums.output() > 0 {
        return None;
    }
    let read = run.stages.first().map_or(0, |import| import.sums.input);
    Some(RunError {
        code: FailureCode::Validation,
        message: format!("{NO_VALID_LEADS}: none of the {read} leads read passed validation"),
        stage: Some(Stage::Validate),
        block_id: None,
        retryable: false,
        details: BTreeMap::from([(NO_VALID_LEADS.to_owned(), read)]),
    })
}
