//! The budget: what it holds back, what it waits for, and how it is raised.

use luci_schema::{FailureCode, Stage};

use super::{
    given::{GOOD, queued},
    story::Story,
};
use crate::run::{Refusal, RunCommand, RunStatus, Waiting};

/// IMPORT and ENRICH, three micro-dollars a lead found, blocks of ten.
fn story(leads: u64, window: u32, budget: u64) -> Story {
    let mut given = queued(&[Stage::Import, Stage::Enrich], leads, 10, window);
    given.prices.most_per_lead = [(Stage::Enrich, 3)].into();
    given.budget_micros = Some(budget);
    let mut story = Story::new(given);
    story.ask(RunCommand::Start).unwrap();
    story
}

#[test]
fn a_run_pauses_before_the_block_that_could_exceed_its_budget() {
    let mut story = story(30, 1, 70);
    story.settle(GOOD);
    assert_eq!(story.run.status(), RunStatus::Paused);
    let waits = Waiting::Budget { spent_micros: 60, budget_micros: 70, missing_micros: 20 };
    assert_eq!(story.run.waiting(), Some(waits));
    assert_eq!(story.ask(RunCommand::Resume), Err(Refusal::OverBudget { missing_micros: 20 }));
    assert_eq!(story.ask(RunCommand::ResumeWith { budget_micros: 89 }), Err(Refusal::OverBudget { missing_micros: 1 }));
    let resumed = story.ask(RunCommand::ResumeWith { budget_micros: 90 }).unwrap();
    assert_eq!(Story::types(&resumed), ["run:resumed", "block:queued"]);
    story.settle(GOOD);
    assert_eq!((story.run.status(), story.run.totals().cost_micros), (RunStatus::Completed, 90));
}

#[test]
fn blocks_in_flight_hold_back_what_they_may_spend() {
    let mut story = story(40, 4, 60);
    while story.in_stage(Stage::Import).len() + story.in_stage(Stage::Enrich).len() > 2
        || !story.in_stage(Stage::Import).is_empty()
    {
        let import = story.in_stage(Stage::Import)[0];
        story.complete(import, GOOD).unwrap();
    }
    assert_eq!(story.in_stage(Stage::Enrich).len(), 2, "a third could exceed the budget");
    assert_eq!(story.run.status(), RunStatus::Running, "what is in flight goes on");
    story.complete(story.in_stage(Stage::Enrich)[0], super::given::BAD).unwrap();
    assert_eq!(story.in_stage(Stage::Enrich).len(), 2, "what it did not spend is free again");
}

#[test]
fn a_retry_needs_no_more_than_its_unanswered_leads_can_cost() {
    let mut story = story(10, 1, 30);
    story.complete(story.in_flight()[0], GOOD).unwrap();
    let id = story.in_stage(Stage::Enrich)[0];
    story.begin(id).unwrap();
    let mut completion = story.completion(&story.delivery(id), Some(1), GOOD);
    completion.report.cost_micros = 24;
    completion.report.artifacts.clear();
    let failure = luci_schema::Failure::new(FailureCode::Auth, "out of credits");
    story.ask(RunCommand::FailBlock(Box::new(completion), failure)).unwrap();
    assert_eq!(story.run.status(), RunStatus::Failed);
    let retried = story.ask(RunCommand::RetryRun).unwrap();
    assert_eq!(Story::types(&retried), ["run:resumed", "block:retried", "block:queued"], "6 are left for 2 leads");
    story.settle(GOOD);
    assert_eq!((story.run.status(), story.run.totals().cost_micros), (RunStatus::Completed, 30));
}

#[test]
fn a_budget_is_not_set_below_what_is_spent() {
    let mut story = story(30, 1, 1_000);
    story.complete(story.in_flight()[0], GOOD).unwrap();
    story.complete(story.in_stage(Stage::Enrich)[0], GOOD).unwrap();
    assert!(matches!(story.ask(RunCommand::ResumeWith { budget_micros: 5 }), Err(Refusal::Illegal { .. })));
    story.ask(RunCommand::Pause).unwrap();
    assert_eq!(story.ask(RunCommand::ResumeWith { budget_micros: 5 }), Err(Refusal::OverBudget { missing_micros: 25 }));
    story.ask(RunCommand::ResumeWith { budget_micros: 2_000 }).unwrap();
    assert_eq!(story.ask(RunCommand::ResumeWith { budget_micros: 2_000 }), Ok(vec![]), "in effect already");
}
