//! Which command is possible in which status, and what it makes happen.

use luci_schema::Stage;

use super::{
    given::{GOOD, queued},
    story::Story,
};
use crate::run::{Refusal, RunCommand, RunStatus};

/// A run in each status, with a block pending and one running where that can be.
fn in_status(status: RunStatus) -> Story {
    let mut story = Story::new(queued(&Stage::ALL, 20, 5, 3));
    if status == RunStatus::Queued {
        return story;
    }
    story.ask(RunCommand::Start).unwrap();
    match status {
        RunStatus::Queued | RunStatus::Running => {}
        RunStatus::Paused => drop(story.ask(RunCommand::Pause).unwrap()),
        RunStatus::Cancelled => drop(story.ask(RunCommand::Cancel).unwrap()),
        RunStatus::Completed => story.settle(GOOD),
        RunStatus::Failed => {
            let id = story.in_flight()[0];
            story.fail(id, luci_schema::FailureCode::Validation).unwrap();
        }
    }
    assert_eq!(story.run.status(), status);
    story
}

/// `None`: refused. `Some("")`: in effect already. Else the events' types.
#[test]
fn commands_in_each_status() {
    use RunStatus::{Cancelled, Completed, Failed, Paused, Queued, Running};
    let q = RunCommand::Start;
    let table: &[(RunStatus, RunCommand, Option<&str>)] = &[
        (Queued, q.clone(), Some("run:started block:queued")),
        (Running, q.clone(), Some("")),
        (Paused, q.clone(), None),
        (Failed, q.clone(), None),
        (Completed, q.clone(), None),
        (Cancelled, q, None),
        (Queued, RunCommand::Pause, None),
        (Running, RunCommand::Pause, Some("run:paused")),
        (Paused, RunCommand::Pause, Some("")),
        (Failed, RunCommand::Pause, None),
        (Completed, RunCommand::Pause, None),
        (Cancelled, RunCommand::Pause, None),
        (Queued, RunCommand::Resume, None),
        (Running, RunCommand::Resume, Some("")),
        (Paused, RunCommand::Resume, Some("run:resumed block:queued")),
        (Failed, RunCommand::Resume, None),
        (Completed, RunCommand::Resume, None),
        (Cancelled, RunCommand::Resume, None),
        (Queued, RunCommand::Cancel, Some("run:cancelled")),
        (Running, RunCommand::Cancel, Some("block:cancelled run:cancelled")),
        (Paused, RunCommand::Cancel, Some("block:cancelled run:cancelled")),
        (Failed, RunCommand::Cancel, Some("run:cancelled")),
        (Completed, RunCommand::Cancel, None),
        (Cancelled, RunCommand::Cancel, Some("")),
        (Queued, RunCommand::Delete, None),
        (Running, RunCommand::Delete, None),
        (Paused, RunCommand::Delete, None),
        (Failed, RunCommand::Delete, Some("run:deleted")),
        (Completed, RunCommand::Delete, Some("run:deleted")),
        (Cancelled, RunCommand::Delete, Some("run:deleted")),
        (Queued, RunCommand::RetryRun, None),
        (Running, RunCommand::RetryRun, None),
        (Paused, RunCommand::RetryRun, None),
        (Failed, RunCommand::RetryRun, Some("run:resumed block:retried block:queued")),
        (Completed, RunCommand::RetryRun, None),
        (Cancelled, RunCommand::RetryRun, None),
    ];
    for (status, command, expected) in table {
        let mut story = in_status(*status);
        let got = story.ask(command.clone());
        match (expected, got) {
            (None, Err(Refusal::Illegal { status: said, .. })) => assert_eq!(said, *status),
            (Some(types), Ok(events)) => assert_eq!(Story::types(&events).join(" "), *types, "{status:?} {command:?}"),
            (_, got) => panic!("{status:?} {command:?}: {got:?}"),
        }
    }
}

#[test]
fn nothing_can_be_asked_of_a_deleted_run() {
    let mut story = in_status(RunStatus::Failed);
    story.ask(RunCommand::Delete).unwrap();
    for command in [RunCommand::Delete, RunCommand::RetryRun, RunCommand::Cancel, RunCommand::Start] {
        assert_eq!(story.ask(command), Err(Refusal::Deleted));
    }
}

#[test]
fn what_was_not_queued_is_missing() {
    let context =
        crate::run::Context { now: luci_schema::Micros(0), seed: ulid::Ulid(1), actor: luci_schema::Actor::System };
    let refused = crate::run::decide(&crate::run::Run::default(), &RunCommand::Start, &context);
    assert_eq!(refused, Err(Refusal::Missing));
}

