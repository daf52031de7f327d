//! How runs end.

use luci_schema::{FailureCode, Stage};

use crate::core::{
    Refusal, RunCommand, RunStatus,
    tests::{
        fixture::{BAD, GOOD, MIXED, queued},
        scenario::Scenario,
    },
};

#[test]
fn a_run_goes_through_all_stages_and_accounts_for_every_lead() {
    for (total, size, window) in [(1, 250, 8), (250, 250, 8), (1_003, 100, 8), (97, 10, 1), (40, 1, 3)] {
        for deal in [GOOD, MIXED] {
            let mut scenario = Scenario::started(total, size, window);
            scenario.settle(deal);
            let totals = scenario.run.totals();
            assert_eq!(
                (scenario.run.status(), totals.progress),
                (RunStatus::Completed, 100),
                "{total}/{size}/{window}"
            );
            assert_eq!(totals.processed_leads, total);
            assert_eq!(scenario.run.stages()[0].sums.input, total);
            scenario.check_replay();
        }
    }
}

#[test]
fn no_valid_lead_after_validate_fails_the_run() {
    let mut scenario = Scenario::started(20, 5, 4);
    while let Some(id) = scenario.in_flight().first().copied() {
        let deal = if scenario.run.open_block(id).unwrap().stage == Stage::Validate { BAD } else { GOOD };
        scenario.complete(id, deal).unwrap();
    }
    let error = scenario.run.error().unwrap();
    assert_eq!((scenario.run.status(), error.code), (RunStatus::Failed, FailureCode::Validation));
    assert!(error.message.starts_with("no_valid_leads"));
    assert_eq!(error.details["no_valid_leads"], 20);
    assert!(matches!(scenario.issue(RunCommand::RetryRun), Err(Refusal::Illegal { .. })), "no block failed");
}

#[test]
fn an_empty_input_has_no_valid_lead_or_simply_ends() {
    let mut scenario = Scenario::started(0, 5, 4);
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    let mut scenario = Scenario::new(queued(&[Stage::Import, Stage::Push], 0, 5, 4));
    scenario.issue(RunCommand::Start).unwrap();
    scenario.settle(GOOD);
    assert_eq!((scenario.run.status(), scenario.run.totals().progress), (RunStatus::Completed, 100));
}

#[test]
fn an_input_that_cannot_be_read_fails_the_run() {
    let mut scenario = Scenario::started(20, 5, 4);
    let id = scenario.in_flight()[0];
    let events = scenario.fail(id, FailureCode::Validation).unwrap();
    assert_eq!(Scenario::types(&events), ["block:failed", "run:failed"]);
}

#[test]
fn skipping_an_unreadable_rest_lets_what_was_read_go_on() {
    let mut scenario = Scenario::started(20, 5, 4);
    scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
    let import = scenario.in_stage(Stage::Import)[0];
    scenario.fail(import, FailureCode::Validation).unwrap();
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    let events = scenario.issue(RunCommand::SkipBlock(import)).unwrap();
    assert_eq!(Scenario::types(&events), ["run:resumed", "block:skipped", "run:completed"]);
    assert_eq!(scenario.run.totals().processed_leads, 10, "five through, five that could not be read");
}

#[test]
fn a_paused_run_completes_when_it_is_resumed() {
    let mut scenario = Scenario::new(queued(&[Stage::Import], 5, 5, 1));
    scenario.issue(RunCommand::Start).unwrap();
    let id = scenario.in_flight()[0];
    scenario.begin(id).unwrap();
    scenario.issue(RunCommand::Pause).unwrap();
    assert_eq!(Scenario::types(&scenario.complete(id, GOOD).unwrap()), ["block:completed"]);
    assert_eq!(scenario.run.totals().progress, 99);
    assert_eq!(Scenario::types(&scenario.issue(RunCommand::Resume).unwrap()), ["run:resumed", "run:completed"]);
}

#[test]
fn a_paused_run_whose_last_block_fails_is_failed() {
    let mut scenario = Scenario::new(queued(&[Stage::Import], 5, 5, 1));
    scenario.issue(RunCommand::Start).unwrap();
    let id = scenario.in_flight()[0];
    scenario.begin(id).unwrap();
    scenario.issue(RunCommand::Pause).unwrap();
    assert_eq!(Scenario::types(&scenario.fail(id, FailureCode::Auth).unwrap()), ["block:failed", "run:failed"]);
}

#[test]
fn fewer_rows_than_were_counted_still_complete_the_run() {
    let mut scenario = Scenario::new(queued(&[Stage::Import, Stage::Score], 20, 5, 1));
    scenario.issue(RunCommand::Start).unwrap();
    let id = scenario.in_flight()[0];
    let mut completion = scenario.completion(&scenario.delivery(id), None, GOOD);
    completion.report.next = None;
    scenario.issue(RunCommand::CompleteBlock(Box::new(completion))).unwrap();
    scenario.settle(GOOD);
    assert_eq!((scenario.run.status(), scenario.run.totals().processed_leads), (RunStatus::Completed, 5));
}
