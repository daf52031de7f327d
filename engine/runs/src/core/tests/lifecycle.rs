//! Which command is possible in which status, and its events.

use luci_schema::Stage;

use crate::core::{
    DecideError, Refusal, RunCommand, RunStatus,
    tests::{
        fixture::{GOOD, queued},
        scenario::Scenario,
    },
};

/// A run in each status, with a block pending and one running where that can be.
fn in_status(status: RunStatus) -> Scenario {
    let mut scenario = Scenario::new(queued(&Stage::ALL, 20, 5, 3));
    if status == RunStatus::Queued {
        return scenario;
    }
    scenario.issue(RunCommand::Start).unwrap();
    match status {
        RunStatus::Queued | RunStatus::Running => {}
        RunStatus::Paused => drop(scenario.issue(RunCommand::Pause).unwrap()),
        RunStatus::Cancelled => drop(scenario.issue(RunCommand::Cancel).unwrap()),
        RunStatus::Completed => scenario.settle(GOOD),
        RunStatus::Failed => {
            let id = scenario.in_flight()[0];
            scenario.fail(id, luci_schema::FailureCode::Validation).unwrap();
        }
    }
    assert_eq!(scenario.run.status(), status);
    scenario
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
        let mut scenario = in_status(*status);
        let got = scenario.issue(command.clone());
        match (expected, got) {
            (None, Err(Refusal::Illegal { status: refused, .. })) => assert_eq!(refused, *status),
            (Some(types), Ok(events)) => {
                assert_eq!(Scenario::types(&events).join(" "), *types, "{status:?} {command:?}")
            }
            (_, got) => panic!("{status:?} {command:?}: {got:?}"),
        }
    }
}

#[test]
fn a_deleted_run_refuses_every_command() {
    let mut scenario = in_status(RunStatus::Failed);
    scenario.issue(RunCommand::Delete).unwrap();
    for command in [RunCommand::Delete, RunCommand::RetryRun, RunCommand::Cancel, RunCommand::Start] {
        assert_eq!(scenario.issue(command), Err(Refusal::Deleted));
    }
}

#[test]
fn a_run_that_was_not_queued_is_missing() {
    let context =
        crate::core::Context { now: luci_schema::Micros(0), seed: ulid::Ulid(1), actor: luci_schema::Actor::System };
    let refused = crate::core::decide(&crate::core::Run::default(), &RunCommand::Start, &context);
    assert_eq!(refused, Err(Refusal::Missing.into()));
}

#[test]
fn a_run_is_checked_when_it_is_queued() {
    let queue = |change: &dyn Fn(&mut luci_schema::event::RunQueued)| {
        let mut queued = queued(&Stage::ALL, 20, 5, 3);
        change(&mut queued);
        let context = crate::core::Context {
            now: luci_schema::Micros(0),
            seed: ulid::Ulid(1),
            actor: luci_schema::Actor::System,
        };
        crate::core::decide(&crate::core::Run::default(), &RunCommand::Queue(Box::new(queued)), &context)
    };
    assert!(queue(&|_| ()).is_ok());
    assert_eq!(queue(&|q| q.total_leads = 2_001), Err(Refusal::TooManyLeads { leads: 2_001, max_leads: 2_000 }.into()));
    assert!(matches!(queue(&|q| q.stages.clear()), Err(DecideError::Refused(Refusal::Invalid(_)))));
    assert!(matches!(queue(&|q| drop(q.stages.remove(0))), Err(DecideError::Refused(Refusal::Invalid(_)))));
    assert!(matches!(queue(&|q| q.stages.push(q.stages[1].clone())), Err(DecideError::Refused(Refusal::Invalid(_)))));
    assert!(matches!(queue(&|q| q.options.block_size = 0), Err(DecideError::Refused(Refusal::Invalid(_)))));
    assert!(matches!(queue(&|q| q.options.window = 0), Err(DecideError::Refused(Refusal::Invalid(_)))));
}

#[test]
fn queueing_the_same_run_again_is_in_effect_already() {
    let mut scenario = in_status(RunStatus::Running);
    let again = RunCommand::Queue(Box::new(queued(&Stage::ALL, 20, 5, 3)));
    assert_eq!(scenario.issue(again), Ok(vec![]));
    let other = RunCommand::Queue(Box::new(queued(&Stage::ALL, 21, 5, 3)));
    assert!(matches!(scenario.issue(other), Err(Refusal::Illegal { .. })));
}

