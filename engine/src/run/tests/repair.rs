//! Failure, automatic and asked-for retries, skips.

use luci_schema::{
    Actor, Event, FailureCode, Micros, Stage,
    event::{BlockEvent, BlockInput, BlockReport, RunEvent},
};

use super::{
    given::{BAD, Deal, GOOD, MIXED},
    story::Story,
};
use crate::run::{BlockState, Refusal, RunCommand, RunStatus, Waiting};

const HALF: Deal = Deal { success: 1, no_match: 0, failed: 1, skipped: 0 };

/// One block, IMPORT and VALIDATE done, ENRICH in flight.
fn at_enrich() -> Story {
    let mut story = Story::started(10, 10, 2);
    story.complete(story.in_stage(Stage::Import)[0], GOOD).unwrap();
    story.complete(story.in_stage(Stage::Validate)[0], GOOD).unwrap();
    story
}

#[test]
fn a_technical_failure_is_retried_by_itself_three_times_and_then_fails_the_run() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    for wait in [5, 30, 120] {
        let events = story.fail(id, FailureCode::RateLimit).unwrap();
        assert_eq!(Story::types(&events), ["block:failed"]);
        let Event::Block(BlockEvent::Failed(failed)) = &events[0] else { panic!() };
        assert_eq!(failed.retry_at_micros, Some(Micros(story.now.0 + wait * 1_000_000)));
        assert!(matches!(story.run.waiting(), Some(Waiting::Retry { block, .. }) if block == id));
        let retried = story.ask_as(Actor::System, RunCommand::RetryBlock(id)).unwrap();
        assert_eq!(Story::types(&retried), ["block:retried", "block:queued"]);
    }
    let events = story.fail(id, FailureCode::RateLimit).unwrap();
    assert_eq!(Story::types(&events), ["block:failed", "run:failed"]);
    let Event::Run(RunEvent::Failed(failed)) = &events[1] else { panic!() };
    assert_eq!((failed.error.code, failed.error.block_id), (FailureCode::RateLimit, Some(id)));
    assert!(matches!(story.run.waiting(), Some(Waiting::Failed { block, .. }) if block == id));
}

#[test]
fn the_clock_asks_for_nothing_when_a_person_was_faster() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    story.fail(id, FailureCode::Timeout).unwrap();
    story.ask(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(story.ask_as(Actor::System, RunCommand::RetryBlock(id)), Ok(vec![]));
    assert_eq!(story.ask(RunCommand::RetryBlock(id)), Ok(vec![]), "in effect already");
    story.fail(id, FailureCode::Auth).unwrap();
    assert_eq!(
        story.ask_as(Actor::System, RunCommand::RetryBlock(id)),
        Ok(vec![]),
        "failed for good: a person decides"
    );
}

#[test]
fn a_retried_block_keeps_its_id_and_number_and_reads_its_input_again() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    let (first, _) = story.delivery(id);
    story.begin(id).unwrap();
    story.fail(id, FailureCode::Auth).unwrap();
    assert_eq!(story.run.status(), RunStatus::Failed);
    let events = story.ask(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(Story::types(&events), ["run:resumed", "block:retried", "block:queued"]);
    let (again, _) = story.delivery(id);
    assert_eq!((again.block_number, again.sequence, again.attempt, again.retry_count), (1, 3, 1, 1));
    assert_eq!(again.input, first.input);
    assert_ne!(again.artifact_id, first.artifact_id);
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Completed);
}

#[test]
fn failed_leads_of_a_completed_block_go_on_as_extra_blocks() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    story.complete(id, HALF).unwrap();
    assert_eq!(story.run.totals().processed_leads, 5);
    let retried = story.ask(RunCommand::RetryBlock(id)).unwrap();
    assert_eq!(Story::types(&retried), ["block:retried", "block:queued"]);
    let (again, _) = story.delivery(id);
    assert!(matches!(again.input, BlockInput::Artifact { leads: 5, .. }));
    let events = story.complete(id, GOOD).unwrap();
    let Event::Block(BlockEvent::Completed(completed)) = &events[0] else { panic!() };
    assert_eq!((completed.report.counts.input, completed.merged.input), (5, 10));
    assert_eq!((completed.merged.success, completed.merged.failed), (10, 0));
    assert_eq!(completed.totals.processed_leads, 5, "never falls");
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Completed);
    let extra: Vec<_> = story.deliveries.iter().filter(|(q, _)| q.retry_of == Some(id)).map(|(q, _)| q.stage).collect();
    assert_eq!(extra, [Stage::SkipTrace, Stage::Score, Stage::Assign, Stage::Push]);
    assert!(matches!(
        story.ask(RunCommand::RetryBlock(id)),
        Err(Refusal::Illegal { status: RunStatus::Completed, .. })
    ));
}

