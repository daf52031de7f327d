//! Deliveries: fencing, invalid reports, and the order in which blocks are released.

use luci_schema::{
    Event, FailureCode, Stage,
    event::{BlockEvent, BlockInput},
};

use crate::core::{
    Refusal, RunCommand, RunStatus, SourceState,
    tests::{
        fixture::{GOOD, MIXED, queued},
        scenario::Scenario,
    },
};

#[test]
fn a_second_delivery_fences_the_first_and_a_result_is_recorded_once() {
    let mut scenario = Scenario::started(10, 5, 2);
    let id = scenario.in_flight()[0];
    let delivery = scenario.delivery(id);
    scenario.begin(id).unwrap();
    scenario.begin(id).unwrap();
    let old = scenario.completion(&delivery, Some(1), GOOD);
    let new = scenario.completion(&delivery, Some(2), GOOD);
    let none = scenario.completion(&delivery, None, GOOD);
    assert_eq!(scenario.issue(RunCommand::CompleteBlock(Box::new(old))), Err(Refusal::Stale));
    assert_eq!(scenario.issue(RunCommand::CompleteBlock(Box::new(none))), Err(Refusal::Stale));
    scenario.issue(RunCommand::CompleteBlock(Box::new(new.clone()))).unwrap();
    let after = scenario.run.clone();
    assert_eq!(scenario.issue(RunCommand::CompleteBlock(Box::new(new))), Err(Refusal::Stale));
    assert_eq!(scenario.begin(id), Err(Refusal::Stale));
    assert_eq!(scenario.run, after);
}

#[test]
fn an_input_without_a_digest_gets_that_of_the_completion() {
    let mut scenario = Scenario::started(10, 5, 2);
    let mut before = scenario.run.clone();
    let id = scenario.in_flight()[0];
    // As an older release queued the next stage's block: it recorded no digest of the input.
    for mut event in scenario.complete(id, GOOD).unwrap() {
        if let Event::Block(BlockEvent::Queued(queued)) = &mut event
            && let BlockInput::Artifact { digest, .. } = &mut queued.input
        {
            assert!(digest.take().is_some(), "recorded since");
        }
        crate::core::evolve(&mut before, &event).expect("a history");
    }
    assert_eq!(before, scenario.run);
}

#[test]
fn a_completion_without_a_start_starts_and_ends_the_attempt() {
    let mut scenario = Scenario::started(10, 5, 2);
    let id = scenario.in_flight()[0];
    let events = scenario.complete(id, GOOD).unwrap();
    let Event::Block(BlockEvent::Completed(completed)) = &events[0] else { panic!("{events:?}") };
    assert_eq!(completed.attempt, 1);
}

#[test]
fn a_report_that_does_not_account_for_every_lead_is_refused() {
    type Break = fn(&mut luci_schema::event::BlockReport);
    let breaks: &[(&str, Break)] = &[
        ("a lead is lost", |r| r.counts.success -= 1),
        ("fewer leads than went in", |r| {
            r.counts.success -= 1;
            r.counts.input -= 1;
            r.artifacts[0].leads -= 1;
        }),
        ("no output artifact", |r| drop(r.artifacts.remove(0))),
        ("two output artifacts", |r| r.artifacts.push(r.artifacts[0].clone())),
        ("a lead is lost on the way out", |r| r.artifacts[0].leads -= 1),
        ("more failed leads than were counted", |r| r.artifacts[1].leads += 1),
        ("a cursor where nothing is read", |r| r.next = Some(luci_schema::event::Cursor::default())),
    ];
    for (what, change) in breaks {
        let mut scenario = Scenario::started(10, 5, 2);
        scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
        let id = scenario.in_stage(Stage::Validate)[0];
        let mut completion = scenario.completion(&scenario.delivery(id), None, MIXED);
        change(&mut completion.report);
        let refused = scenario.issue(RunCommand::CompleteBlock(Box::new(completion)));
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{what}: {refused:?}");
    }
}

