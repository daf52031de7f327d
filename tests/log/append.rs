//! Answers to appends: conflicts, receipts, other tenants, and a member of a batch that fails alone.

use futures::future::join_all;
use luci_schema::{
    Event, RunEvent, RunId, TenantId, Version,
    event::RunDeleted,
    log::{Append, AppendError, MAX_EVENT_BYTES},
};

use super::{append, assert_whole, command, event, open};
use crate::support;

#[tokio::test]
async fn an_append_is_placed_versioned_and_chained() {
    let database = support::database().await;
    let (log, tenant, run) = (open(&database).await, TenantId::generate(), RunId::generate());
    let first = log.append(append(tenant, run, 0, 2)).await.expect("appended");
    let second = log.append(append(tenant, run, 2, 1)).await.expect("appended");
    assert_eq!((first.position().0, first.version().0), (2, 2));
    assert_eq!((second.position().0, second.version().0), (3, 3));
    assert_eq!(second.events[0].previous_hash, first.events[1].hash);
    assert!(second.events[0].recorded_at >= first.events[1].recorded_at);
    assert_eq!(log.head(), second.position());
    let head = log.stream_head(tenant, run.into()).await.expect("answered");
    assert_eq!(head, Some((Version(3), second.events[0].hash)));
    assert_whole(&database.pool().await, 3).await;
}

#[tokio::test]
async fn appends_to_one_stream_share_a_batch() {
    let database = support::database().await;
    let (log, tenant, run) = (open(&database).await, TenantId::generate(), RunId::generate());
    let answers = join_all((0..50).map(|version| log.append(append(tenant, run, version, 1)))).await;
    for (answer, version) in answers.into_iter().zip(1..) {
        assert_eq!(answer.expect("appended in order").version(), Version(version));
    }
    assert_whole(&database.pool().await, 50).await;
}

#[tokio::test]
async fn a_conflict_names_the_version_and_fails_no_other_append() {
    let database = support::database().await;
    let (log, tenant) = (open(&database).await, TenantId::generate());
    let (run, other) = (RunId::generate(), RunId::generate());
    log.append(append(tenant, run, 0, 3)).await.expect("appended");
    let (late, early, fine) = tokio::join!(
        log.append(append(tenant, run, 1, 1)),
        log.append(append(tenant, run, 9, 1)),
        log.append(append(tenant, other, 0, 1)),
    );
    assert!(matches!(late, Err(AppendError::Conflict { actual: Version(3) })), "{late:?}");
    assert!(matches!(early, Err(AppendError::Conflict { actual: Version(3) })), "{early:?}");
    assert_eq!(fine.expect("appended").version(), Version(1));
    let absent = log.append(append(tenant, RunId::generate(), 5, 1)).await;
    assert!(matches!(absent, Err(AppendError::Conflict { actual: Version(0) })), "{absent:?}");
    assert_whole(&database.pool().await, 4).await;
}

#[tokio::test]
async fn another_tenants_stream_is_not_found() {
    let database = support::database().await;
    let (log, other_log) = (open(&database).await, open(&database).await);
    let (tenant, other, run) = (TenantId::generate(), TenantId::generate(), RunId::generate());
    log.append(append(tenant, run, 0, 1)).await.expect("appended");
    for log in [&log, &other_log] {
        for expected in [0, 1, 7] {
            let refused = log.append(append(other, run, expected, 1)).await;
            assert!(matches!(refused, Err(AppendError::NotFound)), "{refused:?}");
        }
    }
    assert!(log.read_stream(other, run.into(), Version(0), 10).await.expect("read").is_empty());
    assert_eq!(log.stream_head(other, run.into()).await.expect("answered"), None);
}

