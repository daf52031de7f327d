//! Failures, automatic and manual retries, skips.

use luci_schema::{
    Actor, Event, FailureCode, Micros, Stage,
    event::{BlockEvent, BlockInput, BlockReport, RunEvent},
};

use crate::core::{
    BlockState, Refusal, RunCommand, RunStatus, WaitingFor,
    tests::{
        fixture::{BAD, Deal, GOOD, MIXED},
        scenario::Scenario,
    },
};

const HALF: Deal = Deal { success: 1, no_match: 0, failed: 1, skipped: 0 };

/// One block, IMPORT and VALIDATE done, ENRICH in flight.
fn at_enrich() -> Scenario {
    let mut scenario = Scenario::started(10, 10, 2);
    scenario.complete(scenario.in_stage(Stage::Import)[0], GOOD).unwrap();
    scenario.complete(scenario.in_stage(Stage::Validate)[0], GOOD).unwrap();
    scenario
}

#[test]
fn a_technical_failure_is_retried_three_times_and_then_fails_the_run() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    for wait in [5, 30, 120] {
        let events = scenario.fail(id, FailureCode::RateLimit).unwrap();
        assert_eq!(Scenario::types(&events), ["block:failed"]);
        let Event::Block(BlockEvent::Failed(failed)) = &events[0] else { panic!() };
        assert_eq!(failed.retry_at_micros, Some(Micros(scenario.now.0 + wait * 1_000_000)));
        assert!(matches!(scenario.run.waiting_for(), Some(WaitingFor::Retry { block, .. }) if block == id));
        let retried = scenario.issue_as(Actor::System, RunCommand::RetryBlock(id)).unwrap();
        assert_eq!(Scenario::types(&retried), ["block:retried", "block:queued"]);
    }
    let events = scenario.fail(id, FailureCode::RateLimit).unwrap();
    assert_eq!(Scenario::types(&events), ["block:failed", "run:failed"]);
    let Event::Run(RunEvent::Failed(failed)) = &events[1] else { panic!() };
    assert_eq!((failed.error.code, failed.error.block_id), (FailureCode::RateLimit, Some(id)));
    assert!(matches!(scenario.run.waiting_for(), Some(WaitingFor::Failed { block, .. }) if block == id));
}

#[test]
fn the_clocks_retry_has_no_effect_when_a_person_was_faster() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    scenario.fail(id, FailureCode::Timeout).unwrap();
    scenario.issue(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(scenario.issue_as(Actor::System, RunCommand::RetryBlock(id)), Ok(vec![]));
    assert_eq!(scenario.issue(RunCommand::RetryBlock(id)), Ok(vec![]), "in effect already");
    scenario.fail(id, FailureCode::Auth).unwrap();
    assert_eq!(
        scenario.issue_as(Actor::System, RunCommand::RetryBlock(id)),
        Ok(vec![]),
        "failed for good: a person decides"
    );
}

#[test]
fn a_retried_block_keeps_its_id_and_number_and_reads_its_input_again() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    let (first, _) = scenario.delivery(id);
    scenario.begin(id).unwrap();
    scenario.fail(id, FailureCode::Auth).unwrap();
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    let events = scenario.issue(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(Scenario::types(&events), ["run:resumed", "block:retried", "block:queued"]);
    let (again, _) = scenario.delivery(id);
    assert_eq!((again.block_number, again.sequence, again.attempt, again.retry_count), (1, 3, 1, 1));
    assert_eq!(again.input, first.input);
    assert_ne!(again.artifact_id, first.artifact_id);
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Completed);
}

#[test]
fn failed_leads_of_a_completed_block_go_on_as_extra_blocks() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    scenario.complete(id, HALF).unwrap();
    assert_eq!(scenario.run.totals().processed_leads, 5);
    let retried = scenario.issue(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(Scenario::types(&retried), ["block:retried", "block:queued"]);
    let (again, _) = scenario.delivery(id);
    assert!(matches!(again.input, BlockInput::Artifact { leads: 5, .. }));
    let events = scenario.complete(id, GOOD).unwrap();
    let Event::Block(BlockEvent::Completed(completed)) = &events[0] else { panic!() };
    assert_eq!((completed.report.counts.input, completed.merged.input), (5, 10));
    assert_eq!((completed.merged.success, completed.merged.failed), (10, 0));
    assert_eq!(completed.totals.processed_leads, 5, "never falls");
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Completed);
    let extra: Vec<_> =
        scenario.deliveries.iter().filter(|(q, _)| q.retry_of == Some(id)).map(|(q, _)| q.stage).collect();
    assert_eq!(extra, [Stage::SkipTrace, Stage::Score, Stage::Assign, Stage::Push]);
    assert!(matches!(
        scenario.issue(RunCommand::RetryBlock(id)),
        Err(Refusal::Illegal { status: RunStatus::Completed, .. })
    ));
}

