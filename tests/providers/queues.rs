//! Tracerfy's queues: one upload, however often its answers are looked for, and whatever was heard of it.

use std::{sync::Arc, time::Duration};

use luci::sandbox::Fault;
use luci_engine::provider::{Asking, ProviderName, Providers, RetryPolicy, TraceQuery, forget_old_traces};
use luci_schema::{ArtifactId, FailureCode, migrate};

use super::ground::{Ground, addresses, at_once};
use crate::support::database;

const UPLOAD: &str = "/v1/api/trace/";
const QUEUE: &str = "/v1/api/queue/";
const LIST: &str = "/v1/api/queues/";

/// Gives up after a moment.
fn hasty(ground: &Ground) -> Arc<Providers> {
    ground.with(ground.sandbox.key(), RetryPolicy { give_up: Duration::from_millis(20), retries: 0, ..at_once() })
}

/// How many were answered, asked by a release of its own.
async fn answered(ground: &Ground, providers: &Providers, asked: &[TraceQuery]) -> usize {
    let asking = Asking { release: ArtifactId::generate(), ..ground.asking() };
    let answers = providers.skip_trace(asking, ProviderName::Tracerfy, asked).await;
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// Asks, and is gone as soon as it has looked at a queue that is pending; afterwards none is.
async fn killed_while_it_looks(ground: &Ground, asked: &[TraceQuery]) {
    ground.sandbox.leave_queues_pending(true);
    let looking = ground.providers.skip_trace(ground.asking(), ProviderName::Tracerfy, asked);
    let looked = async {
        while ground.calls(QUEUE) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = looking => panic!("the queue is pending"),
        () = looked => {}
    }
    ground.sandbox.leave_queues_pending(false);
}

#[tokio::test]
async fn a_queue_that_took_too_long_is_read_by_the_next_attempt() {
    let ground = Ground::new().await;
    let (providers, asked) = (hasty(&ground), addresses(40));
    ground.sandbox.leave_queues_pending(true);
    let answers = providers.skip_trace(ground.asking(), ProviderName::Tracerfy, &asked[..30]).await;
    for error in answers.iter().map(|answer| answer.as_ref().expect_err("pending")) {
        assert_eq!((error.code, error.reason.as_str()), (FailureCode::Timeout, "queue_pending"));
    }
    assert_eq!(answered(&ground, &providers, &asked[..30]).await, 0, "still pending");
    ground.sandbox.leave_queues_pending(false);
    // Ten more than before: they are uploaded, the others read.
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 40);
    assert_eq!(ground.calls(UPLOAD), 2);
    let ledger = ground.sandbox.ledger();
    assert_eq!((ledger.asked, ledger.asked_twice()), (40, vec![]), "each is uploaded once");
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_looks_leaves_its_queue_to_the_next() {
    let ground = Ground::new().await;
    let asked = addresses(12);
    killed_while_it_looks(&ground, &asked).await;
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!((ground.calls(UPLOAD), ground.sandbox.ledger().asked_twice()), (1, vec![]));
}

#[tokio::test]
async fn a_queue_that_the_provider_no_longer_has_is_uploaded_anew() {
    let ground = Ground::new().await;
    let (providers, asked) = (hasty(&ground), addresses(12));
    ground.sandbox.leave_queues_pending(true);
    assert_eq!(answered(&ground, &providers, &asked).await, 0);
    ground.sandbox.leave_queues_pending(false);
    ground.sandbox.forget_queues();
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 0, "it is told that the queue is gone");
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!(ground.calls(UPLOAD), 2);
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_found_and_not_paid_again() {
    let ground = Ground::new().await;
    let asked = addresses(12);
    ground.sandbox.fault_next(Fault::Lost, 1);
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!((ground.calls(UPLOAD), ground.sandbox.ledger().asked_twice()), (1, vec![]));
    // Noted from then on: the next attempt asks for nothing at all.
    let looks = ground.calls(QUEUE);
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!((ground.calls(UPLOAD), ground.calls(QUEUE)), (1, looks));
}

#[tokio::test]
async fn a_process_that_is_killed_before_it_heard_of_its_upload_leaves_it_to_the_next() {
    let ground = Ground::new().await;
    let asked = addresses(12);
    ground.sandbox.fault_next(Fault::Lost, 1);
    killed_while_it_looks(&ground, &asked).await;
    // One more than before: it alone is uploaded.
    let more: Vec<TraceQuery> = asked.into_iter().chain(addresses(13).into_iter().skip(12)).collect();
    assert_eq!(answered(&ground, &ground.providers, &more).await, 13);
    let ledger = ground.sandbox.ledger();
    assert_eq!((ground.calls(UPLOAD), ledger.asked, ledger.asked_twice()), (2, 13, vec![]));
}

#[tokio::test]
async fn an_upload_that_is_found_for_some_of_its_people_is_found_for_all() {
    let ground = Ground::new().await;
    let asked = addresses(12);
    ground.sandbox.fault_next(Fault::Lost, 1);
    killed_while_it_looks(&ground, &asked).await;
    // As when a limit lets fewer through at once.
    assert_eq!(answered(&ground, &ground.providers, &asked[..6]).await, 6);
    assert_eq!(answered(&ground, &ground.providers, &asked[6..]).await, 6);
    assert_eq!((ground.calls(UPLOAD), ground.sandbox.ledger().asked_twice()), (1, vec![]));
}

#[tokio::test]
async fn an_upload_that_was_not_taken_is_made_by_the_next_attempt() {
    let ground = Ground::new().await;
    let asked = addresses(12);
    ground.sandbox.fault_next(Fault::Garbage, 1);
    let answers = ground.providers.skip_trace(ground.asking(), ProviderName::Tracerfy, &asked).await;
    for error in answers.iter().map(|answer| answer.as_ref().expect_err("unknown")) {
        assert_eq!((error.code, error.reason.as_str()), (FailureCode::ApiError, "bad_answer"));
    }
    assert_eq!((ground.calls(UPLOAD), ground.calls(LIST)), (1, 1), "looked for, and not made again at once");
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!((ground.calls(UPLOAD), ground.calls(LIST)), (2, 2));
}

#[tokio::test]
async fn an_upload_that_was_refused_is_made_again_at_once() {
    let ground = Ground::new().await;
    ground.sandbox.fault_next(Fault::Unavailable, 1);
    assert_eq!(answered(&ground, &ground.providers, &addresses(12)).await, 12);
    assert_eq!((ground.calls(UPLOAD), ground.calls(LIST)), (2, 0));
}

#[tokio::test]
async fn a_queue_of_as_many_rows_that_is_somebody_elses_is_not_taken_for_ones_own() {
    let ground = Ground::new().await;
    let mut asked = addresses(24);
    let others = asked.split_off(12);
    // Another installation on the same account.
    let elsewhere = database().await;
    let pool = migrate::connect(elsewhere.url(), migrate::Role::Engine, 4).await.expect("a pool");
    let other = Ground::door(&ground.sandbox, &pool, ground.sandbox.key(), at_once());
    ground.sandbox.fault_next(Fault::Lost, 1);
    assert_eq!(answered(&ground, &other, &others).await, 12);
    ground.sandbox.fault_next(Fault::Garbage, 1);
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 0, "not taken, and not answered by the other's");
    assert_eq!(answered(&ground, &ground.providers, &asked).await, 12);
    assert_eq!(ground.sandbox.ledger().asked_twice(), Vec::<String>::new());
}

#[tokio::test]
async fn uploads_are_forgotten_when_nobody_reads_them_any_more() {
    let ground = Ground::new().await;
    assert_eq!(answered(&ground, &ground.providers, &addresses(12)).await, 12);
    let mut c = ground.pool.acquire().await.expect("a connection");
    let aged = "update trace_queues set created_at = now() - interval '25 hours'
                 where lead_id in (select lead_id from trace_queues order by lead_id limit 5)";
    sqlx::query(aged).execute(&mut *c).await.expect("aged");
    assert_eq!(forget_old_traces(&mut c).await.expect("forgotten"), 5);
    assert_eq!(forget_old_traces(&mut c).await.expect("forgotten"), 0);
    let left: i64 = sqlx::query_scalar("select count(*) from trace_queues").fetch_one(&mut *c).await.expect("a count");
    assert_eq!(left, 7);
}