#[test]
fn a_skipped_block_gives_up_its_failed_leads_and_lets_the_rest_go_on() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    // Broke after four leads of ten.
    let mut completion = story.completion(&story.delivery(id), None, GOOD);
    completion.report.counts = luci_schema::Counts { input: 10, success: 4, ..Default::default() };
    completion.report.artifacts[0].leads = 4;
    let failure = luci_schema::Failure::new(FailureCode::Auth, "the key was revoked");
    let events = story.ask(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    let Event::Block(BlockEvent::Failed(failed)) = &events[0] else { panic!() };
    assert_eq!((failed.report.counts.failed, failed.report.failures[&FailureCode::Auth]), (6, 6));
    let events = story.ask(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!(Story::types(&events), ["run:resumed", "block:skipped", "block:queued"]);
    assert_eq!(story.run.totals().processed_leads, 6);
    assert_eq!(story.ask(RunCommand::SkipBlock(id)), Ok(vec![]), "in effect already");
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Completed);
    assert_eq!(story.run.totals().processed_leads, 10);
}

#[test]
fn a_failure_without_a_report_fails_every_lead() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    let mut completion = story.completion(&story.delivery(id), None, GOOD);
    completion.report = BlockReport { counts: Default::default(), artifacts: vec![], ..completion.report };
    let failure = luci_schema::Failure::new(FailureCode::Internal, "broke");
    story.ask(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    let BlockState::Failed(broken) = &story.run.shelved_block(id).unwrap().state else { panic!() };
    assert_eq!((broken.counts.input, broken.counts.failed), (10, 10));
    story.ask(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!((story.run.status(), story.run.totals().processed_leads), (RunStatus::Completed, 10));
}

#[test]
fn other_batches_go_on_and_the_first_failed_block_fails_the_run() {
    let mut story = Story::started(20, 5, 3);
    story.complete(story.in_stage(Stage::Import)[0], GOOD).unwrap();
    let first = story.in_stage(Stage::Validate)[0];
    story.fail(first, FailureCode::Internal).unwrap();
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Failed);
    assert_eq!(story.run.error().unwrap().block_id, Some(first));
    assert_eq!(story.run.totals().processed_leads, 15);
    story.ask(RunCommand::RetryRun).unwrap();
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Completed);
}

#[test]
fn what_is_neither_failed_nor_has_failed_leads_is_not_retried_or_skipped() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    assert!(matches!(story.ask(RunCommand::RetryBlock(id)), Err(Refusal::Unfit { .. })));
    assert!(matches!(story.ask(RunCommand::SkipBlock(id)), Err(Refusal::Unfit { .. })));
    story.complete(id, GOOD).unwrap();
    assert!(matches!(story.ask(RunCommand::RetryBlock(id)), Err(Refusal::Unfit { .. })));
}

#[test]
fn a_retry_in_a_paused_run_waits_for_resume() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    story.complete(id, MIXED).unwrap();
    story.ask(RunCommand::Pause).unwrap();
    assert_eq!(Story::types(&story.ask(RunCommand::RetryBlock(id)).unwrap()), ["block:retried"]);
    let resumed = story.ask(RunCommand::Resume).unwrap();
    assert_eq!(Story::types(&resumed), ["run:resumed", "block:queued", "block:queued"]);
}

#[test]
fn a_completed_retry_that_fails_again_can_be_skipped() {
    let mut story = at_enrich();
    let id = story.in_stage(Stage::Enrich)[0];
    story.complete(id, HALF).unwrap();
    story.ask(RunCommand::RetryBlock(id)).unwrap();
    story.fail(id, FailureCode::Auth).unwrap();
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Failed);
    story.ask(RunCommand::SkipBlock(id)).unwrap();
    assert_eq!((story.run.status(), story.run.totals().processed_leads), (RunStatus::Completed, 10));
}

#[test]
fn leads_that_all_failed_in_a_stage_leave_no_block_behind() {
    let mut story = at_enrich();
    story.complete(story.in_stage(Stage::Enrich)[0], BAD).unwrap();
    assert_eq!(story.run.status(), RunStatus::Completed);
}
