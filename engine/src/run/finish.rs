//! How a run ends by itself: when nothing is in flight, ready or due.

use std::collections::BTreeMap;

use luci_schema::{
    FailureCode, Stage,
    event::{RunCompleted, RunError, RunEvent, RunFailed},
};

use super::{
    RunStatus,
    decide::Draft,
    state::{BlockState, Run, Source},
    totals,
};

/// What a run without a valid lead fails with, in message and details.
const NO_VALID_LEADS: &str = "no_valid_leads";

/// Ends the run if nothing is left to do. A failed block fails it; so does VALIDATE when it let no lead through. A
/// paused run completes when it is resumed.
pub(super) fn finish(draft: &mut Draft) {
    let run = &draft.run;
    if !run.status.holds_slot() || !idle(run) {
        return;
    }
    let error = failed_block(run).or_else(|| no_valid_leads(run));
    let summary = totals::summary(run);
    match error {
        Some(error) => draft.emit(RunEvent::Failed(RunFailed { error, summary })),
        None if run.status == RunStatus::Running => draft.emit(RunEvent::Completed(RunCompleted { summary })),
        None => {}
    }
}

fn idle(run: &Run) -> bool {
    run.open.is_empty()
        && run.due.is_empty()
        && run.stages.iter().all(|stage| stage.ready.is_empty())
        && !matches!(run.source, Source::Next(_))
}

/// The error of the first block that failed.
fn failed_block(run: &Run) -> Option<RunError> {
    if run.failed_blocks() == 0 {
        return None;
    }
    let failed = run.shelf.iter().filter_map(|(id, block)| match &block.state {
        BlockState::Failed(broken) => Some((id, block, broken)),
        BlockState::Waiting | BlockState::Pending | BlockState::Running | BlockState::Completed => None,
    });
    let (id, block, broken) = failed.min_by_key(|(_, block, _)| block.sequence)?;
    Some(RunError {
        code: broken.failure.code,
        message: broken.failure.message.clone(),
        stage: Some(block.stage),
        block_id: Some(id),
        retryable: broken.failure.retryable,
        details: broken.failure.reasons.clone(),
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
