//! Answers of many calls written by one statement.

use futures::future::join_all;
use luci_engine::provider::{Filing, FilingError, Paid, PaidCall};
use luci_schema::{ArtifactId, LeadId, Stage};

use super::ground::Ground;

fn paid(lead_id: LeadId, paid_by: ArtifactId) -> Paid {
    let (request_digest, outcome) = ("0".repeat(64), "null".to_owned());
    Paid { lead_id, request_digest, outcome, cost_micros: 10, paid_by: Some(paid_by) }
}

fn call(ground: &Ground, answers: Vec<Paid>) -> PaidCall {
    PaidCall { tenant: ground.tenant, root_run: ground.run, stage: Stage::Enrich, provider: "apollo", answers }
}

async fn costs(ground: &Ground) -> (i64, i64, i64) {
    let sums = "select count(*), sum(cost_micros)::bigint, sum(paid_again_micros)::bigint from provider_results";
    sqlx::query_as(sums).fetch_one(&ground.pool).await.expect("sums")
}

#[tokio::test]
async fn calls_that_come_together_are_all_written_and_what_was_paid_twice_is_counted() {
    let ground = Ground::new().await;
    let filing = Filing::new(ground.pool.clone());
    let leads: Vec<LeadId> = (0..50).map(|_| LeadId::generate()).collect();
    let of_a_block = |release| leads.chunks(10).map(move |ten| ten.iter().map(|lead| paid(*lead, release)).collect());
    let other = ArtifactId::generate();
    let calls = of_a_block(ground.release).chain(of_a_block(other)).map(|answers| filing.file(call(&ground, answers)));
    for written in join_all(calls).await {
        written.expect("written");
    }
    assert_eq!(costs(&ground).await, (50, 500, 500));
}

#[tokio::test]
async fn a_call_that_cannot_be_written_takes_no_other_with_it() {
    let ground = Ground::new().await;
    let filing = Filing::new(ground.pool.clone());
    let calls = (0..9).map(|n| {
        let good = paid(LeadId::generate(), ground.release);
        let outcome = if n == 4 { "{" } else { "null" };
        filing.file(call(&ground, vec![Paid { outcome: outcome.into(), ..good }]))
    });
    for (n, written) in join_all(calls).await.into_iter().enumerate() {
        match written {
            Ok(()) => assert_ne!(n, 4),
            Err(FilingError::Database(error)) => assert!(n == 4 && error.as_database_error().is_some(), "{n}: {error}"),
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert_eq!(costs(&ground).await, (8, 80, 0));
}

#[tokio::test]
async fn what_was_paid_is_written_though_nobody_waits_for_it() {
    let ground = Ground::new().await;
    let filing = Filing::new(ground.pool.clone());
    let mut given_up = Box::pin(filing.file(call(&ground, vec![paid(LeadId::generate(), ground.release)])));
    assert!(futures::poll!(&mut given_up).is_pending());
    drop(given_up);
    filing.file(call(&ground, vec![paid(LeadId::generate(), ground.release)])).await.expect("written");
    assert_eq!(costs(&ground).await, (2, 20, 0));
}