#[test]
fn a_pause_releases_nothing_and_refuses_starts_until_resume_queues_again() {
    let mut scenario = Scenario::started(20, 5, 2);
    let import = scenario.in_flight()[0];
    scenario.begin(import).unwrap();
    scenario.issue(RunCommand::Pause).unwrap();
    let recorded = scenario.complete(import, GOOD).unwrap();
    assert_eq!(Scenario::types(&recorded), ["block:completed"], "running blocks finish and are recorded");

    scenario.issue(RunCommand::Resume).unwrap();
    let pending = scenario.in_flight();
    let old = scenario.delivery(pending[0]);
    scenario.issue(RunCommand::Pause).unwrap();
    assert!(matches!(scenario.begin(pending[0]), Err(Refusal::Illegal { status: RunStatus::Paused, .. })));
    let resumed = scenario.issue(RunCommand::Resume).unwrap();
    assert_eq!(Scenario::types(&resumed), ["run:resumed", "block:queued", "block:queued"]);
    assert_eq!(scenario.in_flight(), pending, "the same blocks");
    let stale = RunCommand::StartBlock { block: pending[0], queued: old.1, after: 0, provider: "internal".into() };
    assert_eq!(scenario.issue(stale), Err(Refusal::Stale), "the earlier delivery is fenced");
    scenario.begin(pending[0]).unwrap();
}

#[test]
fn a_worker_that_missed_another_start_does_not_fence_it() {
    let mut scenario = Scenario::started(20, 5, 2);
    let import = scenario.in_flight()[0];
    scenario.begin_after(import, 0).unwrap();
    assert_eq!(scenario.begin_after(import, 0), Err(Refusal::Stale), "two workers got the same delivery");
    assert_eq!(
        Scenario::types(&scenario.begin_after(import, 1).unwrap()),
        ["block:started"],
        "the first worker is known to be gone"
    );
}

#[test]
fn a_block_started_before_the_pause_whose_worker_died_is_started_again() {
    let mut scenario = Scenario::started(20, 5, 2);
    let import = scenario.in_flight()[0];
    scenario.begin(import).unwrap();
    scenario.issue(RunCommand::Pause).unwrap();
    assert_eq!(Scenario::types(&scenario.begin(import).unwrap()), ["block:started"]);
    scenario.complete(import, GOOD).unwrap();
}

#[test]
fn cancel_closes_blocks_not_started_and_running_blocks_record_what_they_spent() {
    let mut scenario = Scenario::started(20, 5, 3);
    scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
    let [running, pending] = scenario.in_flight()[..] else { panic!("{:?}", scenario.in_flight()) };
    scenario.begin(running).unwrap();
    let cancelled = scenario.issue(RunCommand::Cancel).unwrap();
    assert_eq!(Scenario::types(&cancelled), ["block:cancelled", "run:cancelled"]);
    assert!(scenario.run.open_block(pending).is_none());
    let spent = scenario.run.totals().cost_micros;
    let late = scenario.complete(running, GOOD).unwrap();
    assert_eq!(Scenario::types(&late), ["block:cancelled"]);
    assert_eq!(scenario.run.totals().cost_micros, spent + 15);
    assert_eq!(scenario.run.status(), RunStatus::Cancelled);
    assert_eq!(scenario.complete(running, GOOD), Err(Refusal::Stale));
}

#[test]
fn a_cancelled_run_closes_a_running_block_that_is_delivered_again_and_delete_closes_the_rest() {
    for command in [None, Some(RunCommand::Delete)] {
        let mut scenario = Scenario::started(20, 5, 3);
        let running = scenario.in_flight()[0];
        scenario.begin(running).unwrap();
        scenario.issue(RunCommand::Cancel).unwrap();
        let closed = match command {
            None => scenario.begin(running).unwrap(),
            Some(delete) => scenario.issue(delete).unwrap(),
        };
        assert_eq!(closed[0].type_name(), "block:cancelled");
        assert_eq!(scenario.run.open_blocks().count(), 0);
    }
}