#[test]
fn a_skipped_block_drops_its_failed_leads_and_its_output_goes_on() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    // Failed after four leads of ten.
    let mut completion = scenario.completion(&scenario.delivery(id), None, GOOD);
    completion.report.counts = luci_schema::Counts { input: 10, success: 4, ..Default::default() };
    completion.report.artifacts[0].leads = 4;
    let failure = luci_schema::Failure::new(FailureCode::Auth, "the key was revoked");
    let events = scenario.issue(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    let Event::Block(BlockEvent::Failed(failed)) = &events[0] else { panic!() };
    assert_eq!((failed.report.counts.failed, failed.report.failures[&FailureCode::Auth]), (6, 6));
    let events = scenario.issue(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!(Scenario::types(&events), ["run:resumed", "block:skipped", "block:queued"]);
    assert_eq!(scenario.run.totals().processed_leads, 6);
    assert_eq!(scenario.issue(RunCommand::SkipBlock(id)), Ok(vec![]), "in effect already");
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Completed);
    assert_eq!(scenario.run.totals().processed_leads, 10);
}

#[test]
fn a_failure_without_a_report_fails_every_lead() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    let mut completion = scenario.completion(&scenario.delivery(id), None, GOOD);
    completion.report = BlockReport { counts: Default::default(), artifacts: vec![], ..completion.report };
    let failure = luci_schema::Failure::new(FailureCode::Internal, "failed");
    scenario.issue(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    let BlockState::Failed(failed) = &scenario.run.retryable_block(id).unwrap().state else { panic!() };
    assert_eq!((failed.counts.input, failed.counts.failed), (10, 10));
    scenario.issue(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!((scenario.run.status(), scenario.run.totals().processed_leads), (RunStatus::Completed, 10));
}

#[test]
fn other_batches_go_on_and_the_first_failed_block_fails_the_run() {
    let mut scenario = Scenario::started(20, 5, 3);
    scenario.complete(scenario.in_stage(Stage::Import)[0], GOOD).unwrap();
    let first = scenario.in_stage(Stage::Validate)[0];
    scenario.fail(first, FailureCode::Internal).unwrap();
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    assert_eq!(scenario.run.error().unwrap().block_id, Some(first));
    assert_eq!(scenario.run.totals().processed_leads, 15);
    scenario.issue(RunCommand::RetryRun).unwrap();
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Completed);
}

#[test]
fn what_is_neither_failed_nor_has_failed_leads_is_not_retried_or_skipped() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    assert!(matches!(scenario.issue(RunCommand::RetryBlock(id)), Err(Refusal::Unfit { .. })));
    assert!(matches!(scenario.issue(RunCommand::SkipBlock(id)), Err(Refusal::Unfit { .. })));
    scenario.complete(id, GOOD).unwrap();
    assert!(matches!(scenario.issue(RunCommand::RetryBlock(id)), Err(Refusal::Unfit { .. })));
}

#[test]
fn a_retry_in_a_paused_run_waits_for_resume() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    scenario.complete(id, MIXED).unwrap();
    scenario.issue(RunCommand::Pause).unwrap();
    assert_eq!(Scenario::types(&scenario.issue(RunCommand::RetryBlock(id)).unwrap()), ["block:retried"]);
    let resumed = scenario.issue(RunCommand::Resume).unwrap();
    assert_eq!(Scenario::types(&resumed), ["run:resumed", "block:queued", "block:queued"]);
}

#[test]
fn a_completed_retry_that_fails_again_can_be_skipped() {
    let mut scenario = at_enrich();
    let id = scenario.in_stage(Stage::Enrich)[0];
    scenario.complete(id, HALF).unwrap();
    scenario.issue(RunCommand::RetryBlock(id)).unwrap();
    scenario.fail(id, FailureCode::Auth).unwrap();
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    scenario.issue(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!((scenario.run.status(), scenario.run.totals().processed_leads), (RunStatus::Completed, 10));
}

#[test]
fn leads_that_all_failed_in_a_stage_leave_no_block_behind() {
    let mut scenario = at_enrich();
    scenario.complete(scenario.in_stage(Stage::Enrich)[0], BAD).unwrap();
    assert_eq!(scenario.run.status(), RunStatus::Completed);
}
