//! Answers of many calls written by one statement.

use futures::future::join_all;
use luci_providers::{
    BegunCall, PaidAnswer, PaidCall, StoredCost,
    result_writer::{ResultWriter, ResultWriterError},
};
use luci_schema::{ArtifactId, LeadId, LookupId, Stage};

use super::fixture::Fixture;

fn paid(lead_id: LeadId, paid_by: ArtifactId) -> PaidAnswer {
    let (request_digest, outcome) = ("0".repeat(64), "null".to_owned());
    PaidAnswer { lead_id, request_digest, outcome, cost_micros: 10, paid_by: Some(paid_by) }
}

fn call(fixture: &Fixture, answers: Vec<PaidAnswer>) -> PaidCall {
    let (id, stage, provider) = (LookupId::generate(), Stage::Enrich, "apollo");
    PaidCall { id: Some(id), tenant: fixture.tenant, root_run: fixture.run, stage, provider, unanswered: 0, answers }
}

/// As it is recorded before its request.
fn begun(call: &PaidCall) -> BegunCall {
    let queries = call.answers.iter().map(|paid| (paid.lead_id, paid.request_digest.clone())).collect();
    let PaidCall { id, tenant, root_run, stage, provider, .. } = call;
    BegunCall {
        id: id.expect("one"),
        tenant: *tenant,
        root_run: *root_run,
        stage: *stage,
        provider,
        price_micros: 10,
        queries,
    }
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
    let calls: Vec<PaidCall> =
        of_a_block(fixture.release).chain(of_a_block(other)).map(|answers| call(&fixture, answers)).collect();
    for begun in join_all(calls.iter().map(|call| writer.begin(begun(call)))).await {
        assert!(begun.expect("recorded").iter().all(Option::is_none));
    }
    for written in join_all(calls.into_iter().map(|call| writer.write(call))).await {
        written.expect("written");
    }
    assert_eq!(costs(&fixture).await, (50, 500, 500));
    assert_eq!(open(&fixture).await, 0, "every call is over");
}

/// Queries of calls without an answer.
async fn open(fixture: &Fixture) -> i64 {
    sqlx::query_scalar("select count(*) from provider_calls").fetch_one(&fixture.pool).await.expect("a count")
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_counted_when_it_is_repeated_also_by_the_same_release() {
    let fixture = Fixture::new().await;
    let writer = ResultWriter::new(fixture.pool.clone());
    let lead = LeadId::generate();
    let of_release = || call(&fixture, vec![paid(lead, fixture.release)]);
    let (killed, paused, last) = (of_release(), of_release(), of_release());
    for call in [&killed, &paused, &last] {
        assert_eq!(writer.begin(begun(call)).await.expect("recorded"), [None]);
    }
    // One was killed, one sleeps: both may have been paid.
    let stored = writer.write(last.clone()).await.expect("written");
    assert_eq!(stored, [StoredCost { reported_micros: 30, again_micros: 20 }]);
    assert_eq!((costs(&fixture).await, open(&fixture).await), ((1, 10, 20), 0));
    // The sleeper's answer comes after all; a statement whose commit was not confirmed is executed again. Both count nothing.
    for late in [paused, last] {
        let stored = writer.write(late).await.expect("written");
        assert_eq!(stored, [StoredCost { reported_micros: 30, again_micros: 0 }]);
    }
    assert_eq!(costs(&fixture).await, (1, 10, 20));
    // What is stored is not asked for again.
    let known = writer.begin(begun(&of_release())).await.expect("recorded");
    assert_eq!((known[0].as_ref().map(|paid| paid.cost_micros), open(&fixture).await), (Some(30), 0));
}

#[tokio::test]
async fn requests_without_an_answer_are_counted_and_refused_ones_are_not() {
    let fixture = Fixture::new().await;
    let writer = ResultWriter::new(fixture.pool.clone());
    let lead = LeadId::generate();
    let of_release = || call(&fixture, vec![paid(lead, fixture.release)]);
    let (refused, unanswered) = (of_release(), of_release());
    for (call, tries) in [(&refused, 0), (&unanswered, 2)] {
        writer.begin(begun(call)).await.expect("recorded");
        let digest = &call.answers[0].request_digest;
        let queries: [(LeadId, &str); 1] = [(lead, digest)];
        let lineage = (call.tenant, call.root_run);
        writer.close(lineage, call.stage, call.id.expect("one"), (&queries, tries)).await.expect("closed");
    }
    let last = PaidCall { unanswered: 1, ..of_release() };
    writer.begin(begun(&last)).await.expect("recorded");
    // Two tries of an earlier call, one of its own, and the one that was answered.
    let stored = writer.write(last).await.expect("written");
    assert_eq!(stored, [StoredCost { reported_micros: 40, again_micros: 30 }]);
    assert_eq!(costs(&fixture).await, (1, 10, 30));
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
            Ok(_) => assert_ne!(n, 4),
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
