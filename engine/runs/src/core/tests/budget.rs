//! The budget: what it reserves, when it pauses the run, and how it is raised.

use luci_schema::{FailureCode, Stage};

use crate::core::{
    Refusal, RunCommand, RunStatus, WaitingFor,
    tests::{
        fixture::{GOOD, queued},
        scenario::Scenario,
    },
};

/// IMPORT and ENRICH, three micro-dollars a lead found, blocks of ten.
fn scenario(leads: u64, window: u32, budget: u64) -> Scenario {
    let mut run = queued(&[Stage::Import, Stage::Enrich], leads, 10, window);
    run.prices.most_per_lead = [(Stage::Enrich, 3)].into();
    run.budget_micros = Some(budget);
    let mut scenario = Scenario::new(run);
    scenario.issue(RunCommand::Start).unwrap();
    scenario
}

#[test]
fn a_run_pauses_before_the_block_that_could_exceed_its_budget() {
    let mut scenario = scenario(30, 1, 70);
    scenario.settle(GOOD);
    assert_eq!(scenario.run.status(), RunStatus::Paused);
    let waiting_for = WaitingFor::Budget { spent_micros: 60, budget_micros: 70, missing_micros: 20 };
    assert_eq!(scenario.run.waiting_for(), Some(waiting_for));
    assert_eq!(scenario.issue(RunCommand::Resume), Err(Refusal::OverBudget { missing_micros: 20 }));
    assert_eq!(
        scenario.issue(RunCommand::ResumeWith { budget_micros: 89 }),
        Err(Refusal::OverBudget { missing_micros: 1 })
    );
    let resumed = scenario.issue(RunCommand::ResumeWith { budget_micros: 90 }).unwrap();
    assert_eq!(Scenario::types(&resumed), ["run:resumed", "block:queued"]);
    scenario.settle(GOOD);
    assert_eq!((scenario.run.status(), scenario.run.totals().cost_micros), (RunStatus::Completed, 90));
}

#[test]
fn blocks_in_flight_reserve_what_they_may_spend() {
    let mut scenario = scenario(40, 4, 60);
    while scenario.in_stage(Stage::Import).len() + scenario.in_stage(Stage::Enrich).len() > 2
        || !scenario.in_stage(Stage::Import).is_empty()
    {
        let import = scenario.in_stage(Stage::Import)[0];
        scenario.complete(import, GOOD).unwrap();
    }
    assert_eq!(scenario.in_stage(Stage::Enrich).len(), 2, "a third could exceed the budget");
    assert_eq!(scenario.run.status(), RunStatus::Running, "blocks in flight continue");
    scenario.complete(scenario.in_stage(Stage::Enrich)[0], crate::core::tests::fixture::BAD).unwrap();
    assert_eq!(scenario.in_stage(Stage::Enrich).len(), 2, "what it did not spend is available again");
}

#[test]
fn a_retry_needs_no_more_than_its_unanswered_leads_can_cost() {
    let mut scenario = scenario(10, 1, 30);
    scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
    let id = scenario.in_stage(Stage::Enrich)[0];
    scenario.begin(id).unwrap();
    let mut completion = scenario.completion(&scenario.delivery(id), Some(1), GOOD);
    completion.report.cost_micros = 24;
    completion.report.artifacts.clear();
    let failure = luci_schema::Failure::new(FailureCode::Auth, "out of credits");
    scenario.issue(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    assert_eq!(scenario.run.status(), RunStatus::Failed);
    let retried = scenario.issue(RunCommand::RetryRun).unwrap();
    assert_eq!(Scenario::types(&retried), ["run:resumed", "block:retried", "block:queued"], "6 are left for 2 leads");
    scenario.settle(GOOD);
    assert_eq!((scenario.run.status(), scenario.run.totals().cost_micros), (RunStatus::Completed, 30));
}

#[test]
fn a_budget_cannot_be_set_below_the_cost() {
    let mut scenario = scenario(30, 1, 1_000);
    scenario.complete(scenario.in_flight()[0], GOOD).unwrap();
    scenario.complete(scenario.in_stage(Stage::Enrich)[0], GOOD).unwrap();
    assert!(matches!(scenario.issue(RunCommand::ResumeWith { budget_micros: 5 }), Err(Refusal::Illegal { .. })));
    scenario.issue(RunCommand::Pause).unwrap();
    assert_eq!(
        scenario.issue(RunCommand::ResumeWith { budget_micros: 5 }),
        Err(Refusal::OverBudget { missing_micros: 25 })
    );
    scenario.issue(RunCommand::ResumeWith { budget_micros: 2_000 }).unwrap();
    assert_eq!(scenario.issue(RunCommand::ResumeWith { budget_micros: 2_000 }), Ok(vec![]), "in effect already");
}
