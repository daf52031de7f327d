//! Tracerfy's queues: one upload, however often its answers are polled and whatever answer was lost.

use std::{sync::Arc, time::Duration};

use luci_leads::enrich::query::TraceQuery;
use luci_providers::{LookupContext, ProviderName, Providers, RetryPolicy, delete_old_traces};
use luci_sandbox::Fault;
use luci_schema::{ArtifactId, FailureCode, migrate};

use super::fixture::{Fixture, addresses, at_once};
use crate::support::database;

const UPLOAD: &str = "/v1/api/trace/";
const QUEUE: &str = "/v1/api/queue/";
const LIST: &str = "/v1/api/queues/";

/// Gives up after 20 ms.
fn hasty(fixture: &Fixture) -> Arc<Providers> {
    fixture
        .with(fixture.sandbox.key(), RetryPolicy { poll_timeout: Duration::from_millis(20), retries: 0, ..at_once() })
}

/// The number of answers to a request of a new release.
async fn answered(fixture: &Fixture, providers: &Providers, queries: &[TraceQuery]) -> usize {
    let asking = LookupContext { release: ArtifactId::generate(), ..fixture.request() };
    let answers = providers.skip_trace(asking, ProviderName::TRACERFY, queries).await;
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// Cancels a request after its first poll of a pending queue; afterwards the queue completes.
async fn killed_while_it_looks(fixture: &Fixture, queries: &[TraceQuery]) {
    fixture.sandbox.leave_queues_pending(true);
    let looking = fixture.providers.skip_trace(fixture.request(), ProviderName::TRACERFY, queries);
    let looked = async {
        while fixture.calls(QUEUE) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = looking => panic!("the queue is pending"),
        () = looked => {}
    }
    fixture.sandbox.leave_queues_pending(false);
}

#[tokio::test]
async fn a_queue_that_took_too_long_is_read_by_the_next_attempt() {
    let fixture = Fixture::new().await;
    let (providers, queries) = (hasty(&fixture), addresses(40));
    fixture.sandbox.leave_queues_pending(true);
    let answers = providers.skip_trace(fixture.request(), ProviderName::TRACERFY, &queries[..30]).await;
    for error in answers.iter().map(|answer| answer.as_ref().expect_err("pending")) {
        assert_eq!((error.code, error.reason.as_str()), (FailureCode::Timeout, "queue_pending"));
    }
    assert_eq!(answered(&fixture, &providers, &queries[..30]).await, 0, "still pending");
    fixture.sandbox.leave_queues_pending(false);
    // Ten more than before: they are uploaded, the others read.
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 40);
    assert_eq!(fixture.calls(UPLOAD), 2);
    let ledger = fixture.sandbox.ledger();
    assert_eq!((ledger.asked, ledger.asked_twice()), (40, vec![]), "each is uploaded once");
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_looks_leaves_its_queue_to_the_next() {
    let fixture = Fixture::new().await;
    let queries = addresses(12);
    killed_while_it_looks(&fixture, &queries).await;
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!((fixture.calls(UPLOAD), fixture.sandbox.ledger().asked_twice()), (1, vec![]));
}

#[tokio::test]
async fn a_queue_that_the_provider_no_longer_has_is_uploaded_again() {
    let fixture = Fixture::new().await;
    let (providers, queries) = (hasty(&fixture), addresses(12));
    fixture.sandbox.leave_queues_pending(true);
    assert_eq!(answered(&fixture, &providers, &queries).await, 0);
    fixture.sandbox.leave_queues_pending(false);
    fixture.sandbox.forget_queues();
    assert_eq!(
        answered(&fixture, &fixture.providers, &queries).await,
        0,
        "the provider reports that the queue is gone"
    );
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!(fixture.calls(UPLOAD), 2);
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_found_and_not_paid_again() {
    let fixture = Fixture::new().await;
    let queries = addresses(12);
    fixture.sandbox.fault_next(Fault::Lost, 1);
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!((fixture.calls(UPLOAD), fixture.sandbox.ledger().asked_twice()), (1, vec![]));
    // It is recorded from then on: the next attempt makes no call.
    let looks = fixture.calls(QUEUE);
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!((fixture.calls(UPLOAD), fixture.calls(QUEUE)), (1, looks));
}

#[tokio::test]
async fn an_upload_of_a_killed_process_is_used_by_the_next() {
    let fixture = Fixture::new().await;
    let queries = addresses(12);
    fixture.sandbox.fault_next(Fault::Lost, 1);
    killed_while_it_looks(&fixture, &queries).await;
    // One more than before: it alone is uploaded.
    let more: Vec<TraceQuery> = queries.into_iter().chain(addresses(13).into_iter().skip(12)).collect();
    assert_eq!(answered(&fixture, &fixture.providers, &more).await, 13);
    let ledger = fixture.sandbox.ledger();
    assert_eq!((fixture.calls(UPLOAD), ledger.asked, ledger.asked_twice()), (2, 13, vec![]));
}

#[tokio::test]
async fn an_upload_that_is_found_for_some_of_its_people_is_found_for_all() {
    let fixture = Fixture::new().await;
    let queries = addresses(12);
    fixture.sandbox.fault_next(Fault::Lost, 1);
    killed_while_it_looks(&fixture, &queries).await;
    // As when a limit allows fewer at once.
    assert_eq!(answered(&fixture, &fixture.providers, &queries[..6]).await, 6);
    assert_eq!(answered(&fixture, &fixture.providers, &queries[6..]).await, 6);
    assert_eq!((fixture.calls(UPLOAD), fixture.sandbox.ledger().asked_twice()), (1, vec![]));
}

#[tokio::test]
async fn an_upload_that_was_not_taken_is_made_by_the_next_attempt() {
    let fixture = Fixture::new().await;
    let queries = addresses(12);
    fixture.sandbox.fault_next(Fault::Garbage, 1);
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::TRACERFY, &queries).await;
    for error in answers.iter().map(|answer| answer.as_ref().expect_err("unknown")) {
        assert_eq!((error.code, error.reason.as_str()), (FailureCode::ApiError, "bad_answer"));
    }
    assert_eq!((fixture.calls(UPLOAD), fixture.calls(LIST)), (1, 1), "looked for, and not made again at once");
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!((fixture.calls(UPLOAD), fixture.calls(LIST)), (2, 2));
}

#[tokio::test]
async fn an_upload_that_was_refused_is_made_again_at_once() {
    let fixture = Fixture::new().await;
    fixture.sandbox.fault_next(Fault::Unavailable, 1);
    assert_eq!(answered(&fixture, &fixture.providers, &addresses(12)).await, 12);
    assert_eq!((fixture.calls(UPLOAD), fixture.calls(LIST)), (2, 0));
}

#[tokio::test]
async fn a_queue_of_as_many_rows_that_is_somebody_elses_is_not_taken_for_ones_own() {
    let fixture = Fixture::new().await;
    let mut queries = addresses(24);
    let others = queries.split_off(12);
    // Another installation on the same account.
    let elsewhere = database().await;
    let pool = migrate::connect(elsewhere.url(), migrate::DatabaseRole::Engine, 4).await.expect("a pool");
    let other = Fixture::door(&fixture.sandbox, &pool, fixture.sandbox.key(), at_once());
    fixture.sandbox.fault_next(Fault::Lost, 1);
    assert_eq!(answered(&fixture, &other, &others).await, 12);
    fixture.sandbox.fault_next(Fault::Garbage, 1);
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 0, "not taken, and not answered by the other's");
    assert_eq!(answered(&fixture, &fixture.providers, &queries).await, 12);
    assert_eq!(fixture.sandbox.ledger().asked_twice(), Vec::<String>::new());
}

#[tokio::test]
async fn old_uploads_are_deleted() {
    let fixture = Fixture::new().await;
    assert_eq!(answered(&fixture, &fixture.providers, &addresses(12)).await, 12);
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let aged = "update trace_queues set created_at = now() - interval '25 hours'
                 where lead_id in (select lead_id from trace_queues order by lead_id limit 5)";
    sqlx::query(aged).execute(&mut *c).await.expect("aged");
    assert_eq!(delete_old_traces(&mut c).await.expect("deleted"), 5);
    assert_eq!(delete_old_traces(&mut c).await.expect("deleted"), 0);
    let left: i64 = sqlx::query_scalar("select count(*) from trace_queues").fetch_one(&mut *c).await.expect("a count");
    assert_eq!(left, 7);
}
