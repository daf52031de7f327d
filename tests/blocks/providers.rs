//! ENRICH and SKIP_TRACE against the sandbox: matches, failures, and answers that are paid once.

use luci_leads::lead::line::FailedLine;
use luci_sandbox::Fault;
use luci_schema::{FailureCode, Stage, event::BlockInput};

use super::fixture::{fixture, input, outputs};

/// Leads that both providers can be asked about.
pub fn people(count: u32) -> String {
    let row = |n| format!("Firm {n},Ann,Lee{n},ann{n}@firm{n}.example,{n} Main St,Albany,NY,12207\n");
    let rows: String = (1..=count).map(row).collect();
    format!("Company,First Name,Last Name,Email,Address,City,State,Zip\n{rows}")
}

#[tokio::test]
async fn matches_are_merged_stored_and_paid_once() {
    let fixture = fixture().await;
    let run = fixture.import(people(40)).await;
    let all = run.through(Stage::Assign).await;
    let (enriched, traced) = (&all[&Stage::Enrich], &all[&Stage::SkipTrace]);
    assert_eq!((enriched.counts().processed(), traced.counts().processed()), (40, 40));
    let matches = enriched.counts().success;
    assert!(matches > 20 && matches < 40, "{matches}");
    assert_eq!(enriched.reports[0].cost_micros, matches * 100_000);
    assert_eq!(fixture.count("select count(*) from contacts").await, matches as i64);
    let completed = "select count(*) from leads where enrichment_status = 'completed'";
    assert!(fixture.count(completed).await >= matches as i64);
    let paid = fixture.sandbox.ledger();
    for (block, report) in enriched.tasks.iter().zip(&enriched.reports) {
        assert_eq!(run.block(block).await.expect("again"), *report);
    }
    assert_eq!(fixture.sandbox.ledger(), paid, "nothing was asked again");
    let leads = fixture.leads(traced.artifacts("skip-traced")[0]).await;
    assert!(leads.iter().any(|lead| lead.matched_by == ["apollo", "realestate"]));
    assert!(leads.iter().flat_map(|lead| &lead.phones).all(|phone| phone.number.len() == 12));
}

#[tokio::test]
async fn a_lead_that_fails_leaves_and_the_others_go_on() {
    let fixture = fixture().await;
    let run = fixture.import(people(40)).await;
    let validated = run.through(Stage::Validate).await;
    fixture.sandbox.fault_next(Fault::Unavailable, 1);
    let enriched = run.stage(Stage::Enrich, outputs(&validated[&Stage::Validate], Stage::Validate)).await;
    assert_eq!(enriched.counts().failed, 10, "one call of ten people");
    assert_eq!(enriched.reports[0].failures[&FailureCode::ApiError], 10);
    let failed = enriched.artifacts("failed")[0];
    let line: FailedLine = serde_json::from_str(&fixture.lines(failed).await[0]).expect("a failed line");
    assert_eq!((line.code, line.lead_id), (FailureCode::ApiError, line.lead.lead_id));
    // Sent again, as a retry of the block does.
    let again = run.stage(Stage::Enrich, vec![input(failed)]).await;
    assert_eq!((again.counts().input, again.counts().failed), (10, 0));
}

#[tokio::test]
async fn a_block_in_which_every_lead_failed_failed() {
    let fixture = fixture().await;
    let mut csv = people(20);
    csv.push_str("Nobody Inc,,,,1 Elm St,Albany,NY,12207\n");
    let run = fixture.import(csv).await;
    let validated = run.through(Stage::Validate).await;
    for (stage, fault, code, retryable) in [
        (Stage::Enrich, Fault::NoCredits, FailureCode::Auth, false),
        (Stage::SkipTrace, Fault::RateLimited, FailureCode::RateLimit, true),
    ] {
        fixture.sandbox.fault_next(fault, 100);
        let input = outputs(&validated[&Stage::Validate], Stage::Validate).remove(0);
        let fault = run.block(&run.queued(stage, input)).await.expect_err("all failed");
        assert_eq!((fault.failure.code, fault.failure.retryable), (code, retryable), "{stage}");
        let counts = fault.report.counts;
        assert_eq!((counts.failed, counts.skipped, counts.input), (20, 1, 21));
        let kinds: Vec<_> = fault.report.artifacts.iter().map(|a| (a.artifact_type.as_str(), a.leads)).collect();
        assert_eq!(kinds, [(stage.artifact_type(), 1), ("failed", 20)]);
        clear(&fixture).await;
    }
}

/// Uses up the sandbox's remaining faults.
async fn clear(fixture: &super::fixture::Fixture) {
    let run = fixture.import(people(1)).await;
    let validated = run.through(Stage::Validate).await;
    let inputs: Vec<BlockInput> = outputs(&validated[&Stage::Validate], Stage::Validate);
    for _ in 0..200 {
        if run.block(&run.queued(Stage::Enrich, inputs[0].clone())).await.is_ok() {
            return;
        }
    }
    panic!("the sandbox does not get well");
}

#[tokio::test]
async fn numbers_from_another_provider_are_verified_where_the_blueprint_says_so() {
    let fixture = fixture().await;
    let mut run = fixture.import(people(20)).await;
    run.configure(Stage::SkipTrace, serde_json::json!({"provider": "tracerfy", "verify": "trestle"}));
    let all = run.through(Stage::SkipTrace).await;
    let ledger = fixture.sandbox.ledger();
    let (traced, verified) = (ledger.providers["tracerfy"], ledger.providers["trestle"]);
    assert_eq!((traced.asked, ledger.providers.contains_key("realestate")), (20, false));
    assert!(verified.billed > 0);
    let cost: u64 = all[&Stage::SkipTrace].reports.iter().map(|report| report.cost_micros).sum();
    assert_eq!(cost, traced.billed * 20_000 + verified.billed * 15_000);
    let leads = fixture.leads(all[&Stage::SkipTrace].artifacts("skip-traced")[0]).await;
    assert!(leads.iter().any(|lead| lead.matched_by.contains(&"tracerfy".to_owned())));
    run.configure(Stage::SkipTrace, serde_json::json!({"verify": "equifax"}));
    let inputs = outputs(&all[&Stage::Enrich], Stage::Enrich);
    let fault = run.block(&run.queued(Stage::SkipTrace, inputs[0].clone())).await.expect_err("no such verifier");
    assert_eq!(fault.failure.code, FailureCode::Validation);
}
