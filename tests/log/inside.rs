//! `append_in`, an append in the caller's transaction: table and event are written together or not at all.

use luci_schema::{KeyId, Position, RunId, TenantId, Version, log::AppendError};

use super::{append, assert_whole, command, open};
use crate::support;

#[tokio::test]
async fn append_in_shows_with_the_commit_and_a_rollback_leaves_no_hole() {
    let database = support::database().await;
    let (log, other) = (open(&database).await, open(&database).await);
    let (tenant, key) = (TenantId::generate(), KeyId::generate());
    let mut tx = log.pool().begin().await.expect("a transaction");
    let lost = log.append_in(&mut tx, append(tenant, key, 0, 2)).await.expect("appended");
    assert_eq!(lost.position().0, 2);
    tx.rollback().await.expect("rolled back");
    assert_eq!(log.append(append(tenant, RunId::generate(), 0, 1)).await.expect("appended").position().0, 1);

    let mut tx = log.pool().begin().await.expect("a transaction");
    let kept = log.append_in(&mut tx, append(tenant, key, 0, 2)).await.expect("appended");
    tx.commit().await.expect("committed");
    log.wake();
    assert_eq!((kept.position().0, kept.version()), (3, Version(2)));
    for log in [&log, &other] {
        assert_eq!(log.wait_past(Position(2), support::DEADLINE).await.0, 3);
        assert_eq!(log.read(Position(0), 10).await.expect("read").len(), 3);
    }
    // The appender does not know the stream and continues it; `append_in` then continues after the appender.
    assert_eq!(log.append(append(tenant, key, 2, 1)).await.expect("appended").position().0, 4);
    let mut tx = log.pool().begin().await.expect("a transaction");
    log.append_in(&mut tx, append(tenant, key, 3, 1)).await.expect("appended");
    tx.commit().await.expect("committed");
    // The appender's cache is stale now: it reads the stream's version before it reports a conflict.
    assert_eq!(log.append(append(tenant, key, 4, 1)).await.expect("appended").version(), Version(5));
    assert_eq!(log.read(Position(0), 10).await.expect("read").len(), 6);
    assert_whole(&database.pool().await, 6).await;
}

#[tokio::test]
async fn append_in_reports_conflicts_and_receipts() {
    let database = support::database().await;
    let log = open(&database).await;
    let (tenant, key) = (TenantId::generate(), KeyId::generate());
    let done = log.append(command(tenant, key, 0, "make a key")).await.expect("appended");
    let mut tx = log.pool().begin().await.expect("a transaction");
    let again = log.append_in(&mut tx, command(tenant, key, 1, "make a key")).await;
    assert!(matches!(again, Err(AppendError::AlreadyDone(receipt)) if receipt.position == done.position()));
    let late = log.append_in(&mut tx, append(tenant, key, 0, 1)).await;
    assert!(matches!(late, Err(AppendError::Conflict { actual: Version(1) })), "{late:?}");
    let foreign = log.append_in(&mut tx, append(TenantId::generate(), key, 1, 1)).await;
    assert!(matches!(foreign, Err(AppendError::NotFound)), "{foreign:?}");
    tx.rollback().await.expect("rolled back");
    assert_whole(&database.pool().await, 1).await;
}

#[tokio::test]
async fn two_transactions_race_for_one_command_and_one_wins() {
    let database = support::database().await;
    let log = open(&database).await;
    let (tenant, key) = (TenantId::generate(), KeyId::generate());
    let mut first = log.pool().begin().await.expect("a transaction");
    let done = log.append_in(&mut first, command(tenant, key, 0, "make a key")).await.expect("appended");
    let second = {
        let log = log.clone();
        tokio::spawn(async move {
            let mut tx = log.pool().begin().await.expect("a transaction");
            log.append_in(&mut tx, command(tenant, key, 0, "make a key")).await
        })
    };
    let owner = database.pool().await;
    let waiting = "select exists (select from pg_locks where not granted
                    and pid in (select pid from pg_stat_activity where datname = current_database()))";
    support::eventually("the second transaction waits for the first", async || {
        sqlx::query_scalar(waiting).fetch_one(&owner).await.expect("the locks")
    })
    .await;
    first.commit().await.expect("committed");
    let second = second.await.expect("no panic");
    assert!(matches!(&second, Err(AppendError::AlreadyDone(r)) if r.position == done.position()), "{second:?}");
    assert_whole(&database.pool().await, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn append_and_append_in_together_make_one_dense_log() {
    let database = support::database().await;
    let log = open(&database).await;
    let tenant = TenantId::generate();
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let log = log.clone();
            tokio::spawn(async move {
                let run = RunId::generate();
                for version in 0..10 {
                    if caller % 4 == 0 {
                        let mut tx = log.pool().begin().await.expect("a transaction");
                        log.append_in(&mut tx, append(tenant, run, version, 1)).await.expect("appended");
                        tx.commit().await.expect("committed");
                        log.wake();
                    } else {
                        log.append(append(tenant, run, version, 1)).await.expect("appended");
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic");
    }
    log.wait_past(Position(159), support::DEADLINE).await;
    assert_eq!(log.read(Position(0), 1_000).await.expect("no hole").len(), 160);
    assert_whole(&database.pool().await, 160).await;
}