#[test]
fn a_run_is_checked_when_it_is_queued() {
    let ask = |change: &dyn Fn(&mut luci_schema::event::RunQueued)| {
        let mut queued = queued(&Stage::ALL, 20, 5, 3);
        change(&mut queued);
        let context =
            crate::run::Context { now: luci_schema::Micros(0), seed: ulid::Ulid(1), actor: luci_schema::Actor::System };
        crate::run::decide(&crate::run::Run::default(), &RunCommand::Queue(Box::new(queued)), &context)
    };
    assert!(ask(&|_| ()).is_ok());
    assert_eq!(ask(&|q| q.total_leads = 2_001), Err(Refusal::TooManyLeads { leads: 2_001, max_leads: 2_000 }));
    assert!(matches!(ask(&|q| q.stages.clear()), Err(Refusal::Invalid(_))));
    assert!(matches!(ask(&|q| drop(q.stages.remove(0))), Err(Refusal::Invalid(_))));
    assert!(matches!(ask(&|q| q.stages.push(q.stages[1].clone())), Err(Refusal::Invalid(_))));
    assert!(matches!(ask(&|q| q.options.block_size = 0), Err(Refusal::Invalid(_))));
    assert!(matches!(ask(&|q| q.options.window = 0), Err(Refusal::Invalid(_))));
}

#[test]
fn queueing_the_same_run_again_is_in_effect_already() {
    let mut story = in_status(RunStatus::Running);
    let again = RunCommand::Queue(Box::new(queued(&Stage::ALL, 20, 5, 3)));
    assert_eq!(story.ask(again), Ok(vec![]));
    let other = RunCommand::Queue(Box::new(queued(&Stage::ALL, 21, 5, 3)));
    assert!(matches!(story.ask(other), Err(Refusal::Illegal { .. })));
}

#[test]
fn a_pause_releases_nothing_and_refuses_starts_until_resume_queues_again() {
    let mut story = Story::started(20, 5, 2);
    let import = story.in_flight()[0];
    story.begin(import).unwrap();
    story.ask(RunCommand::Pause).unwrap();
    let recorded = story.complete(import, GOOD).unwrap();
    assert_eq!(Story::types(&recorded), ["block:completed"], "begun blocks finish and record");

    story.ask(RunCommand::Resume).unwrap();
    let pending = story.in_flight();
    let old = story.delivery(pending[0]);
    story.ask(RunCommand::Pause).unwrap();
    assert!(matches!(story.begin(pending[0]), Err(Refusal::Illegal { status: RunStatus::Paused, .. })));
    let resumed = story.ask(RunCommand::Resume).unwrap();
    assert_eq!(Story::types(&resumed), ["run:resumed", "block:queued", "block:queued"]);
    assert_eq!(story.in_flight(), pending, "the same blocks");
    let stale = RunCommand::StartBlock { block: pending[0], queued: old.1, after: 0, provider: "internal".into() };
    assert_eq!(story.ask(stale), Err(Refusal::Stale), "the earlier delivery is fenced");
    story.begin(pending[0]).unwrap();
}

#[test]
fn a_worker_that_did_not_see_another_begin_does_not_fence_it() {
    let mut story = Story::started(20, 5, 2);
    let import = story.in_flight()[0];
    story.begin_after(import, 0).unwrap();
    assert_eq!(story.begin_after(import, 0), Err(Refusal::Stale), "two were handed the same delivery");
    assert_eq!(
        Story::types(&story.begin_after(import, 1).unwrap()),
        ["block:started"],
        "the first is known to be gone"
    );
}

#[test]
fn a_block_begun_before_the_pause_whose_worker_died_is_begun_again() {
    let mut story = Story::started(20, 5, 2);
    let import = story.in_flight()[0];
    story.begin(import).unwrap();
    story.ask(RunCommand::Pause).unwrap();
    assert_eq!(Story::types(&story.begin(import).unwrap()), ["block:started"]);
    story.complete(import, GOOD).unwrap();
}

#[test]
fn cancel_closes_what_has_not_begun_and_running_blocks_record_what_they_spent() {
    let mut story = Story::started(20, 5, 3);
    story.complete(story.in_flight()[0], GOOD).unwrap();
    let [running, pending] = story.in_flight()[..] else { panic!("{:?}", story.in_flight()) };
    story.begin(running).unwrap();
    let cancelled = story.ask(RunCommand::Cancel).unwrap();
    assert_eq!(Story::types(&cancelled), ["block:cancelled", "run:cancelled"]);
    assert!(story.run.open_block(pending).is_none());
    let spent = story.run.totals().cost_micros;
    let late = story.complete(running, GOOD).unwrap();
    assert_eq!(Story::types(&late), ["block:cancelled"]);
    assert_eq!(story.run.totals().cost_micros, spent + 15);
    assert_eq!(story.run.status(), RunStatus::Cancelled);
    assert_eq!(story.complete(running, GOOD), Err(Refusal::Stale));
}

#[test]
fn a_cancelled_run_closes_a_running_block_that_is_delivered_again_and_delete_closes_the_rest() {
    for command in [None, Some(RunCommand::Delete)] {
        let mut story = Story::started(20, 5, 3);
        let running = story.in_flight()[0];
        story.begin(running).unwrap();
        story.ask(RunCommand::Cancel).unwrap();
        let closed = match command {
            None => story.begin(running).unwrap(),
            Some(delete) => story.ask(delete).unwrap(),
        };
        assert_eq!(closed[0].type_name(), "block:cancelled");
        assert_eq!(story.run.open_blocks().count(), 0);
    }
}