#[tokio::test]
async fn the_same_command_again_is_answered_by_its_receipt() {
    let database = support::database().await;
    let (log, tenant, run) = (open(&database).await, TenantId::generate(), RunId::generate());
    let done = log.append(command(tenant, run, 0, "start")).await.expect("appended");
    log.append(append(tenant, run, 1, 1)).await.expect("the run goes on");
    // From the receipt in memory, from the receipt in the database, and in a process with empty caches.
    for (log, expected) in [(&log, 0), (&log, 2), (&open(&database).await, 0), (&open(&database).await, 2)] {
        match log.append(command(tenant, run, expected, "start")).await {
            Err(AppendError::AlreadyDone(receipt)) => {
                assert_eq!(receipt.position, done.position());
                assert_eq!(receipt.outcome["runId"], "start");
                assert_eq!(receipt.body_digest, [7; 32]);
            }
            other => panic!("expected a receipt, got {other:?}"),
        }
    }
    let other_tenant = log.append(command(TenantId::generate(), RunId::generate(), 0, "start")).await;
    assert!(other_tenant.is_ok(), "a receipt is its tenant's: {other_tenant:?}");
    assert_whole(&database.pool().await, 3).await;
}

#[tokio::test]
async fn a_command_without_events_is_remembered() {
    let database = support::database().await;
    let (log, tenant, run) = (open(&database).await, TenantId::generate(), RunId::generate());
    log.append(append(tenant, run, 0, 1)).await.expect("appended");
    let nothing = || Append { events: Vec::new(), ..command(tenant, run, 1, "pause again") };
    let done = log.append(nothing()).await.expect("remembered");
    assert_eq!((done.position().0, done.version(), done.events.len()), (1, Version(1), 0));
    assert!(matches!(log.append(nothing()).await, Err(AppendError::AlreadyDone(_))));
    let receipt = log.receipt(tenant, &nothing().command).await.expect("answered").expect("a receipt");
    assert_eq!(receipt.position.0, 1);
    assert_eq!(log.delete_receipts(luci_schema::Micros::now().plus_millis(1_000)).await.expect("deleted"), 1);
    assert_eq!(log.receipt(tenant, &nothing().command).await.expect("answered"), None);
    assert_whole(&database.pool().await, 1).await;
}

#[tokio::test]
async fn an_invalid_append_is_refused_at_once() {
    let database = support::database().await;
    let (log, tenant, run) = (open(&database).await, TenantId::generate(), RunId::generate());
    let with = |events: Vec<Event>| Append { events, ..append(tenant, run, 0, 0) };
    for wrong in [with(vec![]), with(vec![Event::Unknown("run:sung".into())]), with(vec![event("a\0b")])] {
        let refused = log.append(wrong).await;
        assert!(matches!(refused, Err(AppendError::Invalid(_))), "{refused:?}");
    }
    // One event that the broker would not take, and a sum that one append may not have.
    let large = |bytes: usize| event(&"x".repeat(bytes));
    for wrong in [vec![large(MAX_EVENT_BYTES)], vec![large(400 << 10), large(400 << 10), large(400 << 10)]] {
        let refused = log.append(with(wrong)).await;
        assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(log.head().0, 0);
}

#[tokio::test]
async fn a_member_that_postgres_refuses_fails_alone() {
    let database = support::database().await;
    let (log, owner, tenant) = (open(&database).await, database.pool().await, TenantId::generate());
    sqlx::query("alter table log.events add constraint no_poison check (event_type <> 'run:deleted')")
        .execute(&owner)
        .await
        .expect("a constraint");
    let poison =
        || Append { events: vec![RunEvent::Deleted(RunDeleted {}).into()], ..append(tenant, RunId::generate(), 0, 0) };
    let batch =
        (0..40).map(|n| log.append(if n % 13 == 5 { poison() } else { append(tenant, RunId::generate(), 0, 2) }));
    for (n, answer) in join_all(batch).await.into_iter().enumerate() {
        match n % 13 {
            5 => assert!(matches!(answer, Err(AppendError::Database(_))), "{answer:?}"),
            _ => assert_eq!(answer.expect("appended").events.len(), 2),
        }
    }
    assert_whole(&owner, 2 * 37).await;
}
