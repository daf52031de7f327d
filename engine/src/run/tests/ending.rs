//! How runs end by themselves.

use luci_schema::{FailureCode, Stage};

use super::{
    given::{BAD, GOOD, MIXED, queued},
    story::Story,
};
use crate::run::{Refusal, RunCommand, RunStatus};

#[test]
fn a_run_goes_through_all_stages_and_accounts_for_every_lead() {
    for (total, size, window) in [(1, 250, 8), (250, 250, 8), (1_003, 100, 8), (97, 10, 1), (40, 1, 3)] {
        for deal in [GOOD, MIXED] {
            let mut story = Story::started(total, size, window);
            story.settle(deal);
            let totals = story.run.totals();
            assert_eq!((story.run.status(), totals.progress), (RunStatus::Completed, 100), "{total}/{size}/{window}");
            assert_eq!(totals.processed_leads, total);
            assert_eq!(story.run.stages()[0].sums.input, total);
            story.check_replay();
        }
    }
}

#[test]
fn no_valid_lead_after_validate_fails_the_run() {
    let mut story = Story::started(20, 5, 4);
    while let Some(id) = story.in_flight().first().copied() {
        let deal = if story.run.open_block(id).unwrap().stage == Stage::Validate { BAD } else { GOOD };
        story.complete(id, deal).unwrap();
    }
    let error = story.run.error().unwrap();
    assert_eq!((story.run.status(), error.code), (RunStatus::Failed, FailureCode::Validation));
    assert!(error.message.starts_with("no_valid_leads"));
    assert_eq!(error.details["no_valid_leads"], 20);
    assert!(matches!(story.ask(RunCommand::RetryRun), Err(Refusal::Illegal { .. })), "no block failed");
}

#[test]
fn an_empty_input_has_no_valid_lead_or_simply_ends() {
    let mut story = Story::started(0, 5, 4);
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Failed);
    let mut story = Story::new(queued(&[Stage::Import, Stage::Push], 0, 5, 4));
    story.ask(RunCommand::Start).unwrap();
    story.settle(GOOD);
    assert_eq!((story.run.status(), story.run.totals().progress), (RunStatus::Completed, 100));
}

#[test]
fn an_input_that_cannot_be_read_fails_the_run() {
    let mut story = Story::started(20, 5, 4);
    let id = story.in_flight()[0];
    let events = story.fail(id, FailureCode::Validation).unwrap();
    assert_eq!(Story::types(&events), ["block:failed", "run:failed"]);
}

#[test]
fn skipping_an_unreadable_rest_lets_what_was_read_go_on() {
    let mut story = Story::started(20, 5, 4);
    story.complete(story.in_flight()[0], GOOD).unwrap();
    let import = story.in_stage(Stage::Import)[0];
    story.fail(import, FailureCode::Validation).unwrap();
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Failed);
    let events = story.ask(RunCommand::SkipBlock(import)).unwrap();
    assert_eq!(Story::types(&events), ["run:resumed", "block:skipped", "run:completed"]);
    assert_eq!(story.run.totals().processed_leads, 10, "five through, five that could not be read");
}

#[test]
fn a_paused_run_completes_when_it_is_resumed() {
    let mut story = Story::new(queued(&[Stage::Import], 5, 5, 1));
    story.ask(RunCommand::Start).unwrap();
    let id = story.in_flight()[0];
    story.begin(id).unwrap();
    story.ask(RunCommand::Pause).unwrap();
    assert_eq!(Story::types(&story.complete(id, GOOD).unwrap()), ["block:completed"]);
    assert_eq!(story.run.totals().progress, 99);
    assert_eq!(Story::types(&story.ask(RunCommand::Resume).unwrap()), ["run:resumed", "run:completed"]);
}

#[test]
fn a_paused_run_whose_last_block_fails_is_failed() {
    let mut story = Story::new(queued(&[Stage::Import], 5, 5, 1));
    story.ask(RunCommand::Start).unwrap();
    let id = story.in_flight()[0];
    story.begin(id).unwrap();
    story.ask(RunCommand::Pause).unwrap();
    assert_eq!(Story::types(&story.fail(id, FailureCode::Auth).unwrap()), ["block:failed", "run:failed"]);
}

#[test]
fn fewer_rows_than_were_counted_still_complete_the_run() {
    let mut story = Story::new(queued(&[Stage::Import, Stage::Score], 20, 5, 1));
    story.ask(RunCommand::Start).unwrap();
    let id = story.in_flight()[0];
    let mut completion = story.completion(&story.delivery(id), None, GOOD);
    completion.report.next = None;
    story.ask(RunCommand::CompleteBlock(Box::new(completion))).unwrap();
    story.settle(GOOD);
    assert_eq!((story.run.status(), story.run.totals().processed_leads), (RunStatus::Completed, 5));
}
