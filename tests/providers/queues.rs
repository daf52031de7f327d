//! Tracerfy's queues: one upload, however often its answers are looked for.

use std::{sync::Arc, time::Duration};

use luci_engine::provider::{Asking, ProviderName, Providers, RetryPolicy, TraceQuery};
use luci_schema::{ArtifactId, FailureCode};

use super::ground::{Ground, addresses, at_once};

const UPLOAD: &str = "/v1/api/trace/";
const QUEUE: &str = "/v1/api/queue/";

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
    ground.sandbox.leave_queues_pending(true);
    let looking = ground.providers.skip_trace(ground.asking(), ProviderName::Tracerfy, &asked);
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
