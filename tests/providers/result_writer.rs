//! Answers of many calls written by one statement.

use futures::future::join_all;
use luci_providers::{
    PaidAnswer, PaidCall,
    result_writer::{ResultWriter, ResultWriterError},
};
use luci_schema::{ArtifactId, LeadId, Stage};

use super::fixture::Fixture;

fn paid(lead_id: LeadId, paid_by: ArtifactId) -> PaidAnswer {
    let (request_digest, outcome) = ("0".repeat(64), "null".to_owned());
    PaidAnswer { lead_id, request_digest, outcome, cost_micros: 10, paid_by: Some(paid_by) }
}

fn call(fixture: &Fixture, answers: Vec<PaidAnswer>) -> PaidCall {
    PaidCall { tenant: fixture.tenant, root_run: fixture.run, stage: Stage::Enrich, provider: "apollo", answers }
}

async fn costs(fixture: &Fixture) -> (i64, i64, i64) {
    let sums = "select count(*), sum(cost_micros)::bigint, sum(paid_again_micros)::bigint from provider_results";
    sqlx::query_as(sums).fetch_one(&fixture.pool).await.expect("sums")
}

#[tokio::test]
async fn calls_that_come_together_are_all_written_and_what_was_paid_twice_is_counted() {
    let fixture = Fixture::new().await;
    let writer = ResultWriter::new(fixture.pool.clone());
    let leads: Vec<LeadId> = (0..50).map(|_| LeadId::generate()).collect();
    let of_a_block = |release| leads.chunks(10).map(move |ten| ten.iter().map(|lead| paid(*lead, release)).collect());
    let other = ArtifactId::generate();
    let calls =
        of_a_block(fixture.release).chain(of_a_block(other)).map(|answers| writer.write(call(&fixture, answers)));
    for written in join_all(calls).await {
        written.expect("written");
    }
    assert_eq!(costs(&fixture).await, (50, 500, 500));
}

#[tokio::test]
async fn a_call_that_cannot_be_written_takes_no_other_with_it() {
    let fixture = Fixture::new().await;
    let writer = ResultWriter::new(fixture.pool.clone());
    let calls = (0..9).map(|n| {
        let good = paid(LeadId::generate(), fixture.release);
        let outcome = if n == 4 { "{" } else { "null" };
        writer.write(call(&fixture, vec![PaidAnswer { outcome: outcome.into(), ..good }]))
    });
    for (n, written) in join_all(calls).await.into_iter().enumerate() {
        match written {
            Ok(()) => assert_ne!(n, 4),
            Err(ResultWriterError::Database(error)) => {
                assert!(n == 4 && error.as_database_error().is_some(), "{n}: {error}")
            }
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert_eq!(costs(&fixture).await, (8, 80, 0));
}

#[tokio::test]
async fn what_was_paid_is_written_though_nobody_waits_for_it() {
    let fixture = Fixture::new().await;
    let writer = ResultWriter::new(fixture.pool.clone());
    let mut given_up = Box::pin(writer.write(call(&fixture, vec![paid(LeadId::generate(), fixture.release)])));
    assert!(futures::poll!(&mut given_up).is_pending());
    drop(given_up);
    writer.write(call(&fixture, vec![paid(LeadId::generate(), fixture.release)])).await.expect("written");
    assert_eq!(costs(&fixture).await, (2, 20, 0));
}
