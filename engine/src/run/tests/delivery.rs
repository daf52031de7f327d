//! Deliveries: fencing, reports that do not add up, and the order in which blocks are released.

use luci_schema::{
    Event, FailureCode, Stage,
    event::{BlockEvent, BlockInput},
};

use super::{
    given::{GOOD, MIXED, queued},
    story::Story,
};
use crate::run::{Refusal, RunCommand, RunStatus, Source};

#[test]
fn a_second_delivery_fences_the_first_and_a_fact_is_recorded_once() {
    let mut story = Story::started(10, 5, 2);
    let id = story.in_flight()[0];
    let delivery = story.delivery(id);
    story.begin(id).unwrap();
    story.begin(id).unwrap();
    let old = story.completion(&delivery, Some(1), GOOD);
    let new = story.completion(&delivery, Some(2), GOOD);
    let none = story.completion(&delivery, None, GOOD);
    assert_eq!(story.ask(RunCommand::CompleteBlock(Box::new(old))), Err(Refusal::Stale));
    assert_eq!(story.ask(RunCommand::CompleteBlock(Box::new(none))), Err(Refusal::Stale));
    story.ask(RunCommand::CompleteBlock(Box::new(new.clone()))).unwrap();
    let after = story.run.clone();
    assert_eq!(story.ask(RunCommand::CompleteBlock(Box::new(new))), Err(Refusal::Stale));
    assert_eq!(story.begin(id), Err(Refusal::Stale));
    assert_eq!(story.run, after);
}

#[test]
fn a_completion_without_a_start_starts_and_ends_the_attempt() {
    let mut story = Story::started(10, 5, 2);
    let id = story.in_flight()[0];
    let events = story.complete(id, GOOD).unwrap();
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
        let mut story = Story::started(10, 5, 2);
        story.complete(story.in_flight()[0], GOOD).unwrap();
        let id = story.in_stage(Stage::Validate)[0];
        let mut completion = story.completion(&story.delivery(id), None, MIXED);
        change(&mut completion.report);
        let refused = story.ask(RunCommand::CompleteBlock(Box::new(completion)));
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{what}: {refused:?}");
    }
}

#[test]
fn a_reader_must_move_on_and_keep_to_the_block_size() {
    let mut story = Story::started(10, 5, 2);
    let delivery = story.delivery(story.in_flight()[0]);
    let mut standing = story.completion(&delivery, None, GOOD);
    standing.report.next = Some(luci_schema::event::Cursor::default());
    assert!(matches!(story.ask(RunCommand::CompleteBlock(Box::new(standing))), Err(Refusal::Invalid(_))));
    let mut greedy = story.completion(&delivery, None, GOOD);
    greedy.report.counts = GOOD.counts(6);
    greedy.report.artifacts[0].leads = 6;
    assert!(matches!(story.ask(RunCommand::CompleteBlock(Box::new(greedy))), Err(Refusal::Invalid(_))));
}

#[test]
fn import_reads_on_where_it_stopped_and_validate_goes_one_by_one() {
    let mut story = Story::started(20, 5, 4);
    story.complete(story.in_flight()[0], GOOD).unwrap();
    let import = story.in_stage(Stage::Import)[0];
    let BlockInput::Source { cursor } = &story.run.open_block(import).unwrap().input else { panic!() };
    assert_eq!((cursor.rows, cursor.offset), (5, 50));
    story.complete(import, GOOD).unwrap();
    story.complete(story.in_stage(Stage::Import)[0], GOOD).unwrap();
    let validate = story.in_stage(Stage::Validate);
    assert_eq!(validate.len(), 1);
    assert_eq!(story.run.open_block(validate[0]).unwrap().number, 1);
    story.complete(validate[0], GOOD).unwrap();
    assert_eq!(story.run.open_block(story.in_stage(Stage::Validate)[0]).unwrap().number, 2);
    assert_eq!(story.in_stage(Stage::Enrich).len(), 1);
}

#[test]
fn import_waits_while_a_window_of_work_lies_ready() {
    let mut story = Story::started(100, 5, 2);
    for _ in 0..10 {
        let Some(import) = story.in_stage(Stage::Import).first().copied() else { break };
        story.complete(import, GOOD).unwrap();
    }
    assert!(story.in_stage(Stage::Import).is_empty(), "held");
    assert!(matches!(story.run.source(), Source::Next(_)));
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Completed);
}

#[test]
fn a_deeper_stage_is_released_first() {
    let stages = [Stage::Import, Stage::Enrich, Stage::Score];
    let mut story = Story::new(queued(&stages, 20, 5, 1));
    story.ask(RunCommand::Start).unwrap();
    let mut order = vec![];
    while let Some(id) = story.in_flight().first().copied() {
        order.push(story.run.open_block(id).unwrap().stage);
        story.complete(id, GOOD).unwrap();
    }
    assert_eq!(order, stages.repeat(4), "with a window of one, each batch goes through before the next is read");
    assert_eq!(story.run.status(), RunStatus::Completed);
}

#[test]
fn the_number_of_blocks_is_told_once_no_earlier_stage_can_add_one() {
    let mut story = Story::started(10, 5, 8);
    story.settle(GOOD);
    let told: Vec<_> = story.deliveries.iter().map(|(q, _)| (q.stage, q.block_number, q.total_blocks)).collect();
    assert_eq!(told[0], (Stage::Import, 1, None));
    assert!(told.contains(&(Stage::Push, 2, Some(2))), "{told:?}");
    assert!(told.iter().all(|(_, number, total)| total.is_none_or(|total| *number <= total && total == 2)), "{told:?}");
}

#[test]
fn a_validate_block_that_is_retried_by_itself_holds_the_next_and_one_that_failed_for_good_does_not() {
    for (code, held) in [(FailureCode::Timeout, true), (FailureCode::Internal, false)] {
        let mut story = Story::started(20, 5, 4);
        story.complete(story.in_stage(Stage::Import)[0], GOOD).unwrap();
        story.complete(story.in_stage(Stage::Import)[0], GOOD).unwrap();
        story.fail(story.in_stage(Stage::Validate)[0], code).unwrap();
        assert_eq!(story.in_stage(Stage::Validate).is_empty(), held, "{code:?}");
    }
}