#[test]
fn an_import_block_must_advance_its_cursor_and_keep_to_the_block_size() {
    let mut scenario = Scenario::started(10, 5, 2);
    let delivery = scenario.delivery(scenario.in_flight()[0]);
    let mut standing = scenario.completion(&delivery, None, GOOD);
    standing.report.next = Some(luci_schema::event::Cursor::default());
    assert!(matches!(scenario.issue(RunCommand::CompleteBlock(Box::new(standing))), Err(Refusal::Invalid(_))));
    let mut greedy = scenario.completion(&delivery, None, GOOD);
    greedy.report.counts = GOOD.counts(6);
    greedy.report.artifacts[0].leads = 6;
    assert!(matches!(scenario.issue(RunCommand::CompleteBlock(Box::new(greedy))), Err(Refusal::Invalid(_))));
}

#[test]
fn import_continues_at_its_cursor_and_validate_runs_one_block_at_a_time() {
    let mut scenario = Scenario::started(20, 5, 4);
    scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
    let import = scenario.in_stage(Stage::Import)[0];
    let BlockInput::Source { cursor } = &scenario.run.open_block(import).unwrap().input else { panic!() };
    assert_eq!((cursor.rows, cursor.offset), (5, 50));
    scenario.complete(import, GOOD).unwrap();
    scenario.complete(scenario.in_stage(Stage::Import)[0], GOOD).unwrap();
    let validate = scenario.in_stage(Stage::Validate);
    assert_eq!(validate.len(), 1);
    assert_eq!(scenario.run.open_block(validate[0]).unwrap().number, 1);
    scenario.complete(validate[0], GOOD).unwrap();
    assert_eq!(scenario.run.open_block(scenario.in_stage(Stage::Validate)[0]).unwrap().number, 2);
    assert_eq!(scenario.in_stage(Stage::Enrich).len(), 1);
}

#[test]
fn import_waits_while_a_window_of_work_lies_ready() {
    let mut scenario = Scenario::started(100, 5, 2);
    for _ in 0..10 {
        let Some(import) = scenario.in_stage(Stage::Import).first().copied() else { break };
        scenario.complete(import, GOOD).unwrap();
    }
    assert!(scenario.in_stage(Stage::Import).is_empty(), "held");
    assert!(matches!(scenario.run.source(), SourceState::Next(_)));
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Completed);
}

#[test]
fn a_deeper_stage_is_released_first() {
    let stages = [Stage::Import, Stage::Enrich, Stage::Score];
    let mut scenario = Scenario::new(queued(&stages, 20, 5, 1));
    scenario.issue(RunCommand::Start).unwrap();
    let mut order = vec![];
    while let Some(id) = scenario.in_flight().first().copied() {
        order.push(scenario.run.open_block(id).unwrap().stage);
        scenario.complete(id, GOOD).unwrap();
    }
    assert_eq!(order, stages.repeat(4), "with a window of one, each batch goes through before the next is read");
    assert_eq!(scenario.run.status(), RunStatus::Completed);
}

#[test]
fn the_number_of_blocks_is_known_once_no_earlier_stage_can_add_one() {
    let mut scenario = Scenario::started(10, 5, 8);
    scenario.settle(GOOD);
    let numbers: Vec<_> = scenario.deliveries.iter().map(|(q, _)| (q.stage, q.block_number, q.total_blocks)).collect();
    assert_eq!(numbers[0], (Stage::Import, 1, None));
    assert!(numbers.contains(&(Stage::Push, 2, Some(2))), "{numbers:?}");
    assert!(
        numbers.iter().all(|(_, number, total)| total.is_none_or(|total| *number <= total && total == 2)),
        "{numbers:?}"
    );
}

#[test]
fn a_validate_block_due_for_a_retry_holds_the_next_and_one_that_failed_for_good_does_not() {
    for (code, held) in [(FailureCode::Timeout, true), (FailureCode::Internal, false)] {
        let mut scenario = Scenario::started(20, 5, 4);
        scenario.complete(scenario.in_stage(Stage::Import)[0], GOOD).unwrap();
        scenario.complete(scenario.in_stage(Stage::Import)[0], GOOD).unwrap();
        scenario.fail(scenario.in_stage(Stage::Validate)[0], code).unwrap();
        assert_eq!(scenario.in_stage(Stage::Validate).is_empty(), held, "{code:?}");
    }
}
